"""Content latents trained on the factors of aligned patches."""

import numpy as np
import pytest
import torch

import phyvae
from lattices import median_steps, small_model, two_variants
from phyvae import ShiftVAE, align
from phyvae.alignment.content import AlignedFeatures, content_factors


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
    for one in (grid, two_variants(1)):
        first = model.latent_maps(one)[0].numpy()
        labels = first > (first.min() + first.max()) / 2
        assert phyvae.adjusted_rand_index(labels, truth) > 0.8


def test_shifts_stay_as_they_should_be(trained):
    grid, model, _ = trained
    down, right = median_steps(model, grid)
    assert abs(down + 1) < 0.2
    assert abs(right + 1) < 0.2


def test_more_latents_than_factors_are_allowed(grid):
    model = ShiftVAE(grid.patch_shape, latent_dim=60, dx_prior=0.3, hidden_dim_e=(8, 8))
    found = align(model, grid, steps=5, content_steps=5, decoder_steps=0, progress=False)
    assert len(found.autocorrelations) < 60


def test_features_are_of_the_window_that_the_shift_points_to(grid, aligned):
    features = AlignedFeatures(aligned[0], grid.windows)
    # Windows one pixel apart, away from the jumps and the border, are moved to the same site.
    corners = torch.cartesian_prod(torch.arange(30, 50), torch.arange(30, 50))
    pixels, _ = features(corners)
    again, _ = features(corners + torch.tensor([0, 1]))
    raw = grid.windows[tuple(corners.T)] - grid.windows[tuple((corners + torch.tensor([0, 1])).T)]
    same = (pixels - again).abs().amax(1)
    assert float((same == 0).double().mean()) > 0.3
    assert float((raw.flatten(1).abs().amax(1) == 0).double().mean()) == 0


def test_factors_do_not_depend_on_anything_but_the_generator(grid, aligned):
    features = AlignedFeatures(aligned[0], grid.windows)
    one, two = (content_factors(features, torch.Generator().manual_seed(3), 200) for _ in range(2))
    assert np.array_equal(one.autocorrelations, two.autocorrelations)
