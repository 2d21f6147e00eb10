"""A second opinion on domains."""

import math

import numpy as np
import pytest

import phyvae


@pytest.fixture(scope="module")
def nio():
    phantom = phyvae.phantoms.nio_lsmo((320, 340), seed=0)
    grid = phyvae.PatchGrid(phantom.image, 24, 12)
    return grid, grid.sample(phantom.domains), phantom


def test_true_domains_are_agreed_with_and_others_are_not(nio):
    grid, truth, _ = nio
    agreement = phyvae.second_opinion(truth, grid)
    assert list(agreement) == ["autocorrelation", "fourier", "registered"]
    assert min(agreement["autocorrelation"], agreement["fourier"]) > 0.9
    assert agreement["registered"] > 0.7  # on the lattice of one of the two phases
    upper = np.indices(grid.shape)[0] < grid.shape[0] // 2
    assert max(phyvae.second_opinion(upper.astype(int), grid).values()) < 0.1


def test_labels_have_no_names(nio):
    grid, truth, _ = nio
    assert phyvae.second_opinion(7 - 2 * truth, grid) == phyvae.second_opinion(truth, grid)


def test_cells_without_a_label_do_not_count(nio):
    grid, truth, _ = nio
    labels = truth.copy()
    labels[: grid.shape[0] // 2] = -1
    assert min(phyvae.second_opinion(labels, grid).values()) > 0.7


def test_opposite_polarisations_are_seen_by_registered_patches_alone():
    phantom = phyvae.phantoms.bfo((450, 450), seed=0)
    grid = phyvae.PatchGrid(phantom.image, 24, 12)
    agreement = phyvae.second_opinion(grid.sample(phantom.domains), grid)
    assert agreement["registered"] > 0.85
    assert max(agreement["autocorrelation"], agreement["fourier"]) < 0.7


def test_patches_on_sites_are_compared_as_they_are(nio):
    _, _, phantom = nio
    grid = phyvae.PatchGrid.at(phantom.image, phantom.sites, 24, lattice=False)
    agreement = phyvae.second_opinion(grid.sample(phantom.domains), grid)
    assert list(agreement) == ["autocorrelation", "fourier", "pca"]
    assert min(agreement.values()) > 0.8


def test_spectra_are_compared_by_their_components():
    labels = np.repeat([[0, 1]], 6, axis=0).repeat(5, axis=1)
    cube = labels[..., None] * np.sin(np.arange(20)) + np.random.default_rng(0).normal(
        0, 0.1, (6, 10, 20)
    )
    grid = phyvae.PatchGrid.from_spectra(cube)
    assert phyvae.second_opinion(labels, grid) == {"pca": 1.0}


def test_without_a_lattice_there_are_no_registered_patches():
    noise = np.random.default_rng(0).normal(0, 1, (120, 120))
    noise[:, 60:] *= 3
    grid = phyvae.PatchGrid(noise, 12, 6)
    agreement = phyvae.second_opinion(grid.centers[..., 1] > 60, grid)
    assert agreement["fourier"] > 0.5
    assert math.isnan(agreement["registered"])


def test_refuses_labels_that_do_not_suit(nio):
    grid, truth, _ = nio
    with pytest.raises(ValueError, match="must have a label for each cell of the grid"):
        phyvae.second_opinion(truth[1:], grid)
    with pytest.raises(ValueError, match="labels hold 1 domain"):
        phyvae.second_opinion(0 * truth, grid)


def test_of_many_patches_every_second_row_and_column_are_compared(nio, monkeypatch):
    grid, truth, _ = nio
    every = phyvae.second_opinion(truth, grid)
    monkeypatch.setattr("phyvae.pipeline.opinion._PATCHES", len(grid) // 4)
    few = phyvae.second_opinion(truth, grid)
    assert few != every
    assert min(few["autocorrelation"], few["fourier"]) > 0.85
