"""Surrogate maps: those of the same power spectra, with random phases, which have no walls."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float

__all__ = ["surrogates"]

Maps = Float[np.ndarray, "channels rows cols"]


def surrogates(maps: Maps, number: int, seed: int) -> Iterator[Maps]:
    """Yield maps of the same power and cross spectra as these, with random phases.

    Reference: Theiler et al. (1992), https://doi.org/10.1016/0167-2789(92)90102-S; several
    channels share their phases: Prichard & Theiler (1994),
    https://doi.org/10.1103/PhysRevLett.73.951.
    """
    rng = np.random.default_rng(seed)
    shape = maps.shape[1:]
    spectrum = np.fft.rfft2(maps - maps.mean(axis=(1, 2), keepdims=True))
    for _ in range(number):
        phases = np.fft.rfft2(rng.normal(size=shape))
        yield np.fft.irfft2(spectrum * phases / np.abs(phases), s=shape)
