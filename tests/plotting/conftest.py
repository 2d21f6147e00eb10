"""Grids to plot; no figure is shown, and none is left."""

import matplotlib.pyplot as plt
import numpy as np
import pytest

from phyvae import PatchGrid, phantoms


@pytest.fixture(scope="module")
def grid():
    # Patches of 21 px at step 20: their cells are 0-20, 20-40, ..., 580-600 px.
    return PatchGrid(np.random.default_rng(0).random((601, 401)), size=21, step=20)


@pytest.fixture(scope="module")
def spectra():
    return PatchGrid.from_spectra(np.random.default_rng(0).random((8, 12, 16)))


@pytest.fixture(autouse=True)
def nothing_shown_and_nothing_left(monkeypatch):
    def shown(*args, **kwargs):
        raise AssertionError("a figure was shown")

    plt.close("all")  # of tests in other folders
    monkeypatch.setattr(plt, "show", shown)
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def phantom():
    return phantoms.bfo(shape=(200, 200), seed=0)


@pytest.fixture(scope="module")
def site_grid(phantom):
    there = np.random.default_rng(0).random(len(phantom.sites)) > 0.1
    return PatchGrid.at(phantom.image, phantom.sites[there], size=16)


@pytest.fixture(scope="module")
def scattered(phantom):
    return PatchGrid.at(phantom.image, phantom.sites, size=16, lattice=False)
