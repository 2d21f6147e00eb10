"""Registration of patches on a lattice."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from phyvae.patches.registration import (
    NoLatticeError,
    lattice_waves,
    registered_patches,
    sites_near,
    strongest_waves,
)

WAVES = np.array([[0.08, 0.01], [-0.015, 0.075]])
ORIGIN = np.array([3.3, 5.9])


def phases(shape):
    return (np.moveaxis(np.indices(shape), 0, -1) - ORIGIN) @ WAVES.T


def a_lattice(shape=(200, 240)):
    """A lattice by its formula: crests of both waves are at ORIGIN + cell @ integers."""
    return np.cos(2 * np.pi * phases(shape)).sum(-1)


def alike(found, waves):
    """Whether wavevectors agree but for their order and their signs, to a bin of 200 px."""
    signed = np.concatenate([found, -found])
    return all(np.abs(signed - wave).max(axis=1).min() < 0.004 for wave in waves)


def test_sites_are_those_of_the_lattice_nearest_to_each_place():
    places = np.random.default_rng(0).uniform(40, 160, (50, 2))
    sites = sites_near(a_lattice(), places, WAVES, (8.0, 8.0))
    whole_turns = (sites - ORIGIN) @ WAVES.T
    assert_allclose(whole_turns, np.round(whole_turns), atol=0.01)
    assert np.abs((sites - places) @ WAVES.T).max() <= 0.51


def test_waves_are_those_of_the_lattice():
    assert alike(strongest_waves(a_lattice()), WAVES)
    assert alike(lattice_waves(a_lattice()), WAVES)


def test_a_weak_cell_is_found_under_its_strong_diagonals():
    down, right = np.moveaxis(2 * np.pi * phases((200, 240)), -1, 0)
    diagonals = np.cos(down + right) + np.cos(down - right)
    both = np.stack([WAVES[0] + WAVES[1], WAVES[0] - WAVES[1]])
    noise = np.random.default_rng(0).normal(0, 0.3, (200, 240))
    centred = diagonals + noise
    assert alike(lattice_waves(centred), both)
    assert alike(lattice_waves(centred + 0.3 * (np.cos(down) + np.cos(right))), WAVES)


def test_registered_patches_of_a_perfect_lattice_are_all_alike():
    places = np.random.default_rng(0).uniform(60, 140, (20, 2))
    patches = registered_patches(a_lattice(), places, (20, 26), WAVES)
    assert patches.shape == (20, 20, 26)
    apart = places[1:] - places[:-1]
    assert np.abs(apart).max() > 20
    assert np.abs(patches - patches.mean(0)).max() < 0.2 * np.ptp(patches)


def test_an_image_without_crossing_waves_is_refused():
    stripes = np.cos(np.arange(100) * 2 * np.pi / 10)[:, None] * np.ones(100)
    with pytest.raises(NoLatticeError, match="image shows no lattice: no two"):
        strongest_waves(np.zeros((100, 100)))
    noise = np.random.default_rng(0).normal(0, 0.1, (100, 100))
    with pytest.raises(NoLatticeError, match="take kind='autocorrelation'"):
        strongest_waves(stripes + noise)
    with pytest.raises(NoLatticeError):
        strongest_waves(noise)
