"""An expansion is exact, and never raises the energy."""

from itertools import product

import numpy as np
import pytest

from phyvae.domains.expansion import expanded, labelling_energy
from phyvae.patches.neighbours import neighbours_of


def problem(labels, seed, shape=(3, 3)):
    costs = np.random.default_rng(seed).exponential(1.0, (shape[0] * shape[1], labels))
    return costs, neighbours_of(shape, diagonals=True)


@pytest.mark.parametrize("seed", range(5))
def test_one_expansion_of_two_labels_finds_the_least_energy(seed):
    costs, walls = problem(2, seed)
    found = expanded(costs, np.zeros(9, dtype=int), walls)
    every = [labelling_energy(costs, np.array(one), walls) for one in product((0, 1), repeat=9)]
    assert labelling_energy(costs, found, walls) == pytest.approx(min(every), abs=0.01)


@pytest.mark.parametrize("seed", range(5))
def test_the_energy_of_several_labels_falls_close_to_the_least(seed):
    costs, walls = problem(3, seed, (2, 4))
    labels = np.random.default_rng(seed).integers(0, 3, 8)
    before = labelling_energy(costs, labels, walls)
    for _ in range(3):
        labels = expanded(costs, labels, walls)
        after = labelling_energy(costs, labels, walls)
        assert after <= before
        before = after
    every = [labelling_energy(costs, np.array(one), walls) for one in product(range(3), repeat=8)]
    assert after <= min(every) * 1.05


def test_without_walls_each_cell_takes_its_cheapest_label():
    costs, walls = problem(3, 0, (5, 7))
    none = walls.where(np.zeros(len(walls), dtype=bool))
    found = expanded(costs, np.zeros(35, dtype=int), none)
    cheapest = labelling_energy(costs, costs.argmin(axis=1), none)
    assert labelling_energy(costs, found, none) == pytest.approx(cheapest, abs=0.05)


def test_the_energy_is_that_of_costs_and_length_of_walls():
    costs, walls = np.zeros((1600, 2)), neighbours_of((40, 40), diagonals=True)
    across = (np.arange(1600) % 40 >= 5).astype(int)
    assert labelling_energy(costs, across, walls) == pytest.approx(40, rel=0.06)
    wall = labelling_energy(costs, across, walls)
    assert labelling_energy(costs + 1, across, walls) == pytest.approx(1600 + wall)
