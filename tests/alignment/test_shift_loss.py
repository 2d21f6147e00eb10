"""Shifts of windows that are trained to differ by their displacement."""

import math

import pytest
import torch

from lattices import SHIFT_ONLY, median_steps, small_model, square_lattice
from phyvae import PatchGrid, align
from phyvae.alignment.components import principal_components, score_field
from phyvae.alignment.encoder_start import score_encoder
from phyvae.alignment.shift_loss import ShiftLoss


@pytest.mark.parametrize("seed", [0, 1])
def test_neighbouring_windows_differ_by_their_displacement(grid, aligned, seed):
    model, found = aligned
    if seed:
        model = small_model(grid, seed)
        found = align(model, grid, steps=400, seed=seed, **SHIFT_ONLY)
    assert found.share > 0.25
    # Away from the jumps, one pixel further moves the content one pixel back.
    down, right = median_steps(model, grid)
    assert abs(down + 1) < 0.15
    assert abs(right + 1) < 0.15
    # The jumps are by about a lattice constant, once in each, so they cancel the rest.
    shifts = model.shifts(PatchGrid(grid.image, size=16, step=1))
    assert abs(float(shifts[0].diff(dim=0).mean())) < 0.05
    assert abs(median_steps(small_model(grid, seed), grid)[0]) < 0.1


def test_the_cell_is_the_whole_one_not_that_of_all_atoms_alike():
    # uniform over a cell of 8 px: a standard deviation of 2.3 px; over the half cell, 1.6 px
    grid = square_lattice(weak=-0.5)
    model = small_model(grid)
    align(model, grid, steps=400, **SHIFT_ONLY)
    spread = model.shifts(PatchGrid(grid.image, size=16, step=1)).flatten(1).std(1)
    assert (spread > 1.9).all()


@pytest.fixture(scope="module")
def loss(grid):
    """Return the loss of an encoder of scores that has not been trained."""
    generator = torch.Generator().manual_seed(0)
    model = small_model(grid)
    components = principal_components(grid, model.like, generator)
    scores = score_field(grid, components, generator)
    return ShiftLoss(score_encoder(model, components, generator), scores, generator, (5, 3))


class TestLoss:
    def test_its_pairs_lie_within_reach_and_in_the_image(self, loss):
        first, second = loss.pairs(400)
        assert (second - first)[:, 1:].abs().amax(0).tolist() == [5, 3]
        assert (second == loss.scores.clamped(second)).all()

    def test_it_is_least_where_shifts_differ_by_the_displacement(self, loss):
        model = loss.encoder.model
        displacement = torch.tensor([[2.0, -3.0], [0.0, 1.0]])
        means = torch.zeros(4, model.z_dim)
        means[2:, :2] = -displacement / model.shift_scale
        exact = loss(means, displacement)
        assert float(exact) == pytest.approx(-1 + 0.005 * float(means[:, :2].square().mean()))
        assert float(loss(torch.zeros_like(means), displacement)) > float(exact)

    def test_the_tolerance_is_a_third_of_reach_along_either_axis(self, loss):
        means = torch.zeros(4, loss.encoder.model.z_dim)
        for missed in ([[5 / 3, 0.0]] * 2, [[0.0, 1.0]] * 2):
            assert float(loss(means, torch.tensor(missed))) == pytest.approx(-math.exp(-0.5))

    def test_agreement_of_an_untrained_encoder_is_that_by_chance(self, loss):
        # Its shifts are nearly the same everywhere: the ellipse's share of 11 x 7 displacements.
        share, by_chance = loss.agreement()
        inside = sum((y / 5) ** 2 + (x / 3) ** 2 < 1 / 9 for y in range(-5, 6) for x in (-1, 0, 1))
        assert abs(share - by_chance) < 0.05
        assert abs(by_chance - inside / 77) < 0.06
