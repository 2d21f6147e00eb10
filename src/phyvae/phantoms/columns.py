"""Atomic columns as a scan shows them: Gaussians, each rendered in a window of its own."""

import numpy as np

from .field import Array, FieldOfView

__all__ = ["rendered"]


def rendered(view: FieldOfView, places: Array, heights: Array, sigma: float, seen: Array) -> Array:
    """Return the intensity (height, width) of columns: positions (n, 2), px, and heights (n,).

    Columns whose centres appear at pixels that are not `seen` are left out.
    """
    y, x = view.positions
    # Wide enough for lines that jitter apart.
    tall, wide = (int(4 * sigma / side + view.jitter) + 1 for side in (view.aspect, 1.0))
    nearest = np.rint(view.appear(places)).astype(np.int64)
    limit = np.array(view.shape)
    kept = ((nearest >= -tall - wide) & (nearest < limit + tall + wide)).all(axis=1)
    kept &= seen[tuple(nearest.clip(0, limit - 1).T)]
    places, heights, nearest = places[kept], heights[kept], nearest[kept]
    row = nearest[:, 0, None, None] + np.arange(-tall, tall + 1)[:, None]
    col = nearest[:, 1, None, None] + np.arange(-wide, wide + 1)
    inside = (row >= 0) & (row < limit[0]) & (col >= 0) & (col < limit[1])
    pixel, owner = (row * limit[1] + col)[inside], np.nonzero(inside)[0]
    distance = np.hypot(y.flat[pixel] - places[owner, 0], x.flat[pixel] - places[owner, 1])
    peaks = heights[owner] * np.exp(-((distance / sigma) ** 2) / 2)
    return np.bincount(pixel, peaks, y.size).reshape(view.shape)
