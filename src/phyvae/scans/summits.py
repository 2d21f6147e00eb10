"""Maxima of an image to a fraction of a pixel, by paraboloids."""

import numpy as np
from jaxtyping import Float, Int

__all__ = ["summits"]


def summits(
    values: Float[np.ndarray, "height width"], places: Int[np.ndarray, "n 2"], farthest: float
) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """Return where the paraboloid through the 3 x 3 values around each pixel peaks, and how high.

    Each is at most `farthest` px off its pixel along either axis. A ridge or a plateau has no
    peak: it stays on its pixel.
    """
    padded = np.pad(values, 1, mode="reflect")
    i, j = places.T + 1
    near = {(k, m): padded[i + k, j + m] for k in (-1, 0, 1) for m in (-1, 0, 1)}
    centre = near[0, 0]
    slope = np.stack([near[1, 0] - near[-1, 0], near[0, 1] - near[0, -1]], 1) / 2
    yy, xx = near[1, 0] + near[-1, 0] - 2 * centre, near[0, 1] + near[0, -1] - 2 * centre
    xy = (near[1, 1] + near[-1, -1] - near[1, -1] - near[-1, 1]) / 4
    determinant = yy * xx - xy**2
    peaked = (determinant > 0) & (yy < 0)
    adjugate = np.stack([xx, -xy, -xy, yy], 1).reshape(-1, 2, 2)
    inverse = adjugate / np.where(peaked, determinant, 1)[:, None, None]
    offset = np.where(peaked[:, None], -np.einsum("nij,nj->ni", inverse, slope), 0)
    offset = offset.clip(-farthest, farthest)
    return places + offset, centre + (slope * offset).sum(1) / 2
