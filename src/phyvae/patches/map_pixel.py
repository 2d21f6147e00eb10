"""The pixel of a latent map: how far neighbouring patches lie apart."""

import inspect
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from .._checks import sides_of
from .cropped import CroppedImage
from .graph import SiteGraph

__all__ = ["SQUARE", "MapPixel", "cell_vectors"]

Pair = tuple[float, float]


@dataclass(frozen=True)
class MapPixel:
    """Height and width of a map's pixel: step of the patches times size of the scan's pixels.

    Attributes
    ----------
    vectors
        Steps (y, x) from row to row and from column to column, px of the scan.
    pixel_size
        Height and width of the scan's pixels, in one unit.

    Examples
    --------
    >>> import phyvae
    >>> import torch
    >>> wall = torch.zeros(1, 32, 16)  # along a row of patches at steps of 6 and 12 px
    >>> wall[:, 16:] = 1
    >>> pixel = phyvae.MapPixel(((6, 0), (0, 12)))
    >>> round(pixel.edges[0], 3), round(pixel.edges[1], 3)
    (0.707, 1.414)
    >>> loss = phyvae.TotalVariation()
    >>> round(float(loss(wall, None, pixel) / loss(wall)), 3)
    1.414
    """

    vectors: tuple[Pair, Pair] = ((1.0, 0.0), (0.0, 1.0))
    pixel_size: Pair = (1.0, 1.0)

    @classmethod
    def of(cls, grid: CroppedImage) -> "MapPixel":
        """Return the map pixel of a grid; of sites without a lattice, a square."""
        vectors = cell_vectors(grid)
        if vectors is None:
            return cls()
        down, across = vectors.tolist()
        return cls((tuple(down), tuple(across)), grid.pixel_size or (1.0, 1.0))

    @classmethod
    def of_sites(cls, graph: SiteGraph) -> "MapPixel":
        """Return the square whose side is the spacing of sites without a lattice."""
        return cls(((graph.spacing, 0.0), (0.0, graph.spacing)))

    def measured(self, pixel_size: Any = None) -> tuple[float, Pair]:
        """Return the side of a square as large as the map pixel, and its edges in that unit.

        The side is in the unit of `pixel_size`, the height and width of the scan's pixels, or
        one number for both; without it, lengths are in map pixels, and the side is 1.
        """
        if pixel_size is not None:
            down, across = sides_of(pixel_size).tolist()
            return replace(self, pixel_size=(down, across))._measured()
        return 1.0, self._measured()[1]

    @property
    def edges(self) -> Pair:
        """Height and width, relative to the side of a square as large: (1, 1) of a square."""
        return self._measured()[1]

    def taken_by(self, loss: Callable[..., Any]) -> dict[str, "MapPixel"]:
        """Return this as the keyword `pixel`, if it is not the default, and a loss takes it."""
        if self == SQUARE or "pixel" not in inspect.signature(loss).parameters:
            return {}
        return {"pixel": self}

    def _measured(self) -> tuple[float, Pair]:
        y, x = self.pixel_size
        height, width = (math.hypot(y * down, x * across) for down, across in self.vectors)
        side = math.sqrt(height * width)
        return side, (height / side, width / side)


SQUARE = MapPixel()
"""The map pixel of a map by itself: a square of one pixel of the scan."""


def cell_vectors(grid: CroppedImage) -> Float[np.ndarray, "2 2"] | None:
    """Return the steps from row to row and from column to column, px; ``None`` on a graph."""
    if grid.is_raster:
        return np.diag(grid.step).astype(np.float64)
    return grid.vectors
