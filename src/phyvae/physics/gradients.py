"""Differences between neighbouring cells of latent maps, and which cells have neighbours."""

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = ["corner_steps", "counted", "mean_over", "mean_square_gradient", "scharr_gradient"]

# All by slices: constants would have to be sent to the GPU in every step.


def counted(
    maps: Float[Tensor, "channels rows cols"], mask: Bool[Tensor, "rows cols"] | None
) -> tuple[Float[Tensor, "channels rows cols"], Bool[Tensor, "rows cols"]]:
    """Return the maps with 0 in every cell that does not count, and which cells count."""
    counts = torch.ones_like(maps[0], dtype=torch.bool) if mask is None else mask
    return torch.where(counts, maps, 0.0), counts  # not a product: NaN * 0 is NaN


def mean_over(
    values: Float[Tensor, "*channels rows cols"], counts: Bool[Tensor, "rows cols"]
) -> Float[Tensor, "*channels"]:
    """Return the mean over the cells that count; 0 if none does."""
    return torch.where(counts, values, 0.0).sum((-2, -1)) / counts.sum().clamp(min=1)


def steps(
    maps: Float[Tensor, "channels rows cols"], counts: Bool[Tensor, "rows cols"]
) -> tuple[Float[Tensor, "channels rows1 cols"], Float[Tensor, "channels rows cols1"]]:
    """Return the steps to the cell below and to the right; 0 unless both cells count."""
    down = maps.diff(dim=-2) * (counts[1:] & counts[:-1])
    return down, maps.diff(dim=-1) * (counts[:, 1:] & counts[:, :-1])


def corner_steps(
    maps: Float[Tensor, "channels rows cols"], counts: Bool[Tensor, "rows cols"]
) -> Float[Tensor, "4 2 channels rows cols"]:
    """Return the four ways to take a vertical and a horizontal step from or to each cell.

    Every cell looks to either side, so that a mirrored map has the same steps.
    """
    down, right = steps(maps, counts)
    corners = [
        torch.stack([F.pad(down, (0, 0, *y)), F.pad(right, x)])
        for y in ((0, 1), (1, 0))
        for x in ((0, 1), (1, 0))
    ]
    return torch.stack(corners)


def mean_square_gradient(
    maps: Float[Tensor, "channels rows cols"], counts: Bool[Tensor, "rows cols"]
) -> Float[Tensor, " channels"]:
    """Return the mean squared step down plus the mean squared step to the right."""
    down, right = steps(maps, counts)
    vertical = (counts[1:] & counts[:-1]).sum().clamp(min=1)
    horizontal = (counts[:, 1:] & counts[:, :-1]).sum().clamp(min=1)
    return down.square().sum((-2, -1)) / vertical + right.square().sum((-2, -1)) / horizontal


def scharr_gradient(
    maps: Float[Tensor, "channels rows cols"], counts: Bool[Tensor, "rows cols"]
) -> tuple[
    Float[Tensor, "channels rows2 cols2"],
    Float[Tensor, "channels rows2 cols2"],
    Bool[Tensor, "rows2 cols2"],
]:
    """Return the slopes along y and x of all inner cells, and where all nine cells count.

    On a step along a row, a column or a diagonal the two slopes have the step's direction exactly.
    """
    slopes_y = (maps[:, 2:] - maps[:, :-2]) / 2
    slopes_x = (maps[:, :, 2:] - maps[:, :, :-2]) / 2
    across = (3 * slopes_y[:, :, :-2] + 10 * slopes_y[:, :, 1:-1] + 3 * slopes_y[:, :, 2:]) / 16
    along = (3 * slopes_x[:, :-2] + 10 * slopes_x[:, 1:-1] + 3 * slopes_x[:, 2:]) / 16
    return across, along, whole(counts)


def whole(counts: Bool[Tensor, "rows cols"]) -> Bool[Tensor, "rows2 cols2"]:
    """Return where an inner cell and its eight neighbours all count."""
    rows = counts[:-2] & counts[1:-1] & counts[2:]
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
