"""Lines of the walls between cells of unequal labels; empty cells have no wall."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..patches.neighbours import neighbours_of
from .arguments import Extent
from .cells import corners_of, on_sites

__all__ = ["add_walls", "wall_lines"]

_MOST = 100_000  # sides of cells at walls: a panel is some 1000 dots wide


def add_walls(
    ax: Any, labels: Any, extent: Extent, colour: str, grid: Any, pixel_size: Any
) -> None:
    """Add the walls to a panel; not so many that they would cover it, which take a minute."""
    from matplotlib.collections import LineCollection

    if sum(int((np.diff(labels, axis=axis) != 0).sum()) for axis in (0, 1)) > _MOST:
        return
    lines = wall_lines(labels, extent, grid, pixel_size)
    flipped = [line[:, ::-1] for line in lines]  # matplotlib takes (x, y)
    walls = LineCollection(flipped, colors=colour, linewidths=0.7, capstyle="projecting")
    ax.add_collection(walls, autolim=False)


def wall_lines(
    labels: Any, extent: Extent, grid: Any, pixel_size: Any = 1.0
) -> list[npt.NDArray[Any]]:
    """Return the sides (y, x) between cells of unequal labels; without lattice, lines half way.

    `pixel_size` is one number, or height and width; `extent` is that of all cells in its unit.
    """
    if not on_sites(grid):
        left, right, bottom, top = extent
        y = np.linspace(top, bottom, labels.shape[0] + 1)
        x = np.linspace(left, right, labels.shape[1] + 1)
        return _between(np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1), labels)
    if grid.vectors is None:
        return _half_way(grid, labels, pixel_size)
    return _between(pixel_size * corners_of(grid), labels)


def _between(corners: npt.NDArray[Any], labels: Any) -> list[npt.NDArray[Any]]:
    """Return the lines between cells of unequal labels, each as far as it goes straight on.

    One line for each side of a cell would show their ends, which overlap, as dots.
    """
    lines = []
    for sides, cells in ((corners, labels), (corners.swapaxes(0, 1), labels.T)):
        wall = (cells[1:] != cells[:-1]) & (cells[1:] >= 0) & (cells[:-1] >= 0)
        begins_or_ends = np.diff(np.pad(wall, ((0, 0), (1, 1))).astype(int), axis=1)
        row, begin = np.nonzero(begins_or_ends == 1)
        end = np.nonzero(begins_or_ends == -1)[1]
        lines += [sides[i + 1, j : k + 1] for i, j, k in zip(row, begin, end, strict=True)]
    return lines


def _half_way(grid: Any, labels: Any, pixel_size: Any) -> list[npt.NDArray[Any]]:
    """Return a short line across each edge of the graph whose sites have unequal labels."""
    pairs = neighbours_of(labels.shape, labels >= 0, grid.graph)
    wall = pairs.where(labels[0, pairs.first] != labels[0, pairs.second])
    first, second = (pixel_size * grid.sites[0, end] for end in (wall.first, wall.second))
    middle, half = (first + second) / 2, 0.3 * (second - first)[:, ::-1] * (-1, 1)
    return list(np.stack([middle - half, middle + half], axis=1))
