import numpy as np
import pytest
import torch

from phyvae import lattice_spacing, phantoms


def waves(shape, *wavevectors, noise=0.0, seed=0):
    y, x = np.indices(shape)
    image = sum(np.cos(2 * np.pi * (ky * y + kx * x)) for ky, kx in wavevectors)
    return image + noise * np.random.default_rng(seed).normal(size=shape)


class TestLatticeSpacing:
    @pytest.mark.parametrize("period", [5.0, 8.3, 11.71, 17.9])
    @pytest.mark.parametrize("angle", [0.0, 0.3, 1.2])
    def test_it_finds_the_period_of_a_wave(self, period, angle):
        image = waves((200, 170), (np.sin(angle) / period, np.cos(angle) / period), noise=0.5)
        assert lattice_spacing(image) == pytest.approx(period, rel=3e-3)

    def test_it_finds_the_period_between_two_frequencies_of_the_transform(self):
        # 128 / 10.5: half way between two samples, where the bare maximum is off by 5 %
        assert lattice_spacing(waves((128, 128), (10.5 / 128, 0))) == pytest.approx(
            128 / 10.5, rel=2e-3
        )

    def test_it_is_that_of_the_strongest_planes(self):
        image = waves((160, 160), (0.1, 0)) + 2 * waves((160, 160), (0, 0.07))
        assert lattice_spacing(image) == pytest.approx(1 / 0.07, rel=2e-3)

    def test_phantoms_have_the_lattice_they_were_made_with(self):
        bfo = phantoms.bfo(lattice=14.0, seed=0)
        assert lattice_spacing(bfo.image) == pytest.approx(14 / 2**0.5, rel=5e-3)
        graphene = phantoms.graphene(lattice=12.6, seed=0)
        assert lattice_spacing(graphene.image) == pytest.approx(12.6 * 3**0.5 / 2, rel=1e-2)

    def test_scale_offset_and_kind_of_the_image_do_not_matter(self):
        image = waves((96, 96), (0.11, 0.02), noise=0.1)
        spacing = lattice_spacing(image)
        assert lattice_spacing(-300 * image + 7) == pytest.approx(spacing, rel=1e-9)
        assert lattice_spacing(torch.from_numpy(image)) == spacing

    def test_a_slow_background_is_not_taken_for_a_lattice(self):
        y, x = np.indices((160, 160)) / 160
        image = waves((160, 160), (0.09, 0.03)) + 50 * (y + x**2)
        assert lattice_spacing(image) == pytest.approx(1 / np.hypot(0.09, 0.03), rel=1e-2)

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
