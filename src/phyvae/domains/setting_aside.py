"""Cells of a map that are unlike all that surrounds them: dead scan lines and single cells."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt

__all__ = ["filled", "noise_of", "unlike_neighbours"]

_LINE = 4.0  # noise standard deviations of a cell, by which a line differs on both of its sides
_CELL = 8.0  # the same, by which a cell differs from each of the eight around it
_LEAST = 1e-3  # of a map's standard deviation: its least noise


def noise_of(
    maps: Float[np.ndarray, "channels rows cols"], patches: Bool[np.ndarray, "rows cols"]
) -> Float[np.ndarray, " channels"]:
    """Return the noise of each map: a robust standard deviation of differences of neighbours."""
    found = []
    for one in maps:
        steps = [
            np.abs(np.diff(one, axis=axis)[_pairs(patches, axis)]) / 2**0.5 for axis in (0, 1)
        ]
        middle = [1.4826 * np.median(step) for step in steps if step.size]
        found.append(max([*middle, _LEAST * float(one[patches].std())]))
    return np.array(found)


def unlike_neighbours(
    maps: Float[np.ndarray, "channels rows cols"],
    patches: Bool[np.ndarray, "rows cols"],
    noise: Float[np.ndarray, " channels"],
) -> tuple[list[int], list[int], Bool[np.ndarray, "rows cols"]]:
    """Return the rows, the columns and the cells that are unlike their neighbours.

    A line stands out to the same side of the lines before and after it; a pair of lines does so,
    too. A wall does not: there, the lines of one side are alike. Cells are those not in a line.
    """
    scaled = np.where(patches, maps / noise[:, None, None], np.nan)
    rows, cols = _lines(scaled), _lines(scaled.transpose(0, 2, 1))
    kept = patches.copy()
    kept[rows] = False
    kept[:, cols] = False
    cells = _cells(np.where(kept, scaled, np.nan))
    return rows, cols, cells & kept


def filled(
    maps: Float[np.ndarray, "channels rows cols"], known: Bool[np.ndarray, "rows cols"]
) -> Float[np.ndarray, "channels rows cols"]:
    """Return the maps with the nearest known value in the other cells."""
    if known.all():
        return maps
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    found: np.ndarray = maps[:, *nearest]
    return found


def _pairs(patches: Bool[np.ndarray, "rows cols"], axis: int) -> Bool[np.ndarray, "rows cols"]:
    first = np.delete(patches, -1, axis)
    return first & np.delete(patches, 0, axis)


def _lines(maps: Float[np.ndarray, "channels rows cols"]) -> list[int]:
    """Return the rows that differ, in a channel, to the same side of the rows around."""
    count = maps.shape[1]
    found = []
    for first, last in ((r, r + width) for width in (0, 1) for r in range(1, count - 1 - width)):
        inner = np.nanmin if first == last else _closest_to_zero
        away = [
            _median(maps[:, first : last + 1] - maps[:, outside, None])
            for outside in (first - 1, last + 1)
        ]
        height = np.where(
            np.sign(away[0]) == np.sign(away[1]), np.minimum(*map(np.abs, away)), 0.0
        )
        if (height.min(axis=1) > _LINE).any():
            found += range(first, last + 1)
    return sorted(set(found))
