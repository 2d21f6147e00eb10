"""Pixels that were left out are as recorded, or blank, and hatched."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from phyvae import PatchGrid
from phyvae.plotting.hatching import add_hatching, recorded, stripes_of


@pytest.fixture
def recording():
    image = np.random.default_rng(0).normal(10, 1, (60, 80))
    image[:20, :30] = np.nan
    image[40:, 50:] = 99  # residue
    return image


@pytest.fixture
def masked(recording):
    return PatchGrid(recording, 12, mask=np.isfinite(recording) & (recording < 50))


def test_what_is_not_recorded_is_nan_and_residue_is_bright(masked, recording):
    picture, hidden = recorded(masked, recording)
    assert np.isnan(picture[:20, :30]).all()
    assert (picture[40:, 50:] == 1).all()
    np.testing.assert_array_equal(hidden, ~masked.specimen.numpy())
    np.testing.assert_array_equal(picture[~hidden], masked.image.numpy()[~hidden])
    assert np.isfinite(masked.image.numpy()).all()  # the grid is left as it was


def test_without_a_mask_it_is_the_image_of_the_grid(grid):
    picture, hidden = recorded(grid, grid.image)
    np.testing.assert_array_equal(picture, grid.image.numpy())
    assert not hidden.any()


def test_spectra_that_were_not_recorded_are_nan():
    cube = np.random.default_rng(0).random((9, 10, 20))
    cube[:3, :4] = np.nan
    grid = PatchGrid.from_spectra(cube, mask=np.isfinite(cube).all(-1))
    picture, hidden = recorded(grid, cube.mean(-1))
    assert np.isnan(picture).sum() == hidden.sum() == 12


def test_stripes_are_over_hidden_pixels_alone():
    hidden = np.zeros((50, 70), bool)
    hidden[10:40, 20:60] = True
    stripes = stripes_of(hidden)
    assert not stripes[~hidden].any()
    assert stripes[hidden].mean() == pytest.approx(0.25, abs=0.05)
    _, ax = plt.subplots()
    add_hatching(ax, hidden, (0, 7, 5, 0))
    (shown,) = ax.get_images()
    assert shown.get_extent() == [0, 7, 5, 0]
    np.testing.assert_array_equal(~shown.get_array().mask, stripes == 1)
