"""The bilateral filter of latent maps, differentiable."""

import math
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from .gradients import Edges, padded
from .masking import Cells, Maps
from .standardising import moments

__all__ = ["bilateral"]


def bilateral(
    maps: Maps,
    sigma_color: float | None = None,
    sigma_spatial: float = 1.0,
    *,
    mask: Cells | None = None,
    edges: Edges = (1.0, 1.0),
) -> Maps:
    r"""Return the bilateral filter of each map, differentiable.

    .. math:: \tilde z_i = \frac{\sum_j w_{ij} z_j}{\sum_j w_{ij}}, \quad
        w_{ij} = \exp\Big(-\frac{|x_i - x_j|^2}{2\sigma_s^2}
        - \frac{(z_i - z_j)^2}{2\sigma_c^2}\Big)

    over a window of :math:`\pm 3\sigma_s`, edges replicated; masked-out cells have
    weight 0. Without gradient it takes the memory of a few maps; with it, of the whole window
    (:math:`(6\sigma_s + 1)^2` maps).

    Parameters
    ----------
    maps
        Shape (channels, rows, cols).
    sigma_color
        :math:`\sigma_c` in the map's units; ``None`` takes each map's standard deviation.
    sigma_spatial
        :math:`\sigma_s`, map pixels, > 0.
    mask
        Cells that count, shape (rows, cols).
    edges
        Height and width of a cell, in the unit of `sigma_spatial`.

    References
    ----------
    Tomasi & Manduchi (1998), Bilateral filtering for gray and color images,
    https://doi.org/10.1109/ICCV.1998.710815

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> wall = (torch.arange(20.0) >= 10).float().expand(1, 20, 20)
    >>> noisy = wall + 0.1 * torch.randn(wall.shape, generator=torch.Generator().manual_seed(0))
    >>> smooth = phyvae.physics.bilateral(noisy)
    >>> bool((smooth - wall).std() < 0.5 * (noisy - wall).std())
    True
    """
    weight = torch.ones_like(maps[:1]) if mask is None else mask.to(maps)[None]
    maps = torch.where(weight > 0, maps, 0.0)
    color = moments(maps, weight[0])[1] if sigma_color is None else maps.new_tensor(sigma_color)
    scaled = maps / (2**0.5 * color)
    widths = [sigma_spatial / edge for edge in edges]
    radii = [math.ceil(3 * width) for width in widths]
    surround, counts = (padded(z, *radii) for z in (scaled, weight))
    offsets = (
        torch.arange(-radius, radius + 1, device=maps.device).to(maps) / width
        for radius, width in zip(radii, widths, strict=True)
    )
    y, x = torch.meshgrid(*offsets, indexing="ij")
    exponent = -(y**2 + x**2) / 2
    moved, total = torch.zeros_like(maps), torch.zeros_like(maps)
    for rows, cols in _pieces(exponent.shape, maps.numel()):
        step = _neighbours(surround, rows, cols, maps.shape) - scaled
        weights = (exponent[rows, cols].reshape(-1, 1, 1, 1) - step.square()).exp()
        if mask is not None:
            weights = weights * _neighbours(counts, rows, cols, maps.shape)
        moved = moved + (weights * step).sum(0)
        total = total + weights.sum(0)
    return maps + torch.where(total > 0, moved / total.clamp(min=1e-30), 0.0) * 2**0.5 * color


def _pieces(window: torch.Size, cells: int, most: int = 2**19) -> Iterator[tuple[slice, slice]]:
    """Cut a window into pieces: rows of it that make `most` weights, or single offsets.

    A small map takes its window in one piece, which is fast; a large map takes one offset at a
    time, in the memory of a few maps (torch is slow in sums over two or three offsets).
    """
    height, width = window
    rows, cols = max(1, most // (cells * width)), width if cells * width <= most else 1
    for y in range(0, height, rows):
        for x in range(0, width, cols):
            yield slice(y, min(y + rows, height)), slice(x, x + cols)


def _neighbours(
    surround: Float[Tensor, "n rows2 cols2"], rows: slice, cols: slice, shape: torch.Size
) -> Float[Tensor, "offsets n rows cols"]:
    """Return every cell's neighbours at these offsets of the window, as a leading axis."""
    high, wide = rows.stop + shape[1] - 1, cols.stop + shape[2] - 1
    near = surround[:, rows.start : high, cols.start : wide]
    windows = near.unfold(1, rows.stop - rows.start, 1).unfold(2, cols.stop - cols.start, 1)
    return windows.movedim((3, 4), (0, 1)).flatten(0, 1)
