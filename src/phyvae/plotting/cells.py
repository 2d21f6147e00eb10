"""Cells of patches on sites, at the places of the sites; empty cells stay blank."""

from typing import Any

import numpy as np
import numpy.typing as npt

from ..patches.grid import PatchGrid

__all__ = ["add_cells", "corners_of", "on_sites", "outlines_of"]


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
