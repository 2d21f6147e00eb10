"""The spacing of an image's lattice planes, from its power spectrum."""

from typing import Any

import numpy as np

from .intensities import as_scan

__all__ = ["lattice_spacing"]


def lattice_spacing(image: Any) -> float:
    r"""Return the spacing of the strongest lattice planes of an image, px.

    It is the period of the highest peak in the power spectrum, periods from 3 px to an eighth of
    the image's shorter side. A square lattice of constant :math:`a` has planes of spacing
    :math:`a` or, with a second atom in the middle of its cell, often strongest
    :math:`a / \sqrt 2`; a hexagonal one :math:`a \sqrt 3 / 2`. Patches of two to three spacings
    hold a unit cell.

    Parameters
    ----------
    image
        One scan, shape (height, width), any real dtype, at least 32 px either way.

    Raises
    ------
    ValueError
        If no peak stands out: the highest is less than 50 times the median of its ring of
        equal wavelengths, which white noise hardly reaches.

    Notes
    -----
    The image is weighted with a Hann window, and the peak's place refined between frequencies by
    a parabola through the logarithms of its neighbours.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(lattice=12.0, seed=0)
    >>> round(phyvae.lattice_spacing(phantom.image) * 2**0.5, 1)
    12.0
    """
    values = as_scan(image).astype(np.float64)
    if min(values.shape) < 32:
        raise ValueError(f"image has shape {values.shape}, but must be at least 32 x 32 px.")
    window = np.outer(*(np.hanning(n) for n in values.shape))
    power = np.abs(np.fft.fft2((values - values.mean()) * window)) ** 2
    frequencies = [np.fft.fftfreq(n) for n in values.shape]
    distance = np.hypot(frequencies[0][:, None], frequencies[1])
    allowed = (distance > 8 / min(values.shape)) & (distance < 1 / 3)
    peak = np.unravel_index(np.where(allowed, power, 0).argmax(), power.shape)
    ring = np.abs(distance / distance[peak] - 1) < 0.2
    if power[peak] < 50 * np.median(power[ring]):
        raise ValueError(
            "image shows no lattice: no peak of its power spectrum stands out at periods from 3 "
            f"to {min(values.shape) / 8:.0f} px; give the patch size by hand."
        )
    refined = [
        (k[i] + _offset(np.roll(power, 1 - i, axis).take(j, 1 - axis)[:3]) / len(k))
        for axis, (k, i, j) in enumerate(zip(frequencies, peak, reversed(peak), strict=True))
    ]
    return float(1 / np.hypot(*refined))


def _offset(around: np.ndarray) -> float:
    """Return where the parabola through three logarithms peaks, in samples from the middle."""
    left, middle, right = np.log(around)
    return float((left - right) / (2 * (left - 2 * middle + right)))
