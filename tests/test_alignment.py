import copy

import numpy as np
import pyro
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, ShiftVAE, align


def square_lattice(period=8.0, shape=(96, 96), noise=0.05, seed=0, weak=0.6):
    """Atoms on the corners of a square cell, weaker ones in its middle."""
    y, x = (2 * np.pi * n / period for n in np.indices(shape))
    image = np.exp(2 * (np.cos(y) + np.cos(x))) - weak * np.exp(-2 * (np.cos(y) + np.cos(x)))
    image = image / image.max() + noise * np.random.default_rng(seed).normal(size=shape)
    return PatchGrid(image, size=16, step=4)


def small_model(grid, seed=0):
    return ShiftVAE(
        grid.patch_shape, dx_prior=0.3, hidden_dim_e=(64, 64), hidden_dim_d=(16,), seed=seed
    )


class TestAlign:
    @pytest.mark.parametrize("seed", [0, 1])
    def test_neighbouring_windows_differ_by_their_displacement(self, seed):
        grid = square_lattice()
        model = small_model(grid, seed)
        share = align(model, grid, steps=500, seed=seed, progress=False)
        assert share > 0.25
        everywhere = PatchGrid(grid.image, size=16, step=1)
        shifts = model.shifts(everywhere)
        down = shifts[0].diff(dim=0)
        right = shifts[1].diff(dim=1)
        # Away from the jumps, one pixel further moves the content one pixel back.
        assert abs(float(down.median()) + 1) < 0.15
        assert abs(float(right.median()) + 1) < 0.15
        # The jumps are by about a lattice constant, once in each, so they cancel the rest.
        assert abs(float(down.mean())) < 0.05
        untrained = small_model(grid, seed).shifts(everywhere)
        assert abs(float(untrained[0].diff(dim=0).median())) < 0.1

    def test_the_cell_is_the_whole_one_not_that_of_all_atoms_alike(self):
        # uniform over a cell of 8 px: a standard deviation of 2.3 px; over the half cell, 1.6 px
        grid = square_lattice(weak=-0.5)
        model = small_model(grid)
        align(model, grid, steps=500, progress=False)
        spread = model.shifts(PatchGrid(grid.image, size=16, step=1)).flatten(1).std(1)
        assert (spread > 1.9).all()

    def test_content_starts_near_the_mean_of_the_prior_but_not_flat(self):
        grid = square_lattice()
        model = small_model(grid)
        align(model, grid, steps=3, progress=False)
        maps = model.latent_maps(grid)
        assert maps.abs().max() < 0.02
        assert maps.std(dim=(1, 2)).min() > 0
        _, std = model.encode(grid.gather(torch.arange(5)))
        assert_close(std[:, :2], torch.full((5, 2), 0.2))

    def test_noise_aligns_with_nothing(self):
        noise = PatchGrid(np.random.default_rng(0).normal(size=(96, 96)), size=16, step=4)
        assert align(small_model(noise), noise, steps=100, progress=False) < 0.2

    def test_is_repeatable_and_leaves_all_else_alone(self):
        grid = square_lattice()
        first, second = small_model(grid), small_model(grid)
        decoder = copy.deepcopy(first.decoder.state_dict())
        store, state = pyro.get_param_store().get_state(), torch.get_rng_state()
        shares = [align(m, grid, steps=20, seed=3, progress=False) for m in (first, second)]
        assert torch.equal(torch.get_rng_state(), state)
        assert pyro.get_param_store().get_state() == store
        assert shares[0] == shares[1]
        for name, value in first.state_dict().items():
            assert torch.equal(value, second.state_dict()[name])
        for name, value in first.decoder.state_dict().items():
            assert torch.equal(value, decoder[name])

    def test_training_from_there_learns_sooner(self):
        grid = square_lattice()
        reached = []
        for aligned in (True, False):
            model = small_model(grid)
            if aligned:
                align(model, grid, progress=False)
            trainer = phyvae.PhysicsTrainer(model, batch_size=49, lr=5e-3)
            trainer.fit(grid, 20, beta=0.1, progress=False)
            reached.append(float(trainer.evaluate(grid, beta=0.1).neg_elbo))
        assert reached[0] < reached[1] - 0.5

    def test_spectra_are_refused(self):
        spectra = PatchGrid.from_spectra(np.random.default_rng(0).random((5, 5, 16)))
        with pytest.raises(ValueError, match="spectra"):
            align(ShiftVAE((16,)), spectra)

    @pytest.mark.parametrize("setting", ["steps", "pairs", "reach"])
    def test_settings_out_of_range_are_refused(self, setting):
        grid = square_lattice()
        with pytest.raises(ValueError, match=f"{setting}=0"):
            align(small_model(grid), grid, **{setting: 0})

    def test_patches_of_another_size_are_refused(self):
        grid = square_lattice()
        with pytest.raises(ValueError, match="patch"):
            align(ShiftVAE((8, 8)), grid)


class TestWindows:
    def test_are_at_every_pixel(self):
        grid = square_lattice()
        assert grid.windows.shape == (81, 81, 16, 16)
        assert torch.equal(grid.windows[5, 7], grid.image[5:21, 7:23])
        assert torch.equal(grid.windows[::4, ::4], grid.patches)

    def test_spectra_have_none(self):
        spectra = PatchGrid.from_spectra(np.random.default_rng(0).random((5, 5, 16)))
        with pytest.raises(ValueError, match="windows"):
            _ = spectra.windows
