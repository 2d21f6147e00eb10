"""Differences of neighbouring cells, and the Scharr gradient."""

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .finite import length
from .masking import Cells, Maps

__all__ = [
    "Edges",
    "corner_steps",
    "mean_square_gradient",
    "padded",
    "scharr",
    "scharr_gradient",
]

# All by slices: constants would have to be sent to the GPU in every step. `edges` are height and
# width of a map pixel, in the unit of length of the slopes.
Edges = tuple[float, float]


def steps(
    maps: Maps, counts: Cells, edges: Edges = (1.0, 1.0)
) -> tuple[Float[Tensor, "channels rows1 cols"], Float[Tensor, "channels rows cols1"]]:
    """Return the slopes to the cell below and to the right; 0 unless both cells count."""
    down = maps.diff(dim=-2) * (counts[1:] & counts[:-1]) / edges[0]
    return down, maps.diff(dim=-1) * (counts[:, 1:] & counts[:, :-1]) / edges[1]


def corner_steps(
    maps: Maps, counts: Cells, edges: Edges = (1.0, 1.0)
) -> Float[Tensor, "4 2 channels rows cols"]:
    """Return the four ways to take a vertical and a horizontal step from or to each cell.

    Every cell has steps to either side, so that a mirrored map has the same steps.
    """
    down, right = steps(maps, counts, edges)
    corners = [
        torch.stack([F.pad(down, (0, 0, *y)), F.pad(right, x)])
        for y in ((0, 1), (1, 0))
        for x in ((0, 1), (1, 0))
    ]
    return torch.stack(corners)


def mean_square_gradient(
    maps: Maps, counts: Cells, edges: Edges = (1.0, 1.0)
) -> Float[Tensor, " channels"]:
    """Return the mean squared step down plus the mean squared step to the right."""
    down, right = steps(maps, counts, edges)
    vertical = (counts[1:] & counts[:-1]).sum().clamp(min=1)
    horizontal = (counts[:, 1:] & counts[:, :-1]).sum().clamp(min=1)
    return down.square().sum((-2, -1)) / vertical + right.square().sum((-2, -1)) / horizontal


def scharr_gradient(
    maps: Maps, edges: Edges = (1.0, 1.0)
) -> tuple[Float[Tensor, "channels rows2 cols2"], Float[Tensor, "channels rows2 cols2"]]:
    """Return the Scharr slopes along y and along x of all inner cells.

    On a step along a row, a column or a diagonal the two slopes have the step's direction exactly.
    """
    slopes_y = (maps[:, 2:] - maps[:, :-2]) / (2 * edges[0])
    slopes_x = (maps[:, :, 2:] - maps[:, :, :-2]) / (2 * edges[1])
    along_y = (3 * slopes_y[:, :, :-2] + 10 * slopes_y[:, :, 1:-1] + 3 * slopes_y[:, :, 2:]) / 16
    along_x = (3 * slopes_x[:, :-2] + 10 * slopes_x[:, 1:-1] + 3 * slopes_x[:, 2:]) / 16
    return along_y, along_x


def scharr(maps: Maps, edges: Edges = (1.0, 1.0)) -> Maps:
    """Return the Scharr edge magnitude of each map, equal to `skimage.filters.scharr`.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> step = (torch.arange(6.0) >= 3).float().expand(1, 6, 6)
    >>> phyvae.physics.scharr(step)[0, 3]
    tensor([0.0000, 0.0000, 0.7071, 0.7071, 0.0000, 0.0000])
    """
    return 2**0.5 * length(torch.stack(scharr_gradient(padded(maps), edges)), dim=0)


def padded(
    maps: Float[Tensor, "n rows cols"], height: int = 1, width: int = 1
) -> Float[Tensor, "n rows2 cols2"]:
    """Return the maps with their rim replicated, SciPy's mode "nearest"."""
    return F.pad(maps[:, None], (width, width, height, height), mode="replicate")[:, 0]
