"""Indexing of a lattice: its two vectors, and the row and column of every site."""

import heapq
import itertools
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from ..scans.cell import shortest_basis

__all__ = ["index_sites", "lattice_vectors", "straightened"]

Cells = Int[np.ndarray, "n 2"]
Which = Bool[np.ndarray, " n"]
Sites = Float[np.ndarray, "n 2"]  # (y, x), px
Steps = Float[np.ndarray, "steps 2"]  # (y, x) from one site to another, px
Vectors = Float[np.ndarray, "2 2"]  # the step from row to row, that from column to column

_TOLERANCE = 0.3  # of the shorter vector: how far from a lattice point a neighbour may lie
_PLACES = 16  # where a lattice is looked for
_AROUND = (60, 25)  # in how many sites each: fewer, if it bends much
_FARTHEST = 3  # lattice steps over which a hole may be crossed
_BEYOND = (60, 9, 0.2, 0.75)  # sites extrapolated from, and to; how many must be how near, of size
_OBLIQUE = 0.35  # of 0.5, from where the diagonal of a cell is about as short as its long edge
_ALIKE = 0.05  # radians, by which axes that are mirror images may differ


def lattice_vectors(sites: Sites) -> Vectors:
    """Return the two shortest steps that repeat between sites: from row to row, col to col.

    Steps to near neighbours crowd around lattice points, however many sites are missing or
    false, and the crowds are found by their density. This is done in several places, since a
    lattice that bends smears them out over the whole image; the place with the clearest lattice
    counts. Of the shortest steps, that which points down most leads from row to row, that to the
    right most from column to column.
    """
    from scipy.spatial import cKDTree

    # From the middle outwards, so that a mirrored image has the mirrored places.
    outwards = np.argsort(np.hypot(*(sites - sites.mean(0)).T), kind="stable")
    tree, best, chosen = cKDTree(sites), 0.0, None
    places = outwards[np.unique(np.linspace(0, len(sites) - 1, _PLACES).astype(int))]
    for centre, count in itertools.product(places, _AROUND):
        _, around = tree.query(sites[centre], min(count, len(sites)))
        near = min(12, len(around) - 1)
        steps = _near_steps(sites[around], near)
        vectors = _shortest(steps, near)
        if vectors is None:
            continue
        jumps, misfit = _jumps(steps, vectors, _size(vectors))
        fit = float(
            (np.clip(1 - misfit / _TOLERANCE, 0, None) * (np.abs(jumps).max(1) == 1)).sum()
        )
        if fit / len(steps) > best + 1e-6:
            best, chosen = fit / len(steps), vectors
    if chosen is None:
        raise ValueError(
            "sites have no lattice: no steps to neighbours repeat along two directions; give "
            "vectors=((y, x) from row to row, (y, x) from column to column), px, or pass "
            "lattice=False."
        )
    return chosen


def _near_steps(sites: Sites, near: int) -> Steps:
    """Return the displacements to the nearest neighbours, site by site, and their opposites."""
    from scipy.spatial import cKDTree

    _, neighbour = cKDTree(sites).query(sites, near + 1)
    steps = (sites[neighbour[:, 1:]] - sites[:, None]).reshape(-1, 2)
    return np.concatenate([steps, -steps])


def _shortest(steps: Steps, near: int) -> Vectors | None:
    """Return the lattice vectors of steps, or None if these crowd along one direction only."""
    nearest = np.hypot(*steps.T).reshape(2, -1, near)[0].min(1)  # of each site
    crowds = _crowds(steps, 0.2 * float(np.median(nearest)))
    across = np.abs(_cross(crowds, crowds[0])) / (np.hypot(*crowds.T) * np.hypot(*crowds[0]))
    if not (across > 0.3).any():
        return None
    return _oriented(*shortest_basis(crowds[0], crowds[across > 0.3][0]))


def _size(vectors: Vectors) -> float:
    """Return the length of the shorter vector, px."""
    return float(np.hypot(*vectors.T).min())


def index_sites(sites: Sites, vectors: Vectors) -> tuple[Cells, Which]:
    """Return each site's (row, column), and which sites have one.

    The indices spread from neighbour to neighbour, most certain first. Every site that is
    reached hands on the vectors of its own neighbourhood, so that a slow drift or bend of the
    lattice does not add up. An island beyond a gap continues it, if its sites lie where the
    lattice before the gap has its points. A site between lattice points fits none; of two sites
    on one lattice point, the one that fits better gets it.
    """
    start, flat = _neighbours(sites)
    size = _size(vectors)
    index, fits = np.zeros((len(sites), 2), np.int64), np.zeros(len(sites), bool)
    taken: set[tuple[int, int]] = set()
    order = itertools.count()  # of equal costs, the first comes first; arrays do not compare
    heap = [(0.0, next(order), _seed(sites, vectors, start, flat, size), (0, 0), vectors)]
    tried = np.zeros(len(sites), bool)
    while heap or (island := _island(sites, index, fits, tried, size)) is not None:
        if not heap:
            assert island is not None
            heap = [(0.0, next(order), *island)]
        _, _, site, cell, parent = heapq.heappop(heap)
        if fits[site] or cell in taken:
            continue
        taken.add(cell)
        index[site], fits[site] = cell, True
        others = flat[start[site] : start[site + 1]]
        ways = sites[others] - sites[site]
        local = _local(ways, parent, size)
        jumps, misfit = _jumps(ways, local, size)
        far = np.abs(jumps).max(1)
        for k in np.nonzero((misfit < _TOLERANCE) & (far > 0) & (far <= _FARTHEST))[0]:
            there = (cell[0] + int(jumps[k, 0]), cell[1] + int(jumps[k, 1]))
            if not fits[others[k]] and there not in taken:
                # A step across a hole waits until no unit step is left.
                cost = float(far[k] - 1 + misfit[k])
                heapq.heappush(heap, (cost, next(order), int(others[k]), there, local))
    return index, fits


def _neighbours(sites: Sites) -> tuple[np.ndarray, np.ndarray]:
    """Return the neighbours of all sites in a row, after where those of each begin."""
    from scipy.spatial import Delaunay, QhullError, cKDTree

    try:
        start, flat = Delaunay(sites).vertex_neighbor_vertices
    except QhullError:  # all on one line
        flat = cKDTree(sites).query(sites, 3)[1][:, 1:].ravel()
        start = 2 * np.arange(len(sites) + 1)
    return start, flat


def _island(
    sites: Sites, index: Cells, fits: Which, tried: Which, size: float
) -> tuple[int, tuple[int, int], Vectors] | None:
    """Return a site beyond a gap in the lattice, its cell, and the vectors before the gap.

    Each site is `tried` once, the nearest first.
    """
    from scipy.spatial import cKDTree

    before, after, near, most = _BEYOND
    done, left = np.flatnonzero(fits), np.flatnonzero(~fits)
    if not len(left) or len(done) < 4:
        return None
    known, others = cKDTree(sites[done]), cKDTree(sites[left])
    for k in np.argsort(known.query(sites[left])[0], kind="stable"):
        site = int(left[k])
        around = others.query_ball_point(sites[site], _FARTHEST * size)
        if tried[site] or len(around) < after // 2:
            continue
        tried[site] = True
        by = done[np.atleast_1d(known.query(sites[site], min(before, len(done)))[1])]
        cells = np.hstack([index[by], np.ones((len(by), 1))])
        fitted = np.linalg.lstsq(cells, sites[by], rcond=None)[0]
        away = np.hypot(*(sites[left[around]] - sites[site]).T)
        nearest = sites[left[np.array(around)[np.argsort(away, kind="stable")[:after]]]]
        jumps, misfit = _jumps(nearest - fitted[2], fitted[:2], size)
        if (misfit < near).mean() > most:
            return site, (int(jumps[0, 0]), int(jumps[0, 1])), fitted[:2]
    return None


def straightened(sites: Sites, index: Cells) -> tuple[Cells, Vectors]:
    """Return indices along the axes that suit all sites best, and the mean vectors.

    `lattice_vectors` sees one place, where a bent lattice may lean another way than it does on
    the whole.
    """
    ones = np.ones((len(index), 1))
    mean = np.linalg.lstsq(np.hstack([index, ones]), sites, rcond=None)[0][:2]
    vectors = _oriented(*shortest_basis(mean[0], mean[1]))
    change = np.rint(np.linalg.inv(vectors @ np.linalg.inv(mean))).astype(np.int64)
    return index @ change, vectors


def _jumps(ways: Steps, vectors: Vectors, size: float) -> tuple[np.ndarray, np.ndarray]:
    """Return displacements in whole lattice steps, and how far they are off, in units of size."""
    jumps = np.rint(ways @ np.linalg.inv(vectors))
    return jumps.astype(np.int64), np.hypot(*(ways - jumps @ vectors).T) / size


def _local(ways: Steps, parent: Vectors, size: float) -> Vectors:
    """Fit the vectors to the unit steps around a site, held by those it was reached with."""
    jumps, misfit = _jumps(ways, parent, size)
    unit = (misfit < _TOLERANCE) & (np.abs(jumps).max(1) == 1)
    steps = jumps[unit].astype(float)
    # Two steps' worth of trust in the parent: noise of a single site bends nothing.
    normal = steps.T @ steps + 2 * np.eye(2)
    return np.asarray(np.linalg.solve(normal, steps.T @ ways[unit] + 2 * parent))


def _seed(sites: Sites, vectors: Vectors, start: np.ndarray, flat: np.ndarray, size: float) -> int:
    """Return the site whose neighbourhood is most like the lattice."""
    owner = np.repeat(np.arange(len(sites)), np.diff(start))
    jumps, misfit = _jumps(sites[flat] - sites[owner], vectors, size)
    good = np.where(np.abs(jumps).sum(1) == 1, np.clip(1 - misfit / _TOLERANCE, 0, None), 0)
    return int(np.bincount(owner, good, len(sites)).argmax())


def _crowds(steps: Steps, radius: float) -> Float[np.ndarray, "crowds 2"]:
    """Return where steps crowd, the shortest first."""
    from scipy.spatial import cKDTree

    cloud = cKDTree(steps)
    count = cloud.query_ball_point(steps, radius, return_length=True)
    free, crowds = np.ones(len(steps), bool), []
    for peak in np.argsort(-count, kind="stable"):
        if count[peak] < 0.3 * count.max():
            break
        if not free[peak]:
            continue
        place = steps[peak]
        for _ in range(5):  # to the mean of the crowd
            place = steps[cloud.query_ball_point(place, radius)].mean(0)
        free[cloud.query_ball_point(place, 2 * radius)] = False
        free[cloud.query_ball_point(steps[peak], radius)] = False
        crowds.append(place)
    found = np.array(crowds)
    return found[np.argsort(np.hypot(*found.T), kind="stable")]


def _oriented(a: np.ndarray, b: np.ndarray) -> Vectors:
    """Choose the axes among the short vectors: rows run down, columns to the right."""
    along = float(a @ b) / min(float(a @ a), float(b @ b))
    third = [a - np.sign(along) * b] if abs(along) > _OBLIQUE else []
    short = [a, b, *third]
    pairs = []
    for row, col in itertools.permutations(short, 2):
        row, col = row * (1 if row[0] >= 0 else -1), col * (1 if col[1] >= 0 else -1)
        turned = np.arctan2(abs(row[1]), row[0]) + np.arctan2(abs(col[0]), col[1])
        pairs.append((float(turned), np.stack([row, col])))
    least = min(turned for turned, _ in pairs)
    # Of two that are nearly mirror images, that which leans down and to the right.
    alike = [pair for turned, pair in pairs if turned < least + _ALIKE]
    return max(alike, key=lambda pair: float((np.diag(pair[:, ::-1]) / np.hypot(*pair.T)).sum()))


def _cross(vectors: np.ndarray, other: np.ndarray) -> Any:
    return vectors[..., 0] * other[1] - vectors[..., 1] * other[0]
