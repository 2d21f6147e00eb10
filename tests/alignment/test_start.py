import copy

import numpy as np
import pyro
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, ShiftVAE, align

SHIFT_ONLY = {"content_steps": 0, "decoder_steps": 0, "progress": False}


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
        share = align(model, grid, steps=500, seed=seed, **SHIFT_ONLY).share
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
        align(model, grid, steps=500, **SHIFT_ONLY)
        spread = model.shifts(PatchGrid(grid.image, size=16, step=1)).flatten(1).std(1)
        assert (spread > 1.9).all()

    def test_content_not_taught_starts_near_the_mean_of_the_prior_but_not_flat(self):
        grid = square_lattice()
        model = small_model(grid)
        found = align(model, grid, steps=3, **SHIFT_ONLY)
        assert found.autocorrelations.shape == (0,)
        maps = model.latent_maps(grid)
        assert maps.abs().max() < 0.02
        assert maps.std(dim=(1, 2)).min() > 0
        _, std = model.encode(grid.gather(torch.arange(5)))
        assert_close(std[:, :2], torch.full((5, 2), 0.2))

    def test_noise_aligns_with_nothing(self):
        noise = PatchGrid(np.random.default_rng(0).normal(size=(96, 96)), size=16, step=4)
        found = align(small_model(noise), noise, steps=100, content_steps=100, progress=False)
        assert found.share < 0.2
        assert (found.autocorrelations < 0.3).all()

    def test_is_repeatable_and_leaves_all_else_alone(self):
        grid = square_lattice()
        first, second = small_model(grid), small_model(grid)
        store, state = pyro.get_param_store().get_state(), torch.get_rng_state()
        few = {"steps": 20, "content_steps": 10, "decoder_steps": 5, "progress": False}
        found = [align(model, grid, seed=3, **few) for model in (first, second)]
        assert torch.equal(torch.get_rng_state(), state)
        assert pyro.get_param_store().get_state() == store
        assert found[0].share == found[1].share
        assert np.array_equal(found[0].autocorrelations, found[1].autocorrelations)
        for name, value in first.state_dict().items():
            assert torch.equal(value, second.state_dict()[name])

    def test_the_decoder_is_taught_with_the_encoder_as_it_is(self):
        grid = square_lattice()
        first, second = small_model(grid), small_model(grid)
        untaught = copy.deepcopy(first.decoder.state_dict())
        align(first, grid, steps=200, **SHIFT_ONLY)
        align(second, grid, steps=200, **SHIFT_ONLY | {"decoder_steps": 200})
        for name, value in first.decoder.state_dict().items():
            assert torch.equal(value, untaught[name])
        for one, two in zip(
            first.encoder_z.parameters(), second.encoder_z.parameters(), strict=True
        ):
            assert torch.equal(one, two)
        costs = [phyvae.PhysicsTrainer(m).evaluate(grid, beta=0.1) for m in (first, second)]
        assert float(costs[1].reconstruction) < float(costs[0].reconstruction) - 1

    def test_training_from_there_learns_sooner(self):
        grid = square_lattice()
        reached = []
        for aligned in (True, False):
            model = small_model(grid)
            if aligned:
                align(model, grid, steps=500, **SHIFT_ONLY)
            trainer = phyvae.PhysicsTrainer(model, batch_size=49, lr=5e-3)
            trainer.fit(grid, 20, beta=0.1, progress=False)
            reached.append(float(trainer.evaluate(grid, beta=0.1).neg_elbo))
        assert reached[0] < reached[1] - 0.5

    def test_spectra_are_refused(self):
        spectra = PatchGrid.from_spectra(np.random.default_rng(0).random((5, 5, 16)))
        with pytest.raises(ValueError, match="spectra"):
            align(ShiftVAE((16,)), spectra)

    def test_another_model_is_refused(self, unchecked):
        grid = square_lattice()
        with pytest.raises(TypeError, match="of type Linear, but align trains a ShiftVAE"):
            unchecked(align, torch.nn.Linear(1, 1), grid)

    @pytest.mark.parametrize("setting", ["steps", "pairs", "reach"])
    def test_settings_out_of_range_are_refused(self, setting):
        grid = square_lattice()
        with pytest.raises(ValueError, match=f"{setting}=0"):
            align(small_model(grid), grid, **{setting: 0})

    @pytest.mark.parametrize("setting", ["content_steps", "decoder_steps"])
    def test_negative_steps_are_refused(self, setting):
        grid = square_lattice()
        with pytest.raises(ValueError, match=f"{setting}=-1"):
            align(small_model(grid), grid, **{setting: -1})

    def test_an_image_of_one_window_is_refused(self):
        grid = PatchGrid(np.random.default_rng(0).random((16, 16)), size=16, step=4)
        with pytest.raises(ValueError, match="only one window"):
            align(small_model(grid), grid)

    def test_of_a_series_one_image_is_to_be_chosen(self, unchecked):
        grid = square_lattice()
        with pytest.raises(TypeError, match=r"align on one of the series: align\(model, grids"):
            unchecked(align, small_model(grid), [grid, grid])

    def test_patches_of_another_size_are_refused(self):
        grid = square_lattice()
        with pytest.raises(ValueError, match="patch"):
            align(ShiftVAE((8, 8)), grid)


def two_variants(seed=0):
    """A noisy lattice with weak atoms left of the middle, and moved ones right of it."""
    y, x = (2 * np.pi * n / 8 for n in np.indices((96, 96)))
    moved = np.where(np.arange(96) < 48, -0.6, 0.6)
    image = np.exp(2 * (np.cos(y) + np.cos(x)))
    image += 0.5 * np.exp(2 * (np.cos(y + np.pi + moved) + np.cos(x + np.pi)))
    image = image / image.max() + 0.1 * np.random.default_rng(seed).normal(size=image.shape)
    return PatchGrid(image, size=16, step=4)


class TestContent:
    def test_starts_with_what_tells_domains_apart_whatever_the_noise(self):
        grid, again = two_variants(0), two_variants(1)
        truth = np.broadcast_to(np.arange(21) * 4 + 8 >= 48, grid.shape)
        model = small_model(grid)
        found = align(model, grid, steps=600, content_steps=600, progress=False)
        assert found.autocorrelations[0] > 0.6 > found.autocorrelations[1]
        for seen in (grid, again):
            first = model.latent_maps(seen)[0].numpy()
            labels = first > (first.min() + first.max()) / 2
            assert phyvae.adjusted_rand_index(labels, truth) > 0.8

    def test_shifts_stay_as_they_should_be(self):
        grid = two_variants()
        model = small_model(grid)
        align(model, grid, steps=400, content_steps=400, decoder_steps=0, progress=False)
        shifts = model.shifts(PatchGrid(grid.image, size=16, step=1))
        assert abs(float(shifts[0].diff(dim=0).median()) + 1) < 0.2
        assert abs(float(shifts[1].diff(dim=1).median()) + 1) < 0.2

    def test_more_latents_than_factors_are_allowed(self):
        grid = square_lattice()
        model = ShiftVAE(grid.patch_shape, latent_dim=60, dx_prior=0.3, hidden_dim_e=(8, 8))
        found = align(model, grid, steps=5, content_steps=5, decoder_steps=0, progress=False)
        assert len(found.autocorrelations) < 60


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
