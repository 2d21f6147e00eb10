"""Shifts of windows that are trained to differ by their displacement."""

from dataclasses import replace

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
    return ShiftLoss(score_encoder(model, components, generator), scores, generator, 5)


class TestLoss:
    def test_its_pairs_lie_within_reach_and_in_the_image(self, grid, loss):
        first, second = loss.pairs(200)
        assert (second - first)[:, 1:].abs().max() == 5
        assert (second == loss.scores.clamped(second)).all()

    def test_it_is_least_where_shifts_differ_by_the_displacement(self, loss):
        model = loss.encoder.model
        displacement = torch.tensor([[2.0, -3.0], [0.0, 1.0]])
        means = torch.zeros(4, model.z_dim)
        means[2:, :2] = -displacement / model.shift_scale
        exact = loss(means, displacement)
        assert float(exact) == pytest.approx(-1 + 0.005 * float(means[:, :2].square().mean()))
        assert loss.agreed[-1] == 1
        assert float(loss(torch.zeros_like(means), displacement)) > float(exact)
        assert loss.agreed[-1] == 0.5

    def test_the_share_is_that_of_the_last_tenth(self, loss):
        agreed = [torch.tensor(float(i)) for i in range(100)]
        loss = replace(loss, agreed=agreed)
        assert loss.share(20) == 98.5
        assert loss.share(1) == 99
