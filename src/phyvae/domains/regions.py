"""Regions of smooth maps: clusters of their values, without the pieces that no patch fits into."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt, find_objects, maximum
from skimage.measure import label
from sklearn.cluster import KMeans

from .walls import boundaries

__all__ = ["clusters", "connected", "surroundings", "without_thin"]

_FITTED = 2_000  # cells that the centres are fitted to
_STARTS = 3
_ASTRIDE = 0.6  # share of a piece's cells within a patch of the wall that is left without it

Labels = Int[np.ndarray, "rows cols"]
Cells = Bool[np.ndarray, "rows cols"]


def clusters(maps: Float[np.ndarray, "channels rows cols"], number: int, seed: int) -> Labels:
    """Return k-means clusters of the cells' values, as a map of labels."""
    values = maps.reshape(len(maps), -1).T
    few = values[:: 1 + len(values) // _FITTED]
    found = KMeans(number, n_init=_STARTS, random_state=seed).fit(few).predict(values)
    labels: np.ndarray = found.reshape(maps.shape[1:]).astype(np.int64)
    return labels


def connected(labels: Labels) -> Labels:
    """Number the connected pieces of equal label, from 1."""
    pieces: np.ndarray = label(labels, background=-1, connectivity=1)
    return pieces


def without_thin(labels: Labels, wall: float) -> Labels:
    """Return the labels without the pieces that hold no patch; their cells take the nearest.

    Such a piece is smaller than a patch with its wall, or it lies astride a wall: without it,
    two other domains meet within it, so that its patches see both.
    """
    pieces = connected(labels)
    small = np.bincount(pieces.ravel())[pieces] < (wall + 1) ** 2
    if small.all():
        return np.zeros_like(labels)
    labels = _filled(labels, small)
    while (astride := _first_astride(labels, wall)) is not None:
        labels = _filled(labels, astride)
    return labels


def surroundings(window: tuple[slice, ...], margin: float) -> tuple[slice, ...]:
    """Return a window that is larger on all sides."""
    more = int(np.ceil(margin))
    return tuple(slice(max(0, part.start - more), part.stop + more) for part in window)


def _first_astride(labels: Labels, wall: float) -> Cells | None:
    """Return the cells of the smallest piece that lies astride a wall, if any does."""
    pieces = connected(labels)
    sizes = np.bincount(pieces.ravel())
    depth = distance_transform_edt(~boundaries(labels))
    thin = np.flatnonzero(maximum(depth, pieces, np.arange(len(sizes))) <= 2 * wall)
    boxes = find_objects(pieces)
    for piece in sorted(set(thin) - {0}, key=lambda one: (sizes[one], one)):
        window = surroundings(boxes[piece - 1], wall + 2)
        cells = pieces[window] == piece
        if cells.all():
            continue
        at_wall = boundaries(_filled(labels[window], cells))
        distance = distance_transform_edt(~at_wall)[cells] + 0.5
        if at_wall.any() and (distance <= wall).mean() >= _ASTRIDE:
            return pieces == piece
    return None


def _filled(labels: Labels, cells: Cells) -> Labels:
    nearest = distance_transform_edt(cells, return_distances=False, return_indices=True)
    found: np.ndarray = labels[tuple(nearest)]
    return found
