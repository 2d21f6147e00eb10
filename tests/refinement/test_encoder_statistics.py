"""Mean and noise of the encoder's output, against the noise of other images."""

import warnings

import numpy as np
import pyroved
import pytest
import torch
from torch.testing import assert_close

import phyvae
from noisy_spectra import data_of, encoders_noise
from phyvae.refinement.encoded_grid import EncodedGrid
from phyvae.refinement.encoder_statistics import encoder_statistics
from phyvae.refinement.window_means import window_means
from white_noise import AROUND, LINE, alone, encoder, grid_of, image_of


class TestPrecision:
    def test_is_that_of_noise_with_random_signs(self, model, grid):
        found = encoder_statistics(data_of(model, grid), samples=3, seed=0, around=0)
        assert_close(
            found.mean, model.posterior(grid.data(grid.indices, model.like)).mean.detach()
        )
        noise = found.precision[:, model.content].rsqrt()
        expected = encoders_noise(model, grid, samples=3).expand_as(noise)
        assert_close(noise, expected, rtol=1e-4, atol=0)

    def test_of_a_latent_that_no_noise_moves_is_finite(self, model, grid):
        data = data_of(model, grid)
        known = type(model)(model.patch_shape, 2, seed=0, sampler_d="gaussian", sigmoid_d=False)
        with torch.no_grad():
            known.encoder_z.fc11.weight.zero_()
        found = encoder_statistics(EncodedGrid(known, grid, 256), samples=2, seed=0, around=0)
        assert found.precision.isfinite().all()
        assert not torch.equal(found.mean, data.posterior().mean)


class TestWindows:
    @pytest.mark.parametrize("around", [0, 1, AROUND])
    def test_batches_change_nothing(self, around):
        grid, model = grid_of(image_of()), encoder()
        one, many = (
            encoder_statistics(EncodedGrid(model, grid, n), samples=2, seed=0, around=around)
            for n in (7, 256)
        )
        assert_close(one.mean, many.mean, rtol=0, atol=1e-5)
        assert_close(one.deviations, many.deviations, rtol=0, atol=1e-5)
        assert_close(one.patch_variance, many.patch_variance, rtol=1e-3, atol=1e-6)

    def test_share_their_noise(self):
        """A mean is less noisy than one window, and noisier than of independent ones."""
        grid, model = grid_of(image_of()), encoder()
        one, mean = (
            alone(model, grid, around=a, samples=16).stds.square().mean() for a in (0, AROUND)
        )
        assert one / len(LINE) ** 2 < mean < one

    def test_standard_deviations_are_the_spread_over_noise(self):
        model = encoder()
        with torch.no_grad():  # a decoder that knows the image without noise, which is 0.5
            model.decoder.out.weight.zero_()
            model.decoder.out.bias.zero_()
        grids = [grid_of(image_of(seed)) for seed in range(24)]
        means = [window_means(EncodedGrid(model, g, 256), g.image, AROUND)[0] for g in grids]
        spread = torch.stack(means).var(0).mean(0).sqrt()[model.content]
        stds = alone(model, grids[0], around=AROUND, samples=24).stds
        ratio = stds.square().mean((1, 2)).sqrt() / spread
        assert_close(ratio, torch.ones(2), rtol=0, atol=0.15)


def test_without_patches_to_reconstruct_the_encoders_deviations_are_the_noise():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # pyroVED's own, of spectra
        vae = pyroved.models.VED((8, 8), (16,), latent_dim=2, seed=0)
    model = phyvae.adapt(vae, patch_shape=(8, 8))
    rng = np.random.default_rng(0)
    grid = phyvae.PatchGrid(rng.random((24, 32)), size=8)
    grid = grid.with_known(rng.random((*grid.shape, 16)).astype(np.float32))
    data = EncodedGrid(model, grid, 5)
    found = encoder_statistics(data, samples=400, seed=0, around=0)
    std = data.posterior().std
    assert_close(found.patch_variance, std.square())
    assert_close(torch.stack(found.deviations).std(0), std, rtol=0.15, atol=0)
