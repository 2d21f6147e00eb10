"""The profile of maps across a wall: how steep they are at it, and how steep far from it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import (
    binary_dilation,
    correlate1d,
    distance_transform_edt,
    find_objects,
    gaussian_filter,
)

from .regions import at_walls, surroundings, touching

__all__ = ["WallProfile", "edge_magnitude", "edge_ratio", "profiles"]

_DEEP = 1.5  # patches from the wall
_REACH = 3  # patches from a wall, up to which its surroundings count

Maps = Float[np.ndarray, "channels rows cols"]
Gradients = Float[np.ndarray, "2 channels rows cols"]
Pieces = Int[np.ndarray, "rows cols"]
Cells = Bool[np.ndarray, "rows cols"]


@dataclass(frozen=True)
class WallProfile:
    """The wall between two pieces.

    pieces: Their numbers.
    contrast: Mean edge magnitude at the wall over that further than a patch from it. 0 where a
        piece is less than 1.5 patches deep, or most of the wall is in cells that do not count: no
        test can rely on it; NaN if such a wall is short.
    ramp: Mean slope across the wall further than a patch from it, over that at the wall: 0 for a
        step that patches blur, 1 for an even slope; NaN as above.
    edge: Mean edge magnitude at the wall.
    """

    pieces: tuple[int, int]
    contrast: float
    ramp: float
    edge: float


def edge_magnitude(maps: Maps) -> Float[np.ndarray, "rows cols"]:
    """Return the Scharr edge magnitude of all channels together."""
    return _magnitude(_gradients(maps))


def edge_ratio(
    edges: Float[np.ndarray, "rows cols"], at_wall: Cells, wall: float, known: Cells
) -> float:
    """Return the mean edge magnitude at walls over that further than a patch from all walls.

    It is 1 where no cell is far from a wall, or none at one.
    """
    near, far = at_wall & known, (distance_transform_edt(~at_wall) > wall) & known
    if not near.any() or not far.any():
        return 1.0
    return _over(edges[near], edges[far])


def profiles(maps: Maps, pieces: Pieces, wall: float, known: Cells) -> list[WallProfile]:
    """Return the profile of each wall between two pieces, numbered from 1.

    maps: Maps, smoothed by half a patch.
    pieces: Connected pieces.
    wall: Size of a patch, cells.
    known: Which cells count.
    """
    gradients, walls, boxes = _gradients(maps), at_walls(pieces), find_objects(pieces)
    found = []
    for pair in touching(pieces):
        one, two = (surroundings(boxes[piece - 1], 1) for piece in pair)
        both = tuple(
            slice(max(a.start, b.start), min(a.stop, b.stop))
            for a, b in zip(one, two, strict=True)
        )
        near = surroundings(both, _REACH * wall + 2)
        first, second = (pieces[near] == piece for piece in pair)
        contrast, ramp, edge = _profile(
            maps[:, *near], gradients[:, :, *near], first, second, walls[near], wall, known[near]
        )
        found.append(WallProfile(pair, contrast, ramp, edge))
    return found


def _profile(
    maps: Maps,
    gradients: Gradients,
    first: Cells,
    second: Cells,
    walls: Cells,
    wall: float,
    known: Cells,
) -> tuple[float, float, float]:
    """Return contrast, ramp and edge of the wall between two pieces."""
    at_wall = (first & binary_dilation(second)) | (second & binary_dilation(first))
    distance, elsewhere = _distance(at_wall), _distance(walls & ~at_wall)
    edges = _magnitude(gradients)
    edge = float(edges[at_wall].mean())
    own = (first | second) & (distance < elsewhere) & (elsewhere > wall) & known
    near, far = own & at_wall, own & (distance > wall) & (distance <= _REACH * wall)
    deep = (distance >= _DEEP * wall) & known
    room = min((deep & first).sum(), (deep & second).sum()) >= 3
    room &= bool((at_wall & known).sum() >= at_wall.sum() / 2)
    if not room or not all(cells.any() for cells in (near, far & first, far & second)):
        return (np.nan, np.nan, edge) if at_wall.sum() <= 2 * wall + 2 else (0.0, 1.0, edge)
    change = maps[:, far & first].mean(axis=1) - maps[:, far & second].mean(axis=1)
    along_change = np.tensordot(gradients, change, (1, 0))
    slope = (along_change * _normals(first, second, wall)).sum(axis=0)
    at, off = float(slope[near].mean()), float(slope[far].mean())
    return _over(edges[near], edges[far]), off / at if at > 0 else 1.0, edge


def _normals(first: Cells, second: Cells, wall: float) -> Float[np.ndarray, "2 rows cols"]:
    """Return the direction from the second piece to the first, in every cell."""
    signed = distance_transform_edt(~second) - distance_transform_edt(~first)
    reach = _REACH * wall + 2
    ascent = _gradients(gaussian_filter(np.clip(signed, -reach, reach), 1)[None])[:, 0]
    return np.asarray(ascent / np.maximum(np.linalg.norm(ascent, axis=0), 1e-9))


def _distance(cells: Cells) -> Float[np.ndarray, "rows cols"]:
    if not cells.any():
        return np.full(cells.shape, np.inf)
    return np.asarray(distance_transform_edt(~cells))


def _gradients(maps: Maps) -> Gradients:
    """Return Scharr gradients along rows and columns, per cell."""
    found = []
    for along, across in ((1, 2), (2, 1)):
        smooth = correlate1d(maps, np.array([3, 10, 3]) / 16, across, mode="nearest")
        found.append(correlate1d(smooth, np.array([-0.5, 0, 0.5]), along, mode="nearest"))
    return np.stack(found)


def _magnitude(gradients: Gradients) -> Float[np.ndarray, "rows cols"]:
    return np.asarray(np.sqrt(np.square(gradients).sum(axis=(0, 1))))


def _over(near: Float[np.ndarray, " n"], far: Float[np.ndarray, " m"]) -> float:
    """Return the ratio of the means, at most 1000."""
    top, bottom = float(near.mean()), float(far.mean())
    return top / max(bottom, 1e-3 * top) if top > 0 else 1.0
