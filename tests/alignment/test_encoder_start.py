"""Initial weights of the encoder."""

import pyro
import pytest
import torch
from pyroved.models import iVAE
from torch.testing import assert_close

from lattices import SHIFT_ONLY, small_model
from phyvae import align
from phyvae.alignment.components import principal_components, score_field
from phyvae.alignment.encoder_start import score_encoder


@pytest.fixture(scope="module")
def start(grid):
    """Return an encoder of scores, and the scores of random windows."""
    generator = torch.Generator().manual_seed(0)
    model = small_model(grid)
    components = principal_components(grid, model.like, generator)
    field = score_field(grid, components, generator)
    encoder = score_encoder(model, components, generator)
    return encoder, field(field.random(2000, generator))


def first_layer(encoder, scores):
    return encoder.network.fc_layers[0](scores[:, : len(encoder.components.spread)]).detach()


def test_the_first_layer_sees_scores_of_one_size(start):
    values = first_layer(*start)
    # A bias of 0.5 about the mean, and a standard deviation of 1.5 over the units.
    assert abs(float(values.mean(0).std()) - 0.5) < 0.15
    assert abs(float(values.std(0).square().mean().sqrt()) - 1.5) < 0.3


def test_weak_components_are_seen_more_than_they_are_strong(start):
    encoder, _ = start
    spread = encoder.components.spread
    weight = encoder.network.fc_layers[0].weight.detach()
    seen = torch.linalg.vector_norm(weight, dim=0) * spread
    clear = int((spread > spread[0] / 3).sum())
    assert clear > 1
    assert seen[:clear].max() / seen[:clear].min() < 2
    assert seen[-1] < 0.2 * seen[0]


def test_the_posterior_starts_near_the_prior(grid, start):
    encoder, scores = start
    model = encoder.model
    before = encoder.means(scores)[:, : model.coord]
    encoder.reset_posterior()
    assert_close(encoder.means(scores)[:, : model.coord], before)
    encoder.to_pixels()
    mean, std = model.encode(grid.gather(torch.arange(5)))
    assert_close(std[:, :2], torch.full((5, 2), 0.2))
    assert mean[:, model.content].abs().max() < 0.02


def test_the_encoder_ends_as_pyroveds(grid, aligned):
    model, _ = aligned
    with pyro.get_param_store().scope():
        theirs = iVAE(
            grid.patch_shape, 2, ["t"], hidden_dim_e=[64, 64], hidden_dim_d=[16], device="cpu"
        )
    theirs.load_state_dict(model.state_dict())
    patches = grid.gather(torch.arange(30))
    for own, expected in zip(model.encode(patches), theirs.encode(patches), strict=True):
        assert_close(own, expected)
    assert model.encode(patches)[0][:, :2].std() > 0.3


def test_content_without_training_starts_near_the_mean_of_the_prior_but_not_flat(grid):
    model = small_model(grid)
    found = align(model, grid, steps=3, **SHIFT_ONLY)
    assert found.autocorrelations.shape == (0,)
    maps = model.latent_maps(grid)
    assert maps.abs().max() < 0.02
    assert maps.std(dim=(1, 2)).min() > 0
    _, std = model.encode(grid.gather(torch.arange(5)))
    assert_close(std[:, :2], torch.full((5, 2), 0.2))
