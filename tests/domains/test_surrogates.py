"""Maps of the same spectrum with random phases."""

import numpy as np

from phyvae.domains.surrogates import surrogates

MAPS = np.random.default_rng(0).normal(size=(2, 12, 15)).cumsum(axis=1)


class TestSurrogates:
    def test_have_the_spectra_of_the_maps_and_the_cross_spectrum(self):
        (one,) = surrogates(MAPS, 1, seed=0)
        wanted, got = np.fft.rfft2(MAPS - MAPS.mean(axis=(1, 2), keepdims=True)), np.fft.rfft2(one)
        inner = (slice(None), slice(1, None), slice(1, -1))
        assert np.allclose(np.abs(got[inner]), np.abs(wanted[inner]))
        cross = [(a[0] * a[1].conj())[1:, 1:-1] for a in (got, wanted)]
        assert np.allclose(*cross)

    def test_differ_from_each_other_and_follow_the_seed(self):
        first, second = surrogates(MAPS, 2, seed=3)
        (again,) = surrogates(MAPS, 1, seed=3)
        assert not np.allclose(first, second)
        assert np.array_equal(first, again)
