"""Layout of patches: a value per patch to a map and back, on a raster, under a mask, on a graph.

Training and refinement work on rows of values, one per patch; physics losses on maps or on the
graph of sites. Which of the two it is, only this module and `neighbours` ask.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .graph import SiteGraph
from .grid import PatchGrid
from .map_pixel import SQUARE, MapPixel

__all__ = ["Layout"]


@dataclass(frozen=True)
class Layout:
    """Cells of a rectangle that hold a patch; sites without a lattice are a single row.

    Attributes
    ----------
    shape
        (rows, cols) of the rectangle.
    cells
        Flat positions in the rectangle of the patches, in their order, shape (n,); ``None`` if
        every cell holds one.
    graph
        Graph of neighbouring patches, where sites have no lattice; `shape` then is (1, n).
    pixel
        How far neighbouring patches lie apart, along rows and along columns.
    is_stack
        Whether the patches come without an image, so that none has neighbours.
    """

    shape: tuple[int, int]
    cells: Int[Tensor, " n"] | None = None
    graph: SiteGraph | None = None
    pixel: MapPixel = SQUARE
    is_stack: bool = False

    @classmethod
    def of(cls, grid: PatchGrid) -> "Layout":
        """Return the layout of all patches of a grid."""
        cells = None if grid.mask is None else grid.indices.to(grid.device)
        return cls(grid.shape, cells, grid.graph, MapPixel.of(grid), grid.is_stack)

    @classmethod
    def square(cls, count: int) -> "Layout":
        """Return a batch as a square, as the authors' code does, wherever its patches come from.

        Raises
        ------
        ValueError
            If `count` is no square number.
        """
        side = math.isqrt(count)
        if side**2 != count:
            raise ValueError(
                f'coupling="published" lays a batch out as a square, but {count} '
                "patches fill none; choose batch_size as a square number not above the "
                "grid's size, such as 100."
            )
        return cls((side, side))

    def __len__(self) -> int:
        return math.prod(self.shape) if self.cells is None else len(self.cells)

    def to(self, device: torch.device) -> "Layout":
        """Return the same layout on `device`."""
        cells, graph = self.cells, self.graph
        return replace(
            self,
            cells=None if cells is None else cells.to(device),
            graph=None if graph is None else graph.to(device),
        )

    def maps(self, values: Float[Tensor, "n channels"]) -> Float[Tensor, "channels rows cols"]:
        """Turn a row of values per patch into maps, 0 in empty cells (see `mask`)."""
        if self.cells is not None:
            empty = values.new_zeros(math.prod(self.shape), values.shape[1])
            values = empty.index_copy(0, self.cells, values)
        return values.T.reshape(-1, *self.shape)

    def values(self, maps: Float[Tensor, "channels rows cols"]) -> Float[Tensor, "n channels"]:
        """Return a row of values per patch: the inverse of `maps`."""
        rows = maps.flatten(1).T
        return rows if self.cells is None else rows[self.cells.to(rows.device)]

    def shown(self, values: Float[Tensor, "n channels"]) -> Float[Tensor, "channels rows cols"]:
        """Turn a row of values per patch into maps on the CPU, NaN in empty cells."""
        maps, mask = self.maps(values), self.mask
        return (maps if mask is None else torch.where(mask, maps, torch.nan)).cpu()

    def evaluate(self, loss: Callable[..., Any], values: Float[Tensor, "n channels"]) -> Any:
        """Return a physics loss of the maps of values, or of the graph of sites without a lattice.

        Raises
        ------
        ValueError
            If sites have no lattice, and the loss is a function of maps alone.
        """
        self.check_places(loss)
        if self.graph is None:
            maps, mask = self.maps(values), self.mask
            given = (maps,) if mask is None else (maps, mask)
            return loss(*given, **self.pixel.taken_by(loss))
        if not hasattr(loss, "on_graph"):
            raise ValueError(
                f"{loss!r} is a function of a raster, but these sites have none; subclass "
                "PhysicsLoss and give it a method on_graph(values, graph)."
            )
        return loss.on_graph(values.T, self.graph)

    def check_places(self, loss: Any) -> None:
        """Raise an error if the patches are a stack, and a physics loss sees where each one lies.

        That of a loss of losses, such as a sum, is what they see.
        """
        if not (self.is_stack and _sees_places(loss)):
            return
        raise ValueError(
            f"{loss!r} compares neighbours, but a stack of patches has none: pass the image that "
            "they were cut from, PatchGrid(image, size=...) or PatchGrid.at(image, sites, size); "
            "or train without physics, or with a loss of values alone, such as Sparsity."
        )

    def raster(self, values: Float[Tensor, "n channels"]) -> Float[Tensor, "channels rows cols"]:
        """Return `maps`, for a loss that needs a raster.

        Raises
        ------
        ValueError
            If the sites have no lattice.
        """
        if self.graph is not None:
            raise ValueError(
                'coupling="published" lays its batches out as squares, but these sites have no '
                'lattice; use coupling="balanced".'
            )
        return self.maps(values)

    @property
    def is_raster(self) -> bool:
        """Whether the patches lie in rows and columns."""
        return self.graph is None

    @property
    def spacing(self) -> float:
        """Distance of neighbouring patches: 1 map pixel, or that of the graph's sites, px."""
        return 1.0 if self.graph is None else self.graph.spacing

    @property
    def mask(self) -> Bool[Tensor, "rows cols"] | None:
        """Which cells hold a patch; ``None`` if all do."""
        if self.cells is None:
            return None
        count = math.prod(self.shape)
        mask = torch.zeros(count, dtype=torch.bool, device=self.cells.device)
        return mask.index_fill(0, self.cells, True).reshape(self.shape)


def _sees_places(loss: Any) -> bool:
    """Return whether it matters to a loss, or to one that it is made of, which cell lies where."""
    parts = loss.modules() if isinstance(loss, torch.nn.Module) else ()
    inner = [part for part in parts if part is not loss and hasattr(part, "sees_places")]
    return any(map(_sees_places, inner)) if inner else bool(getattr(loss, "sees_places", True))
