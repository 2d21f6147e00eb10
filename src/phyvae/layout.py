"""Where the patches of a tile lie: how values of theirs become a map."""

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .graph import SiteGraph
from .patches import PatchGrid

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
    graph
        Which patches are neighbours, where the rectangle does not tell: then it is a row of them.
    """

    shape: tuple[int, int]
    cells: Int[Tensor, " n"] | None = None
    graph: SiteGraph | None = None

    @classmethod
    def of(cls, grid: PatchGrid) -> "Layout":
        """Return that of all patches of a grid."""
        cells = None if grid.mask is None else grid.indices.to(grid.device)
        return cls(grid.shape, cells, grid.graph)

    def to(self, device: torch.device) -> "Layout":
        """Return the same layout on `device`."""
        cells, graph = self.cells, self.graph
        return Layout(
            self.shape,
            None if cells is None else cells.to(device),
            None if graph is None else graph.to(device),
        )

    def maps(self, values: Float[Tensor, "n channels"]) -> Float[Tensor, "channels rows cols"]:
        """Lay out a row of values per patch; empty cells are 0, to be masked out."""
        if self.cells is not None:
            empty = values.new_zeros(math.prod(self.shape), values.shape[1])
            values = empty.index_copy(0, self.cells, values)
        return values.T.reshape(-1, *self.shape)

    def shown(self, values: Float[Tensor, "n channels"]) -> Float[Tensor, "channels rows cols"]:
        """Lay out a row of values per patch on the CPU, with NaN in empty cells."""
        maps, mask = self.maps(values), self.mask
        return (maps if mask is None else torch.where(mask, maps, torch.nan)).cpu()

    @property
    def mask(self) -> Bool[Tensor, "rows cols"] | None:
        """The cells that hold a patch; ``None`` if all do."""
        if self.cells is None:
            return None
        count = math.prod(self.shape)
        mask = torch.zeros(count, dtype=torch.bool, device=self.cells.device)
        return mask.index_fill(0, self.cells, True).reshape(self.shape)
