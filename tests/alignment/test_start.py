"""The public `align`: repeatable, better than no start, and its refusals."""

import copy
import re

import numpy as np
import pyro
import pytest
import torch

import phyvae
from lattices import small_model, square_lattice
from phyvae import AlignmentWarning, PatchGrid, ShiftVAE, align


class TestAlign:
    def test_noise_aligns_with_nothing(self):
        noise = PatchGrid(np.random.default_rng(0).normal(size=(96, 96)), size=16, step=4)
        with pytest.warns(AlignmentWarning) as caught:
            found = align(small_model(noise), noise, steps=100, content_steps=100, progress=False)
        lattice, factors = (str(one.message) for one in caught)
        assert re.search("agree, and .*% do by chance: align has found no lattice", lattice)
        assert "No content factor stands out of noise" in factors
        assert found.latents == 0
        assert found.autocorrelations.max() < 1.2 * found.autocorrelation_by_chance

    def test_a_single_crystal_has_a_lattice_but_no_factor(self):
        grid = square_lattice(noise=0.5)
        model = small_model(grid)
        with pytest.warns(AlignmentWarning, match="No content factor stands out") as caught:
            found = align(model, grid, steps=300, content_steps=1, decoder_steps=0, progress=False)
        assert len(caught) == 1
        assert found.share > 2.5 * found.share_by_chance
        assert found.latents == 0
        assert "latents=0" in repr(found)

    def test_is_repeatable_and_leaves_all_else_alone(self):
        grid = square_lattice()
        first, second = small_model(grid), small_model(grid)
        store, state = pyro.get_param_store().get_state(), torch.get_rng_state()
        few = {"steps": 20, "content_steps": 10, "decoder_steps": 5, "progress": False}
        found = [align(model, grid, seed=3, **few) for model in (first, second)]
        assert torch.equal(torch.get_rng_state(), state)
        assert pyro.get_param_store().get_state() == store
        assert found[0].share == found[1].share
        assert np.array_equal(found[0].factors, found[1].factors)
        assert np.array_equal(found[0].autocorrelations, found[1].autocorrelations)
        for name, value in first.state_dict().items():
            assert torch.equal(value, second.state_dict()[name])

    def test_training_from_there_learns_sooner(self, grid, aligned):
        reached = []
        for model in (copy.deepcopy(aligned[0]), small_model(grid)):
            trainer = phyvae.PhysicsTrainer(model, batch_size=49, lr=1e-2)
            trainer.fit(grid, 16, beta=0.1, progress=False)
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

    @pytest.mark.parametrize(
        ("reach", "named"),
        [
            (16, "16 px along y, but windows of 16 px that far apart share no pixel"),
            ((3, 20), "20 px along x, but windows of 16 px"),
            ((3, 9), "9 px along x, but the image has room for 8 px"),
            ((3, 0), r"reach=\(3, 0\) must be at least 1 px"),
            (2.5, "reach=2.5 must be an integer or a pair"),
        ],
    )
    def test_a_reach_that_cannot_be_is_refused(self, reach, named, unchecked):
        grid = PatchGrid(np.random.default_rng(0).random((40, 24)), size=16, step=4)
        with pytest.raises(ValueError, match=named):
            unchecked(align, small_model(grid), grid, reach=reach)

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
