"""Lattice planes of a cell, and their power in an image."""

import numpy as np
from jaxtyping import Bool, Float, Int

__all__ = ["repeats", "standing_out", "strongest_planes"]

_PLANES: Int[np.ndarray, "planes 2"] = np.array(
    [(1, 0), (0, 1), (1, 1), (1, -1), (2, 1), (1, 2), (2, -1), (1, -2)]
)
"""Indices (h, k) of the widest planes of a reduced cell; harmonics, (2, 0), are no planes."""
_ORDERS = 4  # of a superlattice, higher orders are often the strongest
_STANDS_OUT = 50.0  # of the median power at equal wavelengths: white noise hardly reaches it
_MEDIAN_BY_QUARTER = np.log(2) / np.log(4 / 3)  # of an exponential distribution, noise's power
_WEAKEST = 1e-4  # of the strongest: less leaks from one place in the spectrum to another


def strongest_planes(
    values: Float[np.ndarray, "height width"], vectors: Float[np.ndarray, "2 2"]
) -> float:
    """Return the spacing of the strongest of the widest planes of a cell, px."""
    waves = _PLANES @ np.linalg.inv(vectors).T
    powers, _ = _powers(values, waves)
    return float(1 / np.hypot(*waves[powers.argmax()]))


def repeats(values: Float[np.ndarray, "height width"], vectors: Float[np.ndarray, "2 2"]) -> bool:
    """Whether a cell's planes of two directions stand out of the power spectrum of an image."""
    orders = np.mgrid[0 : _ORDERS + 1, -_ORDERS : _ORDERS + 1].reshape(2, -1).T
    orders = orders[(orders[:, 0] > 0) | (orders[:, 1] > 0)]
    strong = standing_out(values, orders @ np.linalg.inv(vectors).T)
    return bool(np.linalg.matrix_rank(orders[strong]) == 2) if strong.any() else False


def standing_out(
    values: Float[np.ndarray, "height width"], waves: Float[np.ndarray, "n 2"]
) -> Bool[np.ndarray, " n"]:
    """Return which waves of some wavevectors, cycles per px, an image of mean 0 has."""
    powers, backgrounds = _powers(values, waves)
    return np.asarray((powers > _STANDS_OUT * backgrounds) & (powers > _WEAKEST * powers.max()))


def _powers(
    values: np.ndarray, waves: Float[np.ndarray, "n 2"]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return the power of each wave, and that of noise at like wavelengths, as its median."""
    window = np.outer(*(np.hanning(n) for n in values.shape))
    power = np.abs(np.fft.rfft2(values * window)) ** 2
    frequencies = np.fft.fftfreq(values.shape[0])[:, None], np.fft.rfftfreq(values.shape[1])
    waves = np.where(waves[:, 1:] < 0, -waves, waves)
    length = np.hypot(*frequencies)
    powers, backgrounds = np.zeros(len(waves)), np.full(len(waves), np.inf)
    for index, wave in enumerate(waves):
        # The background of longer waves was taken away: nothing there to compare with.
        if not 4 / values.size**0.5 < np.hypot(*wave) < 0.5:
            continue
        near = _around(frequencies, wave, 1.5)
        powers[index] = power[near].max()
        distance = length[near].flat[power[near].argmax()]
        # Of a superlattice other orders fill half of a ring: the quarter is their noise's. The
        # spectrum may fall steeply: the ring of longer or of shorter waves, whichever has more.
        inner, outer = (
            (length > low * distance) & (length < high * distance)
            for low, high in ((0.8, 1), (1, 1.2))
        )
        rings = [power[ring] for ring in (inner, outer) if ring.any()]
        quarter = max((np.percentile(ring, 25) for ring in rings), default=np.inf)
        backgrounds[index] = _MEDIAN_BY_QUARTER * quarter
    return powers, backgrounds


def _around(
    frequencies: tuple[np.ndarray, np.ndarray], wave: Float[np.ndarray, "2"], samples: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the spectrum within some samples of a wavevector."""
    rows, columns = (
        np.flatnonzero(np.abs(one - component) <= samples * one[1])  # one[1] is the step
        for one, component in zip((frequencies[0][:, 0], frequencies[1]), wave, strict=True)
    )
    return rows[:, None], columns
