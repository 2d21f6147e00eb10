"""Survey of a scan: its specimen, and dead or hot pixels, residue, vacuum."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from .._checks import as_mask
from .cell import UnitCell, cell_of
from .faults import faults_of, filled, levelled
from .objects import image_of

__all__ = ["Survey", "survey"]

Pixels = Bool[np.ndarray, "height width"]
_UNUSUAL = 6.0  # robust standard deviations of the local mean
_BRIGHT = 1.2  # standard deviations of the image within a cell
_MOST = 0.95  # of the image that may be excluded
_LARGE = 0.1  # of the image
_QUIET = 0.25  # of the median: local contrast, and local repetition, of vacuum


@dataclass(frozen=True, eq=False, repr=False)
class Survey:
    """What of a scan is specimen.

    Attributes
    ----------
    mask : ndarray
        True where a pixel shows the specimen, shape (height, width): no flaw, residue or vacuum.
    repaired : ndarray
        The image with flaws replaced by their neighbourhood, float64, shape (height, width).
    noise : float
        Standard deviation of the noise of a pixel, in the units of the image.
    limits : tuple of float
        Percentiles 1 and 99 of the repaired image, without residue and vacuum.
    rows, columns : ndarray
        Indices of dead and hot lines.
    pixels : ndarray
        Dead and hot pixels elsewhere, (y, x), shape (n, 2).
    residue, vacuum : ndarray
        True where dirt covers the specimen, and where there is none, shape (height, width).
    cell : UnitCell or None
        The unit cell, if the image has one; without it no vacuum is found.

    Examples
    --------
    >>> import phyvae
    >>> image = phyvae.phantoms.bfo((160, 160), seed=0).image.copy()
    >>> image[20] = 0  # a dead row
    >>> found = phyvae.survey(image)
    >>> found.rows, found.flaws, bool(found.mask[20].any())
    (array([20]), '1 row', False)
    >>> grid = phyvae.PatchGrid(found.repaired, size=24, mask=found.mask)
    """

    mask: Pixels
    repaired: Float[np.ndarray, "height width"]
    noise: float
    limits: tuple[float, float]
    rows: Int[np.ndarray, " r"]
    columns: Int[np.ndarray, " c"]
    pixels: Int[np.ndarray, "n 2"]
    residue: Pixels
    vacuum: Pixels
    cell: UnitCell | None

    @property
    def flaws(self) -> str:
        """Flaws and masked parts, in words: ``"1 row, 3 pixels, residue 2.1 %"``; ``"none"``."""
        counts = {"row": self.rows, "column": self.columns, "pixel": self.pixels}
        found = [f"{n} {name}{'s' * (n > 1)}" for name, one in counts.items() if (n := len(one))]
        shares = {"residue": self.residue.mean(), "vacuum": self.vacuum.mean()}
        found += [f"{name} {100 * share:.1f} %" for name, share in shares.items() if share]
        return ", ".join(found) or "none"

    def __repr__(self) -> str:
        return f"Survey(noise={self.noise:.3g}, flaws: {self.flaws})"


def survey(image: Any, *, exclude: Any = None) -> Survey:
    """Find what of a scan is no specimen: dead and hot rows, columns, pixels; residue; vacuum.

    **Rows and columns** are dead where they are nearly constant, hot where their median is off
    those around by more than the image's contrast and than five times what 95 % of them are.
    **Pixels** are off the median of their 3 x 3 neighbourhood by five times what 99 % of them
    are, or share the lowest value and stand out from those around. **Residue** is where the mean
    over a cell is brighter than the median of these means by six robust standard deviations, and
    somewhere by 1.2 times the contrast within a cell; where the latter is a tenth of the image,
    it is a second layer. Of a scan that is tilted by more than this contrast, the plane is taken
    off first; a weaker slope widens the deviations and is not found. **Vacuum** is where
    the variance within a cell, less that of noise, is below a quarter of its median, and
    somewhere, over four cells, so is the correlation at the lattice vectors; and around this,
    where the variance is below half of that a cell away.

    Parameters
    ----------
    image
        One scan, shape (height, width), any real dtype, at least 9 px either way. Values that are
        not finite are no specimen.
    exclude
        True where a pixel is known to show no specimen, bool, shape (height, width).

    Returns
    -------
    Survey
        ``PatchGrid(found.repaired, size, mask=found.mask)`` leaves the rest out.

    Raises
    ------
    ValueError
        If the image has less than 9 px either way, or is constant.

    Examples
    --------
    >>> import phyvae
    >>> image = phyvae.phantoms.bfo(shape=(200, 200), seed=0).image.copy()
    >>> image[20], image[90, 60] = 0, 50
    >>> phyvae.survey(image)
    Survey(noise=0.0284, flaws: 1 row, 1 pixel)
    """
    shown, gaps = _without_gaps(image, exclude)
    faults = faults_of(shown)
    values = faults.repaired
    if min(values.shape) < 9:
        raise ValueError(f"image has shape {values.shape}, but must be at least 9 x 9 px.")
    noise = _noise(values)
    cell = _cell_of(values)
    width = min(values.shape) / 16 if cell is None else cell.area**0.5
    smooth = _mean(values, 1.0)
    smooth = smooth - _mean(smooth, width)
    vacuum = _vacuum(smooth, cell, noise)
    residue = _residue(values, smooth, width, vacuum)
    mask = ~(vacuum | residue)
    low, high = np.percentile(values[mask], [1, 99])
    mask &= ~gaps
    mask[faults.rows] = mask[:, faults.columns] = False
    mask[tuple(faults.pixels.T)] = False
    return Survey(
        mask,
        values,
        noise,
        (float(low), float(high)),
        faults.rows,
        faults.columns,
        faults.pixels,
        residue,
        vacuum,
        cell,
    )


def _without_gaps(image: Any, exclude: Any) -> tuple[Shaped[np.ndarray, "height width"], Pixels]:
    """Return an image whose gaps hold its median, and where these are."""
    values = image_of(image)
    gaps = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    if exclude is not None and not gaps.all():
        what = "True where a pixel shows no specimen"
        gaps = gaps | as_mask(exclude, values.shape, what, "exclude")
        if gaps.mean() > _MOST:
            raise ValueError(
                f"exclude leaves {100 * (1 - gaps.mean()):.2g} % of the image, too little for a "
                "lattice; is it inverted? It is True where a pixel shows no specimen."
            )
    if not gaps.any() or gaps.all():  # an image without a finite value is refused as such
        return values, gaps
    return np.where(gaps, np.median(values[~gaps]), values), gaps


def _noise(values: np.ndarray) -> float:
    """Return the noise of a pixel from second differences along both axes (Immerkaer 1996)."""
    second = np.diff(np.diff(values, 2, 0), 2, 1)
    return float(np.median(np.abs(second)) / 0.6745 / 6)


def _cell_of(values: np.ndarray) -> UnitCell | None:
    try:
        return cell_of(levelled(values))
    except ValueError:
        return None


def _mean(values: np.ndarray, width: float) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return np.asarray(gaussian_filter(values, width, mode="reflect"))


def _vacuum(smooth: np.ndarray, cell: UnitCell | None, noise: float) -> Pixels:
    """Return where no contrast is left, within three cells of where nothing repeats either."""
    from scipy.ndimage import maximum_filter, uniform_filter

    if cell is None:
        return np.zeros(smooth.shape, bool)
    # Squares of two cells: a Gaussian's tails reach far from a strong lattice into noise.
    width = round(2 * cell.area**0.5)
    variance = uniform_filter(smooth**2, width)
    around = sum(
        np.roll(smooth, sign * vector, (0, 1))
        for vector in np.round(cell.vectors).astype(int)
        for sign in (1, -1)
    )
    repetition = uniform_filter(smooth * around / 4, width)
    # Of a noiseless vacuum only what leaks from the lattice is left, and that repeats.
    coherence = repetition / np.maximum(variance, 0.01 * np.median(variance))
    # White noise that was smoothed by 1 px keeps 1 / 4 pi of its variance.
    contrast = variance - noise**2 / (4 * np.pi)
    usual = np.median(contrast)
    quiet = contrast < _QUIET * usual
    alone = coherence < _QUIET * np.median(coherence)
    core = quiet & alone
    # On the edge, half of a square is specimen.
    half = maximum_filter(contrast, width + 1) / 2
    outside = contrast < np.maximum(half, _QUIET**2 * usual)
    return _around(core | (outside & maximum_filter(core, 3 * width)), core, 4 * cell.area)


def _residue(values: np.ndarray, smooth: np.ndarray, width: float, vacuum: Pixels) -> Pixels:
    """Return where the local mean is far above its usual values, around a very bright place."""
    level = _mean(filled(values, vacuum), width / 2)
    contrast = float(np.median(_mean(smooth**2, width))) ** 0.5
    plane = _plane(level, ~vacuum, width)
    if plane.std() > contrast:
        level = level - plane
    low, middle, high = np.percentile(level[~vacuum], [16, 50, 84])
    usual = min(middle - low, high - middle)  # one of the two may be that of a second layer
    bright = level > middle + max(_UNUSUAL * usual, _BRIGHT / 2 * contrast)
    core = bright & (level > middle + _BRIGHT * contrast)
    if core.mean() >= _LARGE:  # a second layer
        core[:] = False
    return _around(bright, core, width**2 / 4)


def _plane(level: np.ndarray, specimen: Pixels, width: float) -> np.ndarray:
    """Return the plane of a local mean, fitted robustly: bright places have little pull."""
    from sklearn.linear_model import HuberRegressor

    every = np.zeros(level.shape, bool)
    every[:: max(1, int(width / 2)), :: max(1, int(width / 2))] = True
    y, x = (np.linspace(-1, 1, n) for n in level.shape)
    places = np.stack(np.broadcast_arrays(y[:, None], x), -1)
    values = level[every & specimen]
    spread = values.std()
    if len(values) < 3 or spread == 0:
        return np.zeros_like(level)
    fit = HuberRegressor(alpha=0, max_iter=500)
    fit.fit(places[every & specimen], (values - np.median(values)) / spread)
    return np.asarray(spread * (places @ fit.coef_))


def _around(region: Pixels, core: Pixels, area: float) -> Pixels:
    """Return the connected regions that are core by an area, px², and by a quarter of them."""
    from scipy.ndimage import label

    regions, count = label(region)
    sizes, cores = (np.bincount(regions[one], minlength=count + 1) for one in (region, core))
    large = (cores >= area) & (cores >= sizes / 4) & (np.arange(count + 1) > 0)
    return np.asarray(large[regions])
