"""The spacing of lattice planes, whatever else repeats in an image."""

import numpy as np
import pytest
import torch

from lattices_of_atoms import atoms, waves
from phyvae import lattice_spacing, phantoms

CENTRED = atoms((400, 400), [(24, 0), (0, 24)], [((0, 0), 1.0), ((0.5, 0.5), 0.6)], 2.9)
SPACING = 24 / 2**0.5


class TestLatticeSpacing:
    @pytest.mark.parametrize("period", [5.0, 8.3, 11.71, 17.9])
    @pytest.mark.parametrize("angle", [0.0, 0.3, 1.2])
    def test_it_finds_the_period_of_the_stronger_of_two_waves(self, period, angle):
        along = np.array([np.sin(angle), np.cos(angle)]) / period
        weaker = 0.8 * np.array([along[1], -along[0]])
        image = 2 * waves((200, 170), along, noise=0.5) + waves((200, 170), weaker)
        assert lattice_spacing(image) == pytest.approx(period, rel=5e-3)

    def test_phantoms_have_the_lattice_they_were_made_with(self):
        bfo = phantoms.bfo(lattice=14.0, seed=0)
        assert lattice_spacing(bfo.image) == pytest.approx(14 / 2**0.5, rel=5e-3)
        graphene = phantoms.graphene(lattice=12.6, seed=0)
        assert lattice_spacing(graphene.image) == pytest.approx(12.6 * 3**0.5 / 2, rel=1e-2)

    def test_scale_offset_and_kind_of_the_image_do_not_matter(self):
        image = waves((96, 96), (0.11, 0.02), (0.01, 0.09), noise=0.1)
        spacing = lattice_spacing(image)
        assert lattice_spacing(-300 * image + 7) == pytest.approx(spacing, rel=1e-9)
        assert lattice_spacing(torch.from_numpy(image)) == spacing

    def test_a_slow_background_is_not_taken_for_a_lattice(self):
        y, x = np.indices((160, 160)) / 160
        image = waves((160, 160), (0.09, 0.03), (0.09, 0.03), (-0.02, 0.08)) + 50 * (y + x**2)
        assert lattice_spacing(image) == pytest.approx(1 / np.hypot(0.09, 0.03), rel=2e-2)

    @pytest.mark.parametrize("height", [40, 64, 128])
    def test_a_strip_has_the_spacing_of_the_whole(self, height):
        assert lattice_spacing(CENTRED[:height]) == pytest.approx(SPACING, rel=0.02)

    def test_rows_are_no_planes(self):
        hot, hum = CENTRED.copy(), CENTRED + (np.arange(400) % 8 < 1)[:, None] * 2.0
        hot[100] = 100
        slow = CENTRED + 2 * np.sin(np.arange(400) / 7.3)[:, None]
        for image in (hot, hum, hum.T, slow):
            assert lattice_spacing(image) == pytest.approx(SPACING, rel=5e-3)

    def test_a_hot_pixel_is_none_either(self):
        hot = CENTRED.copy()
        hot[100, 100] = 1e5
        assert lattice_spacing(hot) == pytest.approx(SPACING, rel=5e-3)

    @pytest.mark.parametrize("seed", range(5))
    def test_noise_has_no_lattice(self, seed):
        with pytest.raises(ValueError, match="no lattice"):
            lattice_spacing(np.random.default_rng(seed).normal(size=(256, 256)))

    @pytest.mark.parametrize("shape", [(31, 100), (64,), (40, 40, 3)])
    def test_other_shapes_are_refused(self, shape):
        with pytest.raises(ValueError, match="must be"):
            lattice_spacing(np.random.default_rng(0).random(shape))

    def test_bad_pixels_are_refused(self):
        image = waves((64, 64), (0.1, 0))
        image[3, 4] = np.nan
        with pytest.raises(ValueError, match="NaN"):
            lattice_spacing(image)
