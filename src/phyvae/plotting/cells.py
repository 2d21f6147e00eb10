"""Cells at the places of sites, and the walls between cells of unequal labels."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..patches.grid import PatchGrid
from ..patches.neighbours import neighbours_of
from .arguments import Extent

__all__ = ["add_cells", "add_walls", "corners_of", "on_sites", "outlines_of", "wall_lines"]

_MOST = 100_000  # sides of cells at walls: a panel is some 1000 dots wide


def on_sites(grid: PatchGrid | None) -> bool:
    """Return whether the patches are those of sites (`PatchGrid.at`), not of a raster."""
    return grid is not None and not grid.is_raster


def add_cells(ax: Any, grid: Any, values: Any, pixel_size: Any, **style: Any) -> Any:
    """Add the cell around each site that has a value."""
    from matplotlib.collections import PolyCollection

    there = np.isfinite(grid.sites).all(-1) & ~np.ma.getmaskarray(values)
    cells = PolyCollection(
        list((pixel_size * outlines_of(grid)[there])[..., ::-1]),
        array=np.ma.getdata(values)[there],
        linewidths=0,
        antialiased=False,  # seams would show between cells
        **style,
    )
    ax.add_collection(cells, autolim=False)
    ax.set_aspect("equal")
    return cells


def outlines_of(grid: Any) -> npt.NDArray[Any]:
    """Return the corners of the cell around each site, shape (rows, cols, m, 2), px.

    Without a lattice, it is a disc.
    """
    if grid.vectors is None:
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        disc = grid.step[0] / 2 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        return np.asarray(grid.sites[..., None, :] + disc)
    corners = corners_of(grid)
    around = (corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1])
    return np.stack(around, axis=2)


def corners_of(grid: Any) -> npt.NDArray[Any]:
    """Return the corners of all cells, shape (rows + 1, cols + 1, 2).

    A corner is the mean of its places in the adjacent cells, each a copy of the mean unit cell:
    cells that share it leave no gap where the lattice bends.
    """
    rows, cols = grid.shape
    there = np.isfinite(grid.sites).all(-1)
    total, count = np.zeros((rows + 1, cols + 1, 2)), np.zeros((rows + 1, cols + 1, 1))
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        expected = grid.sites + (i - 0.5, j - 0.5) @ grid.vectors
        total[i : rows + i, j : cols + j][there] += expected[there]
        count[i : rows + i, j : cols + j][there] += 1
    return np.asarray(total / np.maximum(count, 1))


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
