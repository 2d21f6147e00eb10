"""Maps of the factors over a grid."""

import numpy as np
import pytest

from lattices import small_model, two_variants
from phyvae import PatchGrid, align
from phyvae.alignment import components as module

FEW = {"steps": 300, "content_steps": 1, "decoder_steps": 0, "progress": False}


@pytest.fixture(scope="module")
def variants():
    """Return a grid of two domains, and what align has found in it."""
    grid = two_variants()
    return grid, align(small_model(grid), grid, **FEW)


def test_the_first_one_shows_the_domains(variants):
    grid, found = variants
    assert found.factors.shape == (2, *grid.shape)
    assert found.factors.dtype == np.float32
    first = found.factors[0]
    truth = np.broadcast_to(np.arange(21) * 4 + 8 >= 48, grid.shape)
    assert abs(np.corrcoef(first.ravel(), truth.ravel())[0, 1]) > 0.8
    assert abs(first.std() - 1) < 0.2


def test_of_sites_they_are_at_the_nearest_pixels_and_missing_where_there_is_none(variants):
    raster, _ = variants
    corners = np.stack(np.meshgrid(*(np.arange(n) * 4 for n in raster.shape), indexing="ij"), -1)
    centres = corners.reshape(-1, 2) + 7.5
    sites = PatchGrid.at(raster.image.numpy(), np.delete(centres, 30, 0), 16, percentiles=None)
    found = align(small_model(sites), sites, **FEW)
    assert (np.isnan(found.factors).all(0) == ~sites.mask.numpy()).all()
    assert np.isnan(found.factors).any()
    truth = sites.centers[..., 1] >= 48
    there = sites.mask.numpy()
    assert abs(np.corrcoef(found.factors[0][there], truth[there])[0, 1]) > 0.8


def test_of_a_large_image_they_are_as_complete(variants, monkeypatch):
    grid, _ = variants
    monkeypatch.setattr(module, "_WINDOWS", 4000)
    monkeypatch.setattr(module, "_CROP", 40)
    found = align(small_model(grid), grid, **FEW)
    truth = np.broadcast_to(np.arange(21) * 4 + 8 >= 48, grid.shape)
    assert abs(np.corrcoef(found.factors[0].ravel(), truth.ravel())[0, 1]) > 0.65
