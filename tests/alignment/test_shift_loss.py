"""Shifts of windows that are trained to differ by their displacement."""

import pytest
import torch

from lattices import SHIFT_ONLY, median_steps, small_model, square_lattice
from phyvae import PatchGrid, align
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


class TestLoss:
    def test_its_pairs_lie_within_reach_and_in_the_image(self, grid, aligned):
        loss = ShiftLoss(aligned[0], grid.windows, torch.Generator().manual_seed(0), 200, 5)
        _, corners, means = loss()
        assert means.shape == (400, aligned[0].coord + 2)
        assert (corners[200:] - corners[:200]).abs().max() == 5
        assert corners.min() >= 0
        assert (corners < torch.tensor(grid.windows.shape[:2])).all()

    def test_it_is_lower_of_an_aligned_model_whose_pairs_agree(self, grid, aligned):
        losses = [
            ShiftLoss(model, grid.windows, torch.Generator().manual_seed(0), 200, 6)
            for model in (aligned[0], small_model(grid))
        ]
        one, other = (float(loss()[0].detach()) for loss in losses)
        assert one < other
        assert losses[0].share(10) > losses[1].share(10)

    def test_the_share_is_that_of_the_last_tenth(self, grid, aligned):
        agreed = [torch.tensor(float(i)) for i in range(100)]
        loss = ShiftLoss(aligned[0], grid.windows, torch.Generator(), 2, 3, agreed)
        assert loss.share(20) == 98.5
        assert loss.share(1) == 99
