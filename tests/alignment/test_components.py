"""Principal components of windows, and their scores at every pixel."""

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from torch.testing import assert_close

from lattices import small_model
from phyvae import PatchGrid
from phyvae.alignment import components as module
from phyvae.alignment.components import principal_components, score_field
from phyvae.alignment.encoder_start import score_encoder


def generator():
    return torch.Generator().manual_seed(0)


@pytest.fixture(scope="module")
def noisy():
    """A grid whose image has few components, and noise."""
    y, x = np.indices((60, 70))
    image = np.sin(x / 2) + np.cos(y / 3) + 0.1 * np.random.default_rng(0).normal(size=y.shape)
    return PatchGrid(image, size=(9, 11), step=4)


def test_components_are_those_of_an_exact_decomposition(noisy):
    found = principal_components(noisy, torch.empty(0, dtype=torch.float64), generator())
    windows = noisy.windows.reshape(-1, 99).double().numpy()
    exact = PCA(4).fit(windows)
    assert_close(found.directions @ found.directions.T, torch.eye(48).double())
    cosines = exact.components_ @ found.directions[:4].numpy().T
    assert np.linalg.svd(cosines)[1].min() > 0.99
    np.testing.assert_allclose(found.spread[:4], exact.explained_variance_**0.5, rtol=0.1)


def test_scores_are_projections_of_each_window_and_its_mean(noisy):
    found = principal_components(noisy, torch.empty(0), generator())
    field = score_field(noisy, found, generator())
    assert field.scores.shape == (1, 52, 60, 49)
    corners = field.random(50, generator())
    windows = noisy.windows[tuple(corners[:, 1:].T)].flatten(1)
    scores = field(corners)
    expected = (windows - found.mean) @ found.directions.T
    assert_close(scores[:, :-1], expected, atol=1e-4, rtol=1e-4)
    assert_close(scores[:, -1], windows.mean(1), atol=1e-4, rtol=1e-4)


def test_of_a_large_image_crops_are_taken_all_over_it(noisy, monkeypatch):
    monkeypatch.setattr(module, "_WINDOWS", 1000)
    monkeypatch.setattr(module, "_CROP", 10)
    found = principal_components(noisy, torch.empty(0), generator())
    field = score_field(noisy, found, generator())
    crops, ys, xs, _ = field.scores.shape
    assert crops * ys * xs <= 1000
    assert (ys, xs) == (27, 33)  # three patches


def test_a_constant_crop_is_no_error():
    image = np.zeros((40, 40))
    image[30:, 30:] = np.random.default_rng(0).random((10, 10))
    grid = PatchGrid(image, size=8)
    found = principal_components(grid, torch.empty(0), generator())
    layer = module.as_layer(found)
    assert torch.isfinite(module.scores_of(layer, grid.image[:20, :20], (8, 8))).all()


@pytest.fixture(scope="module")
def field(noisy):
    components = principal_components(noisy, torch.empty(0), generator())
    return score_field(noisy, components, generator())


class TestCorners:
    def test_random_ones_are_all_over_the_image(self, field):
        corners = field.random(4000, generator())
        assert corners.amin(0).tolist() == [0, 0, 0]
        assert corners.amax(0).tolist() == [0, 51, 59]

    def test_moved_ones_stay_in_the_image(self, field):
        corners = torch.tensor([[0, 50, 3], [0, 5, 5]])
        moved = field.moved(corners, torch.tensor([[5, -5], [1, -2]]))
        assert moved.tolist() == [[0, 51, 0], [0, 6, 3]]

    def test_neighbours_lie_a_patch_away(self, field):
        corners = field.random(2000, generator())
        others = field.neighbours(corners, generator())
        assert torch.equal(others, field.clamped(others))
        # In units of the patch, along either axis; less by rounding to pixels alone.
        apart = (others - corners)[:, 1:].abs() / torch.tensor([9.0, 11.0])
        distance = apart.square().sum(1).sqrt()
        inner = ((corners >= 15) & (corners <= torch.tensor([0, 36, 44])))[:, 1:].all(1)
        assert inner.sum() > 100
        assert distance[inner].min() > 0.9
        assert distance.max() < 1.4


def test_an_encoder_of_scores_is_one_of_pixels(noisy):
    model = small_model(noisy)
    found = principal_components(noisy, model.like, generator())
    field = score_field(noisy, found, generator())
    encoder = score_encoder(model, found, generator())
    corners = field.random(40, generator())
    encoder.to_pixels()
    mean, _ = model.encode(noisy.windows[tuple(corners[:, 1:].T)])
    assert_close(encoder.means(field(corners)).detach(), mean, atol=1e-4, rtol=1e-4)
