"""Autocorrelation of an image, and its peaks."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, Real

__all__ = ["Autocorrelation", "summits"]

_FARTHEST = 0.65  # of the image, along either axis: beyond it too few pixels overlap
_LARGEST = 400  # px: three cells of the largest superlattices


@dataclass(frozen=True, eq=False)
class Autocorrelation:
    """Mean product of an image's pixels at a displacement, and where it has peaks.

    Attributes
    ----------
    limit
        Largest displacement (y, x) that was computed, px.
    shape
        (height, width) of the image, px.
    peaks
        Displacements of its maxima to a fraction of a pixel, the zero left out, px. Of two
        opposite ones, both are listed.
    heights
        Autocorrelation at the peaks.
    variance
        Autocorrelation at zero.
    """

    limit: tuple[int, int]
    shape: tuple[int, int]
    peaks: Float[np.ndarray, "n 2"]
    heights: Float[np.ndarray, " n"]
    variance: float

    @classmethod
    def of(cls, values: Float[np.ndarray, "height width"]) -> "Autocorrelation":
        """Return the autocorrelation of an image of mean 0.

        The image is padded with zeros and the sum divided by the number of pixels that overlap.
        """
        from scipy.fft import irfft2, next_fast_len, rfft2

        height, width = values.shape
        down, across = (min(_LARGEST, int(_FARTHEST * n)) for n in values.shape)
        limit = (down, across)
        padded = [
            next_fast_len(n + m + 1, real=True) for n, m in zip(values.shape, limit, strict=True)
        ]
        sums = irfft2(np.abs(rfft2(values, padded)) ** 2, padded)
        sums = np.roll(sums, limit, (0, 1))[: 2 * limit[0] + 1, : 2 * limit[1] + 1]
        y, x = np.ogrid[-limit[0] : limit[0] + 1, -limit[1] : limit[1] + 1]
        peaks, heights = _peaks(sums / ((height - abs(y)) * (width - abs(x))))
        return cls(limit, (height, width), peaks, heights, float(values.var()))

    def holds(self, displacement: Real[np.ndarray, "2"]) -> bool:
        """Whether a peak at a displacement would have been found."""
        return bool((np.abs(displacement) < np.subtract(self.limit, 1)).all())

    def deviation(self, displacement: Real[np.ndarray, "2"], height: float) -> float:
        """Return the standard deviation that white noise gives the value at a displacement.

        It is that of an image smoothed by 1 px; its variance is what zero has more than `height`.
        """
        noise = max(0.0, self.variance - height)
        overlap = float(np.prod(self.shape - np.abs(displacement)))
        # Sums over displacements of the squared correlation of noise, 2 pi, and of it, 4 pi.
        return float((2 * np.pi * noise * (noise + 4 * height) / overlap) ** 0.5)

    def nearest(self, displacement: Real[np.ndarray, "2"], radius: float) -> int | None:
        """Return the index of the peak nearest to a displacement, if one lies within a radius."""
        distances = np.hypot(*(self.peaks - displacement).T)
        index = int(distances.argmin())
        return index if distances[index] <= radius else None


def _peaks(values: np.ndarray) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """Return the displacements of the maxima but that in the middle, and their heights."""
    from scipy.ndimage import maximum_filter

    middle = np.floor_divide(values.shape, 2)
    places = np.argwhere(values == maximum_filter(values, 5))
    inside = ((places > 0) & (places < np.subtract(values.shape, 1))).all(1)
    places, heights = summits(values, places[inside & (places != middle).any(1)], 1.0)
    return places - middle, heights


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
