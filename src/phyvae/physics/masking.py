"""Maps of which only some cells count."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

__all__ = [
    "Cells",
    "Maps",
    "Scalar",
    "Values",
    "eroded",
    "masked",
    "mean_over",
    "sorted_cells",
]

Maps = Float[Tensor, "channels rows cols"]
Cells = Bool[Tensor, "rows cols"]
Values = Float[Tensor, "channels n"]
Scalar = Float[Tensor, ""]

# No constant tensors: they would have to be sent to the GPU in every step.


def masked(maps: Maps, mask: Cells | None) -> tuple[Maps, Cells]:
    """Return the maps with 0 in every cell that does not count, and which cells count."""
    counts = torch.ones_like(maps[0], dtype=torch.bool) if mask is None else mask
    return torch.where(counts, maps, 0.0), counts  # not a product: NaN * 0 is NaN


def mean_over(
    values: Float[Tensor, "*channels rows cols"], counts: Cells
) -> Float[Tensor, "*channels"]:
    """Return the mean over the cells that count; 0 if none does."""
    return torch.where(counts, values, 0.0).sum((-2, -1)) / counts.sum().clamp(min=1)


def sorted_cells(maps: Maps, counts: Cells) -> Float[Tensor, "channels cells"]:
    """Return the values of each map in ascending order; cells that do not count come last."""
    return torch.where(counts, maps, torch.inf).flatten(1).sort(dim=1).values


def eroded(counts: Cells) -> Bool[Tensor, "rows2 cols2"]:
    """Return the binary erosion by 3 x 3 cells, of the inner cells."""
    rows = counts[:-2] & counts[1:-1] & counts[2:]
    return rows[:, :-2] & rows[:, 1:-1] & rows[:, 2:]
