"""Walls between labelled domains, their length, and the grains that they enclose.

A cell labelled -1 holds no patch: no wall runs along it. On a raster, neighbours are the cells
above, below, left and right; with a graph, the sites whose Voronoi cells share a face.
"""

from math import fsum
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from torch import Tensor

from .._checks import as_integer, as_label_map, as_labels, sides_of
from ..patches.graph import SiteGraph
from ..patches.grid import PatchGrid
from ..patches.map_pixel import cell_vectors
from ..patches.neighbours import Neighbours, neighbours_of
from .on_grid import check_places, labels_of

__all__ = ["boundaries", "boundary_length", "grains", "wall_length_ratio", "wall_lengths"]


def boundaries(
    labels: npt.ArrayLike | Tensor, *, graph: SiteGraph | None = None
) -> Bool[np.ndarray, "rows cols"]:
    """Mark the cells at a wall: those with another label above, below, left or right.

    Both sides of a wall are marked (scikit-image's "thick" mode), as no label is background.
    The border of the map is no wall, nor is the rim of cells without a patch, labelled -1.

    Parameters
    ----------
    labels
        Domains, shape (rows, cols), whole numbers; -1: no patch.
    graph
        Of sites without a lattice, which are neighbours: ``grid.graph``. The map is then a row
        of sites, shape (1, sites), in which cells side by side need not be.

    Returns
    -------
    walls
        The shape of `labels`, True at a wall.

    Raises
    ------
    ValueError
        If `labels` has other axes, values that are not whole numbers, or not the graph's sites.

    Examples
    --------
    >>> import phyvae
    >>> phyvae.boundaries([[0, 0, 0, 1, 1]]).astype(int)
    array([[0, 0, 1, 1, 0]])
    """
    domains, neighbours = _with_neighbours(labels, graph)
    wall = _across_walls(domains, neighbours)
    at_wall = np.zeros(domains.size, dtype=bool)
    at_wall[wall.first] = at_wall[wall.second] = True
    return at_wall.reshape(domains.shape)


def grains(
    labels: npt.ArrayLike | Tensor, max_size: int, *, graph: SiteGraph | None = None
) -> Int[np.ndarray, "rows cols"]:
    """Number the grains: connected pieces of one label, of at most `max_size` cells.

    Cells are connected through their edges, not their corners; those without a patch, labelled
    -1, belong to no grain. In the paper, grains are small
    spurious islands within a domain, which the physics makes vanish.

    Parameters
    ----------
    labels
        Domains, shape (rows, cols), whole numbers.
    max_size
        Area of the largest piece that still is a grain, cells, >= 1.
    graph
        Of sites without a lattice, which are neighbours: ``grid.graph``. A cell is then a site.

    Returns
    -------
    numbers
        The shape of `labels`: 1 to n at the n grains, in reading order, and 0 elsewhere;
        ``.max()`` is the number of grains.

    Raises
    ------
    ValueError
        If `labels` has other axes, values that are not whole numbers, or not the graph's sites;
        if `max_size` is not an integer >= 1.

    References
    ----------
    Biswas, Ziatdinov & Kalinin (2023), https://arxiv.org/abs/2302.04216

    Examples
    --------
    >>> import phyvae
    >>> phyvae.grains([[0, 0, 1, 0], [0, 0, 0, 2]], max_size=2)
    array([[0, 0, 1, 2],
           [0, 0, 0, 3]])
    """
    as_integer(max_size, "max_size", 1, " cell, the largest area of a grain")
    domains, neighbours = _with_neighbours(labels, graph)
    pieces = _connected_pieces(domains, neighbours)
    small = np.bincount(pieces.ravel(), minlength=1) <= max_size
    small[0] = False
    small[np.unique(pieces[domains == -1])] = False
    numbers: np.ndarray = np.where(small, np.cumsum(small), 0)[pieces]
    return numbers


def boundary_length(
    labels: npt.ArrayLike | Tensor,
    *,
    pixel_size: float | tuple[float, float] = 1.0,
    grid: PatchGrid | None = None,
    graph: SiteGraph | None = None,
) -> float:
    r"""Return the total length of the walls between labels, by the Cauchy-Crofton formula.

    A curve's length is half the number of its crossings with all straight lines. Of these we take
    the rows, columns and both diagonals of the map, :math:`\pi/4` apart, spaced by 1 and by
    :math:`1/\sqrt 2` cells:

    .. math:: L = \frac{\pi}{8} \Big( n_\mathrm{row} + n_\mathrm{col}
        + \frac{n_\mathrm{diagonal} + n_\mathrm{antidiagonal}}{\sqrt 2} \Big),

    where each n counts the pairs of unequal neighbours along that direction. On a graph, the
    lines are the edges, which the faces of the sites' Voronoi cells stand on:

    .. math:: L = \frac{\pi}{4} \sum_{ij} w_{ij} d_{ij},

    the sum of the lengths of all faces between unequal sites, corrected for the zigzag of a
    straight wall along faces, on average over all directions.

    Parameters
    ----------
    labels
        Domains, shape (rows, cols), whole numbers.
    pixel_size
        Size of a pixel of the image, or its height and width, nm; with `grid` or `graph`. Of
        labels alone, a cell counts as a pixel.
    grid
        The patches that have these labels, whose steps, or lattice vectors, are the cell's edges.
    graph
        Of sites without a lattice, which are neighbours, and where: ``grid.graph``. Its weights
        must be those of `SiteGraph.delaunay`.

    Returns
    -------
    length
        In the unit of `pixel_size`, >= 0; with a graph and without one, px. The border of the
        map is no wall. A straight wall reads
        5.2 % short along rows, columns and diagonals, up to 2.6 % long in between; the
        average over all directions is exact, as is, nearly, a circle. Weights that are exact
        along rows, columns and diagonals would read a circle 5 % long. A wall that runs into cells
        without a patch, -1, reads short by up to a cell. Among scattered
        sites, walls some 50 spacings long read right within 10 %, on average within 3 %, and
        short by a spacing at the border; along a row of a square lattice, 21 % short.

    Raises
    ------
    ValueError
        If `labels` has other axes, values that are not whole numbers, or not the graph's sites;
        if `pixel_size` is not a positive number.

    References
    ----------
    Boykov & Kolmogorov (2003), Computing geodesics and minimal surfaces via graph cuts, ICCV,
    26-33 (the weights of the four directions). At the border we differ: the map goes on as its
    mirror image, so that a wall that runs into the border keeps its full length.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> halves = np.repeat([[0, 0, 1, 1]], 10, axis=0)  # one wall, 10 cells long
    >>> round(phyvae.boundary_length(halves, pixel_size=0.5), 2)
    4.74
    """
    sides = sides_of(pixel_size)
    if grid is not None:
        return fsum(wall_lengths(grid, labels_of(grid, labels), sides).values())
    vectors = np.diag(sides / sides[0])
    if graph is not None and sides[0] != sides[1]:
        graph = SiteGraph.delaunay(graph.sites.cpu().numpy() @ vectors)
    domains, neighbours = _with_neighbours(labels, graph, diagonals=True, vectors=vectors)
    # fsum, so that the length does not depend on the order of the cells.
    return float(sides[0]) * fsum(_across_walls(domains, neighbours).weights)


def wall_length_ratio(
    labels: npt.ArrayLike | Tensor,
    truth: npt.ArrayLike | Tensor,
    *,
    graph: SiteGraph | None = None,
) -> float:
    """Return the length of the walls found over that of the true walls.

    Parameters
    ----------
    labels
        Domains found, shape (rows, cols), whole numbers.
    truth
        True domains, the same shape.
    graph
        Of sites without a lattice, which are neighbours: ``grid.graph``.

    Returns
    -------
    ratio
        >= 0, dimensionless; 1 is right, more means noisy walls and spurious islands, less means
        merged domains.

    Raises
    ------
    ValueError
        If the shapes differ, if labels are not whole numbers, or if `truth` has no wall, as the
        ratio then is not defined.

    Examples
    --------
    >>> import phyvae
    >>> phyvae.wall_length_ratio([[0, 1, 0, 1]], [[0, 0, 1, 1]])
    3.0
    """
    found, true = as_label_map(labels), as_label_map(truth, "truth")
    if found.shape != true.shape:
        raise ValueError(
            f"labels of shape {found.shape} and truth of shape {true.shape} must label the same "
            "cells; PatchGrid.sample brings a true image onto the grid."
        )
    missing = (found == -1) | (true == -1)
    length = boundary_length(np.where(missing, -1, true), graph=graph)
    if length == 0:
        raise ValueError(
            "truth is one domain without a wall, so the ratio is not defined; compare "
            "boundary_length(labels) with 0 instead."
        )
    return boundary_length(np.where(missing, -1, found), graph=graph) / length


def wall_lengths(
    grid: PatchGrid, labels: Int[np.ndarray, "rows cols"], scale: Float[np.ndarray, "2"]
) -> dict[tuple[int, int], float]:
    """Return the length of the walls between each two labels in contact, as `boundary_length`.

    Parameters
    ----------
    grid
        The patches, whose places in the image count: steps or lattice vectors that differ too.
    labels
        Checked labels, -1: no patch.
    scale
        Height and width of a pixel, in the unit of the lengths.
    """
    check_places(grid)
    vectors, graph = cell_vectors(grid), grid.graph
    if graph is not None:
        graph = SiteGraph.delaunay(graph.sites.cpu().numpy() * scale)
    across = _across_walls(
        labels,
        neighbours_of(
            labels.shape,
            labels != -1,
            graph,
            diagonals=True,
            vectors=None if vectors is None else vectors * scale,
        ),
    )
    flat, weights = labels.ravel(), across.weights
    both = np.sort(np.stack([flat[across.first], flat[across.second]], 1), axis=1)
    return {
        (int(one), int(two)): fsum(weights[(both == (one, two)).all(1)])
        for one, two in np.unique(both, axis=0)
    }


def _with_neighbours(
    labels: npt.ArrayLike | Tensor, graph: Any, *, diagonals: bool = False, vectors: Any = None
) -> tuple[Int[np.ndarray, "..."], Neighbours]:
    """Return checked labels and the pairs of neighbouring cells that hold a patch."""
    domains = as_labels(labels)
    there = domains != -1
    return domains, neighbours_of(
        domains.shape, there, graph, diagonals=diagonals, vectors=vectors
    )


def _across_walls(domains: Int[np.ndarray, "..."], neighbours: Neighbours) -> Neighbours:
    """Return the neighbours that have unequal labels."""
    flat = domains.ravel()
    return neighbours.where(flat[neighbours.first] != flat[neighbours.second])


def _connected_pieces(
    domains: Int[np.ndarray, "..."], neighbours: Neighbours
) -> Int[np.ndarray, "..."]:
    """Number the connected pieces of one label from 1, in the order of the cells."""
    flat = domains.ravel()
    within = neighbours.where(flat[neighbours.first] == flat[neighbours.second])
    # SciPy 1.11 finds the pieces with indices of 32 bits only.
    ends = within.first.astype(np.int32), within.second.astype(np.int32)
    joined = coo_array((np.ones(len(within)), ends), shape=2 * flat.shape)
    numbers: np.ndarray = connected_components(joined, directed=False)[1] + 1
    return numbers.reshape(domains.shape)
