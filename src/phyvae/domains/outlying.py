"""Rows, columns and cells of maps that are unlike their neighbours, such as dead scan lines."""

import numpy as np
from jaxtyping import Bool, Float
from scipy.ndimage import distance_transform_edt

__all__ = ["filled", "noise_of", "outlying"]

_LINE = 4.0  # noise standard deviations of a cell, by which a line differs from both neighbours
_CELL = 8.0  # the same, by which a cell is above or below all of the eight around it
_LEAST = 1e-3  # the least noise of a map, in standard deviations of the map

Maps = Float[np.ndarray, "channels rows cols"]
Cells = Bool[np.ndarray, "rows cols"]


def noise_of(maps: Maps, known: Cells) -> Float[np.ndarray, " channels"]:
    """Return the noise of each map, from the differences of neighbours (median, so walls apart).

    Of the two directions the larger counts, as noise along scan lines is correlated.
    """
    found = []
    for one in maps:
        values = np.where(known, one, np.nan)
        steps = [np.abs(np.diff(values, axis=axis)).ravel() for axis in (0, 1)]
        middles = [np.median(step[np.isfinite(step)]) for step in steps if np.isfinite(step).any()]
        noise = max([1.4826 / 2**0.5 * float(middle) for middle in middles], default=0.0)
        found.append(max(noise, _LEAST * float(one[known].std())))
    return np.array(found)


def outlying(
    maps: Maps, known: Cells, noise: Float[np.ndarray, " channels"]
) -> tuple[tuple[int, ...], tuple[int, ...], Cells]:
    """Return the rows, the columns, and all cells that are unlike their neighbours.

    A line stands out to the same side of the line before and of the line after, in the median
    over its cells. Lines at a wall do not: one of their neighbours is like them. At the border,
    it is a line unlike the next one, which is like the one after it.
    """
    scale = np.where(noise > 0, noise, 1.0)[:, None, None]
    values = np.where(known, maps / scale, np.nan)
    rows, cols = _lines(values), _lines(values.transpose(0, 2, 1))
    found = np.zeros(known.shape, dtype=bool)
    found[list(rows)] = True
    found[:, list(cols)] = True
    found |= _single(np.where(found, np.nan, values))
    return rows, cols, found & known


def filled(maps: Maps, known: Cells) -> Maps:
    """Return the maps, with the value of the nearest known cell in all others."""
    if known.all():
        return maps
    nearest = distance_transform_edt(~known, return_distances=False, return_indices=True)
    return np.asarray(maps[:, *nearest])


def _lines(values: Maps) -> tuple[int, ...]:
    """Return the rows that stand out; a row needs 3 cells with known neighbours."""
    step = np.diff(values, axis=1)
    enough = np.isfinite(step).sum(axis=2) >= 3
    middle = np.zeros(step.shape[:2])
    middle[enough] = np.nanmedian(step[enough], axis=1)
    before, after = middle[:, :-1], -middle[:, 1:]
    height = np.where(before * after > 0, np.minimum(np.abs(before), np.abs(after)), 0.0)
    found = np.zeros(values.shape[1], dtype=bool)
    found[1:-1] = (height > _LINE).any(axis=0)
    if len(found) > 3:
        unlike = np.abs(middle) > _LINE
        found[0], found[-1] = (
            (unlike[:, end] & ~unlike[:, inner]).any() for end, inner in ((0, 1), (-1, -2))
        )
    return tuple(int(row) for row in np.flatnonzero(found))


def _single(values: Maps) -> Cells:
    """Return the cells of which a channel is above, or below, all (at least 3) known neighbours.

    Cells on a wall that is oblique to the raster are between their neighbours.
    """
    padded = np.pad(values, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    rows, cols = values.shape[1:]
    around = np.stack(
        [
            padded[:, 1 + y : 1 + y + rows, 1 + x : 1 + x + cols]
            for y in (-1, 0, 1)
            for x in (-1, 0, 1)
            if (y, x) != (0, 0)
        ]
    )
    away = around - values
    known = np.isfinite(away)
    above = np.where(known, -away, np.inf).min(axis=0)
    below = np.where(known, away, np.inf).min(axis=0)
    alone = (np.maximum(above, below) > _CELL) & (known.sum(axis=0) >= 3)
    return np.asarray(alone.any(axis=0))
