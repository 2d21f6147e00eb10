"""Initial weights of the encoder."""

import torch
from torch.testing import assert_close

from lattices import SHIFT_ONLY, small_model
from phyvae import align
from phyvae.alignment.encoder_start import reset_posterior, whiten_first_layer


def test_the_first_layer_sees_centred_patches_of_one_size(grid):
    model = small_model(grid)
    patches = grid.gather(grid.indices).flatten(1)
    whiten_first_layer(model, patches, torch.Generator().manual_seed(0))
    layer = model.encoder_z.fc_layers[0]
    values = layer(patches).detach()
    # A bias of 0.5 about the mean, and a standard deviation of 1.5 over the units.
    assert abs(float(values.mean(0).std()) - 0.5) < 0.15
    assert abs(float(values.std(0).square().mean().sqrt()) - 1.5) < 0.3
    brighter = layer(patches + 1).detach() - values
    assert_close(brighter, layer.weight.detach().sum(1).expand_as(brighter), atol=1e-4, rtol=0)


def test_weak_components_are_seen_more_than_they_are_strong(grid):
    model = small_model(grid)
    patches = grid.gather(grid.indices).flatten(1)
    whiten_first_layer(model, patches, torch.Generator().manual_seed(0))
    _, spread, components = torch.linalg.svd(patches - patches.mean(0), full_matrices=False)
    weight = model.encoder_z.fc_layers[0].weight.detach()
    seen = torch.linalg.vector_norm(weight @ components.T, dim=0) * spread
    clear = int((spread > spread[0] / 4).sum())
    assert clear > 1
    assert seen[:clear].max() / seen[:clear].min() < 2
    assert seen[-1] < 0.2 * seen[0]


def test_the_posterior_starts_near_the_prior(grid):
    model = small_model(grid)
    before = model.shifts(grid)
    reset_posterior(model)
    mean, std = model.encode(grid.gather(torch.arange(5)))
    assert_close(std[:, :2], torch.full((5, 2), 0.2))
    assert mean[:, model.content].abs().max() < 0.02
    assert_close(model.shifts(grid), before)


def test_content_without_training_starts_near_the_mean_of_the_prior_but_not_flat(grid):
    model = small_model(grid)
    found = align(model, grid, steps=3, **SHIFT_ONLY)
    assert found.autocorrelations.shape == (0,)
    maps = model.latent_maps(grid)
    assert maps.abs().max() < 0.02
    assert maps.std(dim=(1, 2)).min() > 0
    _, std = model.encode(grid.gather(torch.arange(5)))
    assert_close(std[:, :2], torch.full((5, 2), 0.2))
