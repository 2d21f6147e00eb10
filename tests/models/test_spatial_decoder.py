"""The decoder of `ShiftVAE`: likelihood, decoded patches and manifolds."""

import numpy as np
import pytest
import torch
from pyroved.models import iVAE
from pyroved.utils import generate_latent_grid
from torch.testing import assert_close

from phyvae import ShiftVAE
from phyvae.patches.known import Patches

KINDS = [((12, 9), "bernoulli"), ((12, 9), "gaussian"), ((20,), "bernoulli"), ((20,), "gaussian")]


def patches_of(shape, n=6):
    return torch.rand(n, *shape, dtype=torch.float64)


class TestReconstruction:
    @pytest.mark.parametrize(("shape", "sampler"), KINDS)
    def test_a_share_of_the_pixels_is_unbiased(self, shape, sampler):
        model = ShiftVAE(shape, sampler_d=sampler).double()
        patches, count = patches_of(shape), int(np.prod(shape))
        latents = torch.randn(len(patches), model.z_dim, dtype=torch.float64)
        parts = torch.arange(count).split(count // 4)
        estimates = [model.reconstruction(patches, latents, p).detach() * len(p) for p in parts]
        floors = [model.floor(Patches(patches), p) * len(p) for p in parts]
        expected = model.reconstruction(patches, latents).detach()
        assert_close(sum(estimates) / count, expected)
        assert_close(sum(floors) / count, model.floor(Patches(patches)))

    @pytest.mark.parametrize(("shape", "sampler"), KINDS)
    def test_no_decoder_goes_below_the_floor(self, shape, sampler):
        model = ShiftVAE(shape, sampler_d=sampler).double()
        patches = patches_of(shape)
        latents = torch.randn(len(patches), model.z_dim, dtype=torch.float64)
        assert (model.reconstruction(patches, latents) >= model.floor(Patches(patches))).all()

    def test_the_bernoulli_floor_is_reached_by_the_data_itself(self):
        model = ShiftVAE((6, 5)).double()
        patches = patches_of((6, 5))
        flat = patches.flatten(1)
        expected = torch.nn.functional.binary_cross_entropy(flat, flat, reduction="none").sum(1)
        assert_close(model.floor(Patches(patches)), expected)

    def test_black_and_white_pixels_have_no_floor(self):
        patches = torch.eye(6).expand(2, 6, 6)
        assert (ShiftVAE((6, 6)).floor(Patches(patches)) == 0).all()


class TestDecode:
    @pytest.mark.parametrize("batch_size", [1, 7, 1000])
    def test_the_batch_size_does_not_matter(self, batch_size):
        model, z = ShiftVAE((8, 8)), torch.randn(20, 2)
        assert_close(model.decode(z, batch_size=batch_size), model.decode(z))

    def test_pixel_means_are_the_decoded_pixels(self):
        model, z = ShiftVAE((8, 8)), torch.randn(5, 2)
        latents = torch.cat([torch.zeros(5, 2), z], dim=1)
        assert_close(model.pixel_means(latents).detach().reshape(5, 8, 8), model.decode(z))

    def test_latents_of_a_wrong_shape_are_refused(self, unchecked):
        model = ShiftVAE((8, 8))
        with pytest.raises(ValueError, match=r"z has shape \(2, 4\)"):
            model.decode(torch.zeros(2, 4))
        with pytest.raises(ValueError, match=r"shift has shape \(2, 1\)"):
            model.decode(torch.zeros(2, 2), shift=torch.zeros(2, 1))


def test_decoded_patches_are_pyroveds_at_any_shift():
    model = ShiftVAE((8, 9), dx_prior=(0.3, 0.1))
    z, shift = torch.randn(4, 2), torch.tensor([0.2, -0.4])
    expected = iVAE._decode(model, z, shift=shift).reshape(4, 8, 9)
    assert_close(model.decode(z, shift=shift), expected)
    assert_close(model.decode(z, shift=shift.expand(4, 2)), expected)


class TestManifold:
    def test_runs_over_the_first_two_latents(self):
        model = ShiftVAE((8, 8), latent_dim=3, seed=2)
        raster = model.manifold2d(3, limits=(-1.0, 1.0, -2.0, 2.0)).reshape(3, 3, 8, 8)
        assert_close(raster[0, 2], model.decode(torch.tensor([[1.0, 2.0, 0.0]]))[0])
        assert_close(raster[2, 0], model.decode(torch.tensor([[-1.0, -2.0, 0.0]]))[0])

    @pytest.mark.parametrize("limits", [None, (-1.0, 2.0, -3.0, 0.5)])
    def test_the_raster_is_pyroveds(self, limits):
        model = ShiftVAE((8, 8))
        z, _ = generate_latent_grid(5, z_coord=limits)
        assert_close(model.manifold2d(5, limits=limits), model.decode(z), rtol=1e-4, atol=1e-5)

    def test_limits_are_four_finite_numbers(self, unchecked):
        model = ShiftVAE((8, 8))
        with pytest.raises(TypeError, match=r"limits=\(1, 2\) must be \(z1 low"):
            unchecked(ShiftVAE.manifold2d, model, 3, limits=(1, 2))
        with pytest.raises(ValueError, match="must be finite"):
            model.manifold2d(3, limits=(0.0, float("inf"), 0.0, 1.0))
