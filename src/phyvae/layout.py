"""Where the patches of a tile lie: how values of theirs become a map."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """A rectangle of cells, of which all or some hold a patch.

    Attributes
    ----------
    shape
        (rows, cols) of the rectangle.
    cells
        Flat positions in the rectangle of the patches, in their order, shape (n,); ``None`` if
        every cell holds one.
    """

    shape: tuple[int, int]
    cells: Int[Tensor, " n"] | None = None

    def to(self, device: torch.device) -> "Layout":
        """Return the same layout on `device`."""
        return Layout(self.shape, None if self.cells is None else self.cells.to(device))

    def maps(self, values: Float[Tensor, "n channels"]) -> Float[Tensor, "channels rows cols"]:
        """Lay out a row of values per patch; empty cells are 0, to be masked out."""
        if self.cells is not None:
            empty = values.new_zeros(math.prod(self.shape), values.shape[1])
            values = empty.index_copy(0, self.cells, values)
        return values.T.reshape(-1, *self.shape)

    @property
    def mask(self) -> Bool[Tensor, "rows cols"] | None:
        """The cells that hold a patch; ``None`` if all do."""
        if self.cells is None:
            return None
        count = math.prod(self.shape)
        mask = torch.zeros(count, dtype=torch.bool, device=self.cells.device)
        return mask.index_fill(0, self.cells, True).reshape(self.shape)
