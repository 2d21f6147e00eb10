"""Slow background of a scan: the polynomial that fits its local means."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

__all__ = ["LocalMeans", "local_means"]

_ORDER = 6  # topography has up to one and a half waves along a side
_SLOW = 4  # of a straight step these explain 0.86; order six 0.90, as much as noisy domains do
_TOTAL = np.add.outer(*[np.arange(_ORDER + 1)] * 2)
_TERMS: Bool[np.ndarray, "y x"] = _TOTAL <= _ORDER
_FEWEST = 2 * int(_TERMS.sum())  # places


@dataclass(frozen=True, eq=False)
class LocalMeans:
    """Means of a scan in windows half a window apart, and the polynomial that fits them best.

    shape: Height and width of the scan, px.
    level, known: Means, and whether half of a window, at least, shows the specimen.
    smooth: The polynomial of total order six that fits the known means; where these are too few,
        their mean.
    slow: Its terms of order four at most.
    contrast: Standard deviation of the pixels about the means.
    coefficients: Of the polynomial in Legendre polynomials of y and x from -1 to 1.
    """

    shape: tuple[int, int]
    level: Float[np.ndarray, "rows cols"]
    known: Bool[np.ndarray, "rows cols"]
    smooth: Float[np.ndarray, "rows cols"]
    slow: Float[np.ndarray, "rows cols"]
    contrast: float
    coefficients: Float[np.ndarray, "y x"]

    def background(self) -> Float[np.ndarray, "height width"]:
        """Return the polynomial at each pixel."""
        return _polynomial(self.coefficients, *(np.linspace(-1, 1, side) for side in self.shape))


def local_means(
    values: Float[np.ndarray, "height width"],
    specimen: Bool[np.ndarray, "height width"],
    size: tuple[int, int],
) -> LocalMeans:
    """Return the means of a scan in windows of a size, px."""
    from scipy.ndimage import uniform_filter

    share = uniform_filter(specimen.astype(np.float64), size)
    means = uniform_filter(np.where(specimen, values, 0.0), size) / np.maximum(share, 1e-6)
    contrast = float((values - means)[specimen].std())
    every = tuple(slice(side // 4, None, max(1, side // 2)) for side in size)
    level, known = means[every], share[every] > 0.5
    places = [np.linspace(-1, 1, n)[one] for n, one in zip(values.shape, every, strict=True)]
    coefficients = _fitted(level, known, *places)
    smooth = _polynomial(coefficients, *places)
    slow = _polynomial(np.where(_TOTAL <= _SLOW, coefficients, 0.0), *places)
    return LocalMeans(values.shape, level, known, smooth, slow, contrast, coefficients)


def _fitted(level: np.ndarray, known: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    """Return the coefficients of the polynomial that fits the known means best."""
    coefficients = np.zeros(_TERMS.shape)
    if known.sum() < _FEWEST:
        coefficients[0, 0] = level[known].mean() if known.any() else 0.0
    else:
        rows, cols = np.nonzero(known)
        terms = np.polynomial.legendre.legvander2d(y[rows], x[cols], [_ORDER, _ORDER])
        fit, *_ = np.linalg.lstsq(terms[:, _TERMS.ravel()], level[known], rcond=None)
        coefficients[_TERMS] = fit
    return coefficients


def _polynomial(coefficients: np.ndarray, y: np.ndarray, x: np.ndarray) -> np.ndarray:
    return np.asarray(np.polynomial.legendre.leggrid2d(y, x, coefficients))
