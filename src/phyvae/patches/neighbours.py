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

    first, second: Flat positions ``i * cols + j`` of the two cells of each pair in the map, shape
        (pairs,).
    lengths: Distance of the two cells, shape (pairs,): cells on a raster, px on a graph.
    weights: Length of the wall between the two cells if they belong to different domains, shape
        (pairs,), >= 0, by the Cauchy-Crofton formula: the sum over all pairs of unequal labels is
        the length of the walls in the unit of `lengths`.
    count: Number of cells of the map.
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
    vectors: Float[np.ndarray, "2 2"] | None = None,
    name: str = "labels",
) -> Neighbours:
    r"""Return the pairs of neighbouring cells of a map.

    shape: (rows, cols) of the map; with a graph of n sites (n,) or (1, n).
    mask: Which cells hold a patch, of that shape; pairs with another cell are left out. The
        default is all.
    graph: Of sites without a lattice, which are neighbours: ``grid.graph``; ``None`` on a raster.
    diagonals: ``False``: cells that share an edge, four around each on a raster; on a graph, sites
        whose Voronoi cells share a face (pairs of weight > 0). ``True``: also those that share a
        corner only, eight around each on a raster; on a graph, all pairs.
    vectors: Steps from row to row and from column to column of a raster, in any unit; the default
        is a cell down and a cell to the right.
    name: Name of the map in the errors.

    Returns: On a raster, the weight of a step :math:`e` is :math:`A \Delta\varphi / 2|e|`, with
    the area A of a cell and half the angle :math:`\Delta\varphi` between the two directions next
    to it: :math:`\pi/4` for straight pairs; with `diagonals`, :math:`\pi/8`, and
    :math:`\pi/8\sqrt 2` for diagonal ones, where straight pairs at the border also count for the
    diagonal ones that the map's mirror image would add. On a graph the weight is
    :math:`\pi/4` times the length of the face.

    Raises TypeError if `graph` is no `SiteGraph`; ValueError if `shape` is not that of a map, or
    of the graph's sites.
    """
    if graph is None:
        if len(shape) != 2:
            raise ValueError(f"{name} of shape {tuple(shape)} must have the axes (rows, cols).")
        pairs = _on_raster(
            shape[0], shape[1], diagonals, np.eye(2) if vectors is None else vectors
        )
    else:
        pairs = _on_graph(shape, graph, diagonals, name)
    if mask is None:
        return pairs
    there = np.asarray(mask).ravel()
    return pairs.where(there[pairs.first] & there[pairs.second])


def _on_raster(
    rows: int, cols: int, diagonals: bool, vectors: Float[np.ndarray, "2 2"]
) -> Neighbours:
    """Return the pairs of a raster, direction by direction."""
    numbers = np.arange(rows * cols).reshape(rows, cols)
    first, second, lengths, weights = [], [], [], []
    steps = _STRAIGHT + (_DIAGONAL if diagonals else ())
    ways = np.array(steps) @ vectors
    crossings = _crossings(ways, float(abs(np.linalg.det(vectors))))
    for (down, across), way, weight in zip(steps, ways, crossings.tolist(), strict=True):
        left = slice(max(0, -across), cols - max(0, across))
        right = slice(max(0, across), cols - max(0, -across))
        one, other = numbers[: rows - down, left], numbers[down:, right]
        crossing = np.full(one.shape, weight)
        if diagonals and not (down and across):
            # Beyond each border, half a pair along either diagonal of the mirror image.
            along = crossing if across else crossing.T
            along[0] += crossings[2:].mean()
            along[-1] += crossings[2:].mean()
        first.append(one.ravel())
        second.append(other.ravel())
        lengths.append(np.full(one.size, np.hypot(*way)))
        weights.append(crossing.ravel())
    ends = np.concatenate(first), np.concatenate(second)
    return Neighbours(*ends, np.concatenate(lengths), np.concatenate(weights), rows * cols)


def _crossings(ways: Float[np.ndarray, "ways 2"], area: float) -> Float[np.ndarray, " ways"]:
    """Return the length of wall per crossing of each way, by the Cauchy-Crofton formula."""
    angles = np.arctan2(ways[:, 0], ways[:, 1]) % np.pi
    order = np.argsort(angles)
    around = np.concatenate([angles[order][-1:] - np.pi, angles[order], angles[order][:1] + np.pi])
    between = np.empty(len(ways))
    between[order] = (around[2:] - around[:-2]) / 2
    found: np.ndarray = area * between / (2 * np.hypot(*ways.T))
    return found


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
