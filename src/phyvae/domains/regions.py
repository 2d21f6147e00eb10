"""Regions of smooth maps: clusters of their values, without the pieces that no patch fits into."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import distance_transform_edt, find_objects, maximum, uniform_filter
from skimage.measure import label
from sklearn.cluster import KMeans

__all__ = ["at_walls", "clusters", "connected", "surroundings", "touching", "without_thin"]

_FITTED = 2_000  # cells that the centres are fitted to
_STARTS = 3
_TRANSITION = 0.6  # share of a piece's cells within a patch of the wall that is left without it

Labels = Int[np.ndarray, "rows cols"]
Cells = Bool[np.ndarray, "rows cols"]


def clusters(maps: Float[np.ndarray, "channels rows cols"], number: int, seed: int) -> Labels:
    """Return k-means clusters of the cells' values, as a map of labels."""
    values = maps.reshape(len(maps), -1).T
    few = values[:: 1 + len(values) // _FITTED]
    number = min(number, len(np.unique(few, axis=0)))
    found = KMeans(number, n_init=_STARTS, random_state=seed).fit(few).predict(values)
    return np.asarray(found.reshape(maps.shape[1:]).astype(np.int64))


def connected(labels: Labels) -> Labels:
    """Number the connected pieces of equal label, from 1."""
    return np.asarray(label(labels, background=-1, connectivity=1))


def at_walls(labels: Labels) -> Cells:
    """Mark the cells on both sides of each wall."""
    found = np.zeros(labels.shape, dtype=bool)
    for here, there in _sides():
        differ = labels[here] != labels[there]
        found[here] |= differ
        found[there] |= differ
    return found


def touching(pieces: Labels) -> list[tuple[int, int]]:
    """Return the pairs of pieces that share a wall, the smaller number first."""
    pairs = []
    for here, there in _sides():
        differ = pieces[here] != pieces[there]
        pairs.append(np.stack([pieces[here][differ], pieces[there][differ]]))
    both = np.unique(np.sort(np.concatenate(pairs, axis=1), axis=0), axis=1)
    return [(int(one), int(two)) for one, two in both.T]


def without_thin(labels: Labels, wall: float) -> Labels:
    """Return the labels without the pieces that hold no patch; their cells take the nearest.

    Such a piece is less than two patches wide both ways, or it is the transition at a wall:
    without it, two other domains meet within it, so that its patches see both.
    """
    pieces = connected(labels)
    small = np.bincount(pieces.ravel())[pieces] < (2 * wall) ** 2
    if small.all():
        return np.zeros_like(labels)
    labels = _filled(labels, small)
    while (transitions := _transitions(labels, wall)).any():
        labels = _filled(labels, transitions)
    return labels


def without_specks(labels: Labels, wall: float) -> Labels:
    """Return the label that most cells have, within half a patch of each."""
    kinds = np.unique(labels)
    width = 2 * round(wall / 2) + 1
    shares = [uniform_filter((labels == kind).astype(np.float32), width) for kind in kinds]
    return np.asarray(kinds[np.argmax(shares, axis=0)])


def surroundings(window: tuple[slice, ...], margin: float) -> tuple[slice, ...]:
    """Return a window that is larger on all sides."""
    more = int(np.ceil(margin))
    return tuple(slice(max(0, part.start - more), part.stop + more) for part in window)


def _transitions(labels: Labels, wall: float) -> Cells:
    """Return the cells of transitions: of the smallest, and of others that touch none of these."""
    pieces = connected(labels)
    sizes, boxes = np.bincount(pieces.ravel()), find_objects(pieces)
    depth = maximum(distance_transform_edt(~at_walls(pieces)), pieces, np.arange(len(sizes)))
    neighbours: dict[int, set[int]] = {}
    for one, two in touching(pieces):
        neighbours.setdefault(one, set()).add(two)
        neighbours.setdefault(two, set()).add(one)
    thin = [piece for piece in neighbours if depth[piece] <= 2 * wall]
    found, left = [], set(neighbours)
    for piece in sorted(thin, key=lambda one: (sizes[one], one)):
        if piece in left and len(neighbours[piece]) > 1:
            window = surroundings(boxes[piece - 1], wall + 2)
            if _is_transition(labels[window], pieces[window] == piece, wall):
                found.append(piece)
                left -= neighbours[piece]
    return np.isin(pieces, found)


def _is_transition(labels: Labels, cells: Cells, wall: float) -> bool:
    if cells.all():
        return False
    wall_left = at_walls(_filled(labels, cells))
    distance = distance_transform_edt(~wall_left)[cells] + 0.5
    return bool(wall_left.any() and (distance <= wall).mean() >= _TRANSITION)


def _filled(labels: Labels, cells: Cells) -> Labels:
    """Return the labels, with the nearest of the others in some cells."""
    nearest = distance_transform_edt(cells, return_distances=False, return_indices=True)
    return np.asarray(labels[tuple(nearest)])


def _sides() -> tuple[tuple[tuple[slice, ...], tuple[slice, ...]], ...]:
    """Return the cells that have a neighbour below, and it; to the right, and it."""
    every, first, last = slice(None), slice(None, -1), slice(1, None)
    return ((first, every), (last, every)), ((every, first), (every, last))
