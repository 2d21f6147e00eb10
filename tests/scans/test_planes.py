"""Lattice planes and their power."""

import numpy as np
import pytest

from lattices_of_atoms import atoms, turned, waves
from phyvae.scans.planes import repeats, strongest_planes

OBLONG = np.array([(14.0, 0.0), (0.0, 24.0)])


class TestStrongestPlanes:
    @pytest.mark.parametrize("degrees", [0, 30, 80])
    @pytest.mark.parametrize(("order", "spacing"), [((1, 0), 14), ((0, 1), 24), ((1, -1), 12.09)])
    def test_it_is_the_spacing_of_the_strongest_wave(self, order, spacing, degrees):
        vectors = turned(OBLONG, degrees)
        wave = np.linalg.inv(vectors) @ order
        image = waves((200, 240), wave, wave, np.linalg.inv(vectors) @ (1, 1), noise=0.3)
        assert strongest_planes(image, vectors) == pytest.approx(spacing, rel=1e-3)

    def test_a_harmonic_is_none(self):
        image = waves((200, 240), (1 / 14, 0)) + 9 * waves((200, 240), (2 / 14, 0))
        assert strongest_planes(image, OBLONG) == pytest.approx(14)


class TestRepeats:
    def test_of_a_cell_and_its_image(self):
        image = atoms((200, 240), OBLONG, noise=0.5)
        assert repeats(image - image.mean(), OBLONG)

    def test_not_of_noise_or_fringes(self):
        noise = np.random.default_rng(0).normal(size=(200, 240))
        assert not repeats(noise, OBLONG)
        assert not repeats(noise + waves((200, 240), (1 / 14, 0)), OBLONG)
