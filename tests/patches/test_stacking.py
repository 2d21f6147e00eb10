"""A stack of patches is a grid of them, in their order, in which none has neighbours."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import phyvae
from phyvae import EdgeLoss, PatchGrid, PhysicsObjective, PhysicsTrainer
from phyvae.patches.stacking import as_stack, mosaic_of
from small import tiny_grid, tiny_model

STACK = np.random.default_rng(0).random((40, 6, 6))
LABELS = np.arange(40)[None] % 2


@given(count=st.integers(1, 30), height=st.integers(2, 9), width=st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_the_patches_are_those_of_the_stack(count, height, width):
    stack = np.random.default_rng(0).random((count, height, width)).astype(np.float32)
    grid = PatchGrid.from_patches(stack, percentiles=None)
    assert (grid.shape, grid.count, grid.patch_shape) == ((1, count), count, (height, width))
    assert torch.equal(grid.patches[0], torch.from_numpy(stack))
    assert torch.equal(grid.gather(grid.indices.flip(0)), torch.from_numpy(stack[::-1].copy()))


def test_the_mosaic_is_nearly_square_and_holds_the_lowest_intensity_beside_the_patches():
    mosaic, placed = mosaic_of(as_stack(np.arange(1, 10).reshape(-1, 1, 1) * np.ones((9, 2, 3))))
    assert mosaic.shape == (10, 6)
    np.testing.assert_array_equal(mosaic[::2, ::3], [[1, 2], [3, 4], [5, 6], [7, 8], [9, 1]])
    np.testing.assert_array_equal(placed.crops.corners[4], [4, 0])


def test_a_channel_and_one_common_scale():
    grid = PatchGrid.from_patches(torch.from_numpy(500 * STACK)[:, None])
    assert grid.limits == (500 * STACK.min(), 500 * STACK.max())
    assert repr(grid) == "PatchGrid.from_patches(40 patches, patch_shape=(6, 6))"
    assert_close(grid.patches, PatchGrid.from_patches(STACK).patches)


class TestTraining:
    def test_is_that_of_the_same_patches_on_a_grid_without_physics(self):
        grid, maps = tiny_grid(), []
        stack = PatchGrid.from_patches(grid.patches.flatten(0, 1), percentiles=None)
        for one in (grid, stack):
            trainer = PhysicsTrainer(tiny_model())
            trainer.fit(one, steps=20, progress=False)
            maps.append(trainer.model.latent_maps(one))
        assert maps[1].shape == (2, 1, 56)
        assert_close(maps[1].reshape(maps[0].shape), maps[0])

    def test_with_a_loss_of_values_alone(self):
        grid, loss = PatchGrid.from_patches(STACK), 2 * phyvae.Sparsity() + phyvae.Sparsity()
        trainer = PhysicsTrainer(tiny_model(), PhysicsObjective(loss))
        assert (trainer.fit(grid, steps=3, progress=False).psi > 0).all()
        assert trainer.evaluate(grid).psi > 0

    @pytest.mark.slow
    def test_maps_are_refined_with_such_a_loss(self):
        grid, objective = PatchGrid.from_patches(STACK), PhysicsObjective(phyvae.Sparsity())
        assert phyvae.refine(tiny_model(), grid, objective).maps.shape == (2, 1, 40)

    @pytest.mark.parametrize(
        "loss",
        [
            *(EdgeLoss(), phyvae.FourierLoss(), phyvae.OnChannels(phyvae.TotalVariation(), [0])),
            phyvae.Sparsity() + 0.5 * EdgeLoss(),
            lambda maps: maps.var(),
        ],
        ids=lambda loss: type(loss).__name__,
    )
    def test_a_loss_of_places_is_refused_with_the_cure(self, loss):
        grid = PatchGrid.from_patches(STACK)
        trainer = PhysicsTrainer(tiny_model(), PhysicsObjective(loss))
        for call in (lambda: trainer.fit(grid, 1), lambda: trainer.evaluate(grid)):
            with pytest.raises(ValueError, match=r"compares neighbours.*PatchGrid\(image, size"):
                call()
        assert trainer.epochs_done == 0
        alone = PhysicsTrainer(tiny_model(), PhysicsObjective())  # as advised
        assert len(alone.fit(grid, 1, progress=False)) == 1


def test_sites_none_of_which_has_neighbours_in_a_tile_are_no_stack():
    sites = np.random.default_rng(0).uniform(6, 54, (30, 2))
    grid = PatchGrid.at(np.random.default_rng(0).random((60, 60)), sites, 6, lattice=False)
    trainer = PhysicsTrainer(tiny_model(), PhysicsObjective(EdgeLoss()), tile=2, batch_size=5)
    assert len(trainer.fit(grid, 2, progress=False)) == 2


def test_what_needs_no_places_works():
    grid, maps = PatchGrid.from_patches(STACK), torch.from_numpy(9.0 * LABELS[None])
    noise = torch.rand(1, 1, 40, generator=torch.Generator().manual_seed(0))
    labels = phyvae.segment(maps + noise, 2, graph=grid.graph)
    assert phyvae.adjusted_rand_index(labels, LABELS) == 1
    assert [len(cell.mean) for cell in phyvae.mean_cells(grid, labels)] == [6, 6]
    assert phyvae.quick_maps(grid, "pca").shape == (2, 1, 40)
    assert set(phyvae.second_opinion(labels, grid)) == {"pca"}
    assert torch.equal(grid.with_known(LABELS).known[:, 0].long(), torch.from_numpy(LABELS[0]))


@pytest.mark.parametrize(
    "call",
    [
        lambda grid: phyvae.align(tiny_model(), grid),
        lambda grid: phyvae.domain_areas(grid, LABELS),
        lambda grid: phyvae.walls_between(grid, LABELS),
        lambda grid: phyvae.mean_cells(grid, LABELS, np.zeros((2, 1, 40))),
        lambda grid: phyvae.quick_maps(grid),
        lambda grid: phyvae.segment(torch.rand(2, 1, 40), 2, graph=grid.graph, denoise=1.0),
        lambda grid: phyvae.count_domains(np.random.default_rng(0).random((1, 1, 40)), grid=grid),
    ],
)
def test_what_needs_places_is_refused(call):
    with pytest.raises(ValueError, match=r"stack|a single line"):
        call(PatchGrid.from_patches(STACK))


@pytest.mark.parametrize(
    ("patches", "named"),
    [
        (STACK[0], "must be a stack of one size"),
        ([STACK[0], STACK[0, 1:]], "must be a stack of one size"),
        (STACK[:, :1], "at least 2 px"),
        (STACK[None, None], "must be a stack of one size"),
        (0 * STACK, "patches is constant"),
        (np.where(STACK > 0.9, np.nan, STACK), "patches holds .* NaN"),
    ],
)
def test_others_are_refused(patches, named):
    with pytest.raises(ValueError, match=named):
        PatchGrid.from_patches(patches)
