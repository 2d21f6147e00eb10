"""Cells of patches on sites, drawn where the sites are: empty ones stay blank."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..patches import PatchGrid

__all__ = ["draw_cell_walls", "draw_cells", "draw_lines", "on_sites", "wall_lines"]


def on_sites(grid: PatchGrid | None) -> bool:
    """Tell a grid of `PatchGrid.at` from a raster."""
    return grid is not None and (grid.mask is not None or grid.graph is not None)


def draw_cells(ax: Any, grid: Any, values: Any, pixel_size: float, **style: Any) -> Any:
    """Draw the cell around each site that has a value; without lattice, a disc."""
    from matplotlib.collections import PolyCollection

    there = np.isfinite(grid.sites).all(-1) & ~np.ma.getmaskarray(values)
    if grid.vectors is None:
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        disc = grid.step[0] / 2 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        polygons = grid.sites[..., None, :] + disc
    else:
        corners = _corners(grid)
        around = (corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1])
        polygons = np.stack(around, axis=2)
    cells = PolyCollection(
        list(pixel_size * polygons[there][..., ::-1]),
        array=np.ma.getdata(values)[there],
        linewidths=0,
        antialiased=False,  # seams would show between cells
        **style,
    )
    ax.add_collection(cells, autolim=False)
    ax.set_aspect("equal")
    return cells


def draw_cell_walls(ax: Any, grid: Any, labels: Any, colour: str, pixel_size: float) -> None:
    """Draw the sides between cells of unequal labels; without lattice, lines half way."""
    if grid.vectors is None:
        first, second = grid.graph.edges[grid.graph.weights > 0].cpu().numpy().T
        middle = (grid.sites[0, first] + grid.sites[0, second]) / 2
        half = 0.3 * (grid.sites[0, second] - grid.sites[0, first])[:, ::-1] * (-1, 1)
        wall = _unequal(labels[0, first], labels[0, second])
        lines = list(np.stack([middle - half, middle + half], axis=1)[wall])
    else:
        lines = wall_lines(_corners(grid), labels)
    draw_lines(ax, [pixel_size * line for line in lines], colour)


def wall_lines(corners: npt.NDArray[Any], labels: Any) -> list[npt.NDArray[Any]]:
    """Return the lines between cells of unequal labels, each as far as it goes straight on.

    One line for each side of a cell would show their ends, which overlap, as dots.
    """
    lines = []
    for sides, cells in ((corners, labels), (corners.swapaxes(0, 1), labels.T)):
        wall = _unequal(cells[1:], cells[:-1])
        begins_or_ends = np.diff(np.pad(wall, ((0, 0), (1, 1))).astype(int), axis=1)
        row, begin = np.nonzero(begins_or_ends == 1)
        end = np.nonzero(begins_or_ends == -1)[1]
        lines += [sides[i + 1, j : k + 1] for i, j, k in zip(row, begin, end, strict=True)]
    return lines


def draw_lines(ax: Any, lines: list[npt.NDArray[Any]], colour: str) -> None:
    """Draw lines through points (y, x)."""
    from matplotlib.collections import LineCollection

    drawn = [line[:, ::-1] for line in lines]
    walls = LineCollection(drawn, colors=colour, linewidths=0.7, capstyle="projecting")
    ax.add_collection(walls, autolim=False)


def _corners(grid: Any) -> npt.NDArray[Any]:
    """Return the corners of all cells, (rows + 1, cols + 1, 2): the mean of what sites expect.

    Cells that share them leave no gap where the lattice bends.
    """
    rows, cols = grid.shape
    there = np.isfinite(grid.sites).all(-1)
    total, count = np.zeros((rows + 1, cols + 1, 2)), np.zeros((rows + 1, cols + 1, 1))
    for i, j in ((0, 0), (0, 1), (1, 0), (1, 1)):
        expected = grid.sites + (i - 0.5, j - 0.5) @ grid.vectors
        total[i : rows + i, j : cols + j][there] += expected[there]
        count[i : rows + i, j : cols + j][there] += 1
    corners: npt.NDArray[Any] = total / np.maximum(count, 1)
    return corners


def _unequal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> npt.NDArray[Any]:
    unequal: npt.NDArray[Any] = (a != b) & (a >= 0) & (b >= 0)
    return unequal
