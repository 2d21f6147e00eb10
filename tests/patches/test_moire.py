"""Moiré of the step of a grid with the lattice."""

import numpy as np
import pytest

import phyvae
from phyvae import find_moire

RNG = np.random.default_rng(0)
SQUARE = [[12.6, 0.0], [0.0, 12.6]]
Y, X = np.indices((40, 48))
HALVES = 1.0 * (X > 22) + 0 * Y


class TestFindMoire:
    @pytest.mark.parametrize("step", [11, 14, (11, 14)])
    def test_waves_of_the_lattice_are_found_with_their_period(self, step):
        y, x = np.broadcast_to(step, 2)
        wave = np.cos(2 * np.pi * (Y * y + X * x) / 12.6) + RNG.normal(0, 0.3, (2, 40, 48))
        wave[1] = RNG.normal(size=(40, 48))
        found = find_moire(wave, SQUARE, step)
        folded = [s / 12.6 - round(s / 12.6) for s in (y, x)]
        assert found.period == pytest.approx([1 / np.hypot(*folded), np.inf])
        assert found.share[0] > 0.5
        assert found.share[1] == 0

    def test_domains_slow_changes_and_noise_are_none(self):
        maps = np.stack([HALVES, X * 0.1 + Y * 0.2, HALVES * Y / 40, RNG.normal(size=X.shape)])
        for step in (9, 11, 12, 14):
            assert not find_moire(maps, SQUARE, step).share.any()

    def test_other_waves_are_none(self):
        wave = np.cos(2 * np.pi * X / 6.0)[None]
        assert not find_moire(wave, SQUARE, 11).share.any()

    def test_the_step_it_names_has_short_waves_only(self):
        y, x = find_moire(HALVES, [[35.0, 0.0], [0.0, 11.0]], (9, 9)).step
        folded = [[y / 35 - round(y / 35), 0], [0, x / 11 - round(x / 11)]]
        assert np.linalg.norm(folded, axis=1).min() > 0.3

    def test_cells_without_a_patch_have_no_part(self):
        wave = np.cos(2 * np.pi * X * 11 / 12.6)[None] + 0.0
        mask = X < 40
        wave[:, ~mask] = np.nan
        assert find_moire(wave, SQUARE, 11, mask=mask).share > 0.5

    def test_of_patches_not_aligned_is_found_in_their_components(self):
        phantom = phyvae.phantoms.perovskite((350, 350), lattice=12.6, seed=0)
        patches = phyvae.PatchGrid(phantom.image, 24, 11).patches.flatten(2).numpy()
        flat = patches.reshape(-1, patches.shape[-1])
        scores = np.linalg.svd(flat - flat.mean(axis=0), full_matrices=False)[0][:, :3]
        maps = np.moveaxis(scores.reshape(*patches.shape[:2], 3), -1, 0)
        found = find_moire(maps, SQUARE, 11)
        assert (found.share[:2] > 0.5).all()
        assert (found.signal(np.full(3, 0.9))[:2] == 0).all()

    def test_signal_is_that_of_the_maps_without_it(self):
        wave = np.cos(2 * np.pi * X * 11 / 12.6)
        found = find_moire(np.stack([HALVES, wave]), SQUARE, 11)
        assert found.signal([0.8, 0.9]).tolist() == [0.8, 0.0]
        with pytest.raises(ValueError, match="signal of shape"):
            found.signal([0.8])

    def test_of_a_map_that_is_a_domain_first_is_none(self):
        wave = np.cos(2 * np.pi * X * 11 / 12.6)
        assert not find_moire(HALVES + 0.4 * wave, SQUARE, 11).share.any()

    @pytest.mark.parametrize("cell", [[1.0, 2.0], [[1.0, 0.0], [2.0, 0.0]], [[np.nan, 0], [0, 1]]])
    def test_refuses_a_cell_that_spans_no_plane(self, cell):
        with pytest.raises(ValueError, match="cell="):
            find_moire(HALVES, cell, 11)

    def test_refuses_a_list_of_sites(self):
        with pytest.raises(ValueError, match=r"maps of shape \(1, 1, 40\) have one row"):
            find_moire(np.ones((1, 1, 40)), SQUARE, 11)
