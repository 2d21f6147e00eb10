"""Pairs of neighbouring cells of a map: on a raster, with or without a mask, or on a graph."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from .graph import SiteGraph

__all__ = ["Neighbours", "neighbours_of"]

_STRAIGHT = ((0, 1), (1, 0))  # (row, column) from a cell to its neighbour
_DIAGONAL = ((1, 1), (1, -1))


@dataclass(frozen=True)
class Neighbours:
    r"""Pairs of neighbouring cells, each pair once.

    Attributes
    ----------
    first, second
        Flat positions ``i * cols + j`` of the two cells of each pair in the map, shape (pairs,).
    lengths
        Distance of the two cells, shape (pairs,): cells on a raster, px on a graph.
    weights
        Length of the wall between the two cells if they belong to different domains, shape
        (pairs,), >= 0, by the Cauchy-Crofton formula: the sum over all pairs of unequal labels
        is the length of the walls in the unit of `lengths`.
    count
        Number of cells of the map.
    """

    first: Int[np.ndarray, " pairs"]
    second: Int[np.ndarray, " pairs"]
    lengths: Float[np.ndarray, " pairs"]
    weights: Float[np.ndarray, " pairs"]
    count: int

    def __len__(self) -> int:
        return len(self.first)

    def where(self, which: Bool[np.ndarray, " pairs"]) -> "Neighbours":
        """Return some of the pairs, of the same map."""
        ends = self.first[which], self.second[which]
        return Neighbours(*ends, self.lengths[which], self.weights[which], self.count)

    def sums(self, values: Shaped[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
        """Return for each cell the sum of its neighbours' values; one value per cell."""
        flat = np.asarray(values, dtype=np.float64).ravel()
        total: np.ndarray = np.bincount(self.first, flat[self.second], self.count)
        total = total + np.bincount(self.second, flat[self.first], self.count)
        return total.reshape(np.shape(values))


def neighbours_of(
    shape: tuple[int, ...],
    mask: Bool[np.ndarray, "..."] | None = None,
    graph: SiteGraph | None = None,
    *,
    diagonals: bool = False,
    name: str = "labels",
) -> Neighbours:
    r"""Return the pairs of neighbouring cells of a map.

    Parameters
    ----------
    shape
        (rows, cols) of the map; with a graph of n sites (n,) or (1, n).
    mask
        Which cells hold a patch, of that shape; pairs with another cell are left out. The default
        is all.
    graph
        Of sites without a lattice, which are neighbours: ``grid.graph``; ``None`` on a raster.
    diagonals
        ``False``: cells that share an edge, four around each on a raster; on a graph, sites whose
        Voronoi cells share a face (pairs of weight > 0). ``True``: also those that share a corner
        only, eight around each on a raster; on a graph, all pairs.
    name
        Name of the map in the errors.

    Returns
    -------
    Neighbours
        On a raster, a wall crosses straight pairs with weight :math:`\pi/4`; with `diagonals`,
        straight ones with :math:`\pi/8` and diagonal ones with :math:`\pi/8\sqrt 2`, where
        straight pairs at the border also count for the diagonal ones that the map's mirror image
        would add. On a graph the weight is :math:`\pi/4` times the length of the face.

    Raises
    ------
    TypeError
        If `graph` is no `SiteGraph`.
    ValueError
        If `shape` is not that of a map, or of the graph's sites.
    """
    if graph is None:
        if len(shape) != 2:
            raise ValueError(f"{name} of shape {tuple(shape)} must have the axes (rows, cols).")
        pairs = _on_raster(shape[0], shape[1], diagonals)
    else:
        pairs = _on_graph(shape, graph, diagonals, name)
    if mask is None:
        return pairs
    there = np.asarray(mask).ravel()
    return pairs.where(there[pairs.first] & there[pairs.second])


def _on_raster(rows: int, cols: int, diagonals: bool) -> Neighbours:
    """Return the pairs of a raster, direction by direction."""
    numbers = np.arange(rows * cols).reshape(rows, cols)
    first, second, lengths, weights = [], [], [], []
    for down, across in _STRAIGHT + (_DIAGONAL if diagonals else ()):
        left = slice(max(0, -across), cols - max(0, across))
        right = slice(max(0, across), cols - max(0, -across))
        one, other = numbers[: rows - down, left], numbers[down:, right]
        length = float(np.hypot(down, across))
        crossing = np.full(one.shape, np.pi / (8 if diagonals else 4) / length)
        if diagonals and length == 1:
            # Beyond each border, half a pair along either diagonal of the mirror image.
            along = crossing if across else crossing.T
            along[0] += np.pi / 8 / 2**0.5
            along[-1] += np.pi / 8 / 2**0.5
        first.append(one.ravel())
        second.append(other.ravel())
        lengths.append(np.full(one.size, length))
        weights.append(crossing.ravel())
    ends = np.concatenate(first), np.concatenate(second)
    return Neighbours(*ends, np.concatenate(lengths), np.concatenate(weights), rows * cols)


def _on_graph(shape: tuple[int, ...], graph: Any, diagonals: bool, name: str) -> Neighbours:
    """Return the pairs of a graph whose sites are the cells of a map."""
    if not isinstance(graph, SiteGraph):
        raise TypeError(f"graph={graph!r} must be a SiteGraph: grid.graph, or None for a raster.")
    if tuple(shape) not in ((len(graph),), (1, len(graph))):
        raise ValueError(
            f"{name} of shape {tuple(shape)} must be those of the graph's {len(graph)} sites, "
            f"shape (1, {len(graph)}); leave graph out for a raster."
        )
    first, second = graph.edges.cpu().numpy().T
    lengths = graph.lengths.double().cpu().numpy()
    weights = graph.weights.double().cpu().numpy()
    pairs = Neighbours(first, second, lengths, np.pi / 4 * weights * lengths, len(graph))
    return pairs if diagonals else pairs.where(weights > 0)
