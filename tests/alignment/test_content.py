"""Content latents trained on the factors of aligned patches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import phyvae
from lattices import median_steps, small_model, two_variants
from phyvae import ShiftVAE, align
from phyvae.alignment.components import principal_components, score_field
from phyvae.alignment.content import aligned_features, content_factors
from phyvae.alignment.encoder_start import score_encoder
from phyvae.alignment.shift_loss import ShiftLoss, train_shift


@pytest.fixture(scope="module")
def trained():
    """Return a grid of two domains, a model aligned on it, and what align has returned."""
    grid = two_variants(0)
    model = small_model(grid)
    found = align(model, grid, steps=400, content_steps=400, decoder_steps=0, progress=False)
    return grid, model, found


def test_starts_with_the_difference_of_domains_whatever_the_noise(trained):
    grid, model, found = trained
    truth = np.broadcast_to(np.arange(21) * 4 + 8 >= 48, grid.shape)
    assert found.autocorrelations[0] > 0.6 > found.autocorrelations[1]
    assert found.latents == 1
    for one in (grid, two_variants(1)):
        first = model.latent_maps(one)[0].numpy()
        labels = first > (first.min() + first.max()) / 2
        assert phyvae.adjusted_rand_index(labels, truth) > 0.75


def test_shifts_stay_as_they_should_be(trained):
    grid, model, _ = trained
    down, right = median_steps(model, grid)
    assert abs(down + 1) < 0.2
    assert abs(right + 1) < 0.2


def test_more_latents_than_factors_are_allowed(grid):
    model = ShiftVAE(grid.patch_shape, latent_dim=60, dx_prior=0.3, hidden_dim_e=(8, 8))
    found = align(model, grid, steps=5, content_steps=5, decoder_steps=0, progress=False)
    assert len(found.autocorrelations) < 60
    assert found.factors.shape == (len(found.autocorrelations), *grid.shape)


@pytest.fixture(scope="module")
def features(grid):
    """Return the features of windows after a short training of the shifts."""
    generator = torch.Generator().manual_seed(0)
    model = small_model(grid)
    components = principal_components(grid, model.like, generator)
    scores = score_field(grid, components, generator)
    encoder = score_encoder(model, components, generator)
    train_shift(ShiftLoss(encoder, scores, generator, (6, 6)), 128, 300, 2e-3, lambda: None)
    return aligned_features(encoder, scores, components)


def test_features_are_of_the_window_that_the_shift_points_to(features):
    # Windows one pixel apart, away from the jumps and the border, are moved to the same site.
    corners = torch.cartesian_prod(torch.tensor([0]), torch.arange(30, 50), torch.arange(30, 50))
    pixels, _ = features(corners)
    again, _ = features(corners + torch.tensor([0, 0, 1]))
    same = (pixels - again).abs().amax(1)
    assert float((same == 0).double().mean()) > 0.3


def test_features_do_not_depend_on_the_mean_of_a_window(features):
    corners = features.scores.random(30, torch.Generator().manual_seed(1))
    brighter = features.scores.scores.clone()
    flat = features.flat.new_zeros(len(features.flat) + 1)
    flat[:-1], flat[-1] = features.flat, 1.0  # scores of a window of ones
    lifted = replace(features, scores=replace(features.scores, scores=brighter + 0.3 * flat))
    for one, other in zip(features(corners)[1:], lifted(corners)[1:], strict=True):
        assert_close(one, other, atol=1e-3, rtol=1e-3)


def test_waves_are_magnitudes_of_the_windows_fourier_coefficients(grid, features):
    corners = features.scores.random(30, torch.Generator().manual_seed(1))
    windows = grid.windows[tuple(corners[:, 1:].T)]
    taper = torch.hann_window(18, periodic=False)[1:-1]
    centred = windows - windows.mean((1, 2), keepdim=True)
    exact = torch.fft.rfft2(centred * taper[:, None] * taper).abs().flatten(1)
    _, found = features(corners)
    # The components leave out noise alone, so the strongest coefficients are nearly the same.
    strongest = exact.mean(0).topk(5).values
    assert_close(found.mean(0).topk(5).values, strongest, rtol=0.05, atol=0.0)


def test_factors_do_not_depend_on_anything_but_the_generator(features):
    one, two = (
        content_factors(features, features.scores, torch.Generator().manual_seed(3), 200)
        for _ in range(2)
    )
    assert np.array_equal(one.autocorrelations, two.autocorrelations)
