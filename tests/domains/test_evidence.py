"""The evidence for each number of domains."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

import phyvae
from phyvae import domain_evidence
from phyvae.domains.dividing import CONTRAST, Division
from phyvae.domains.evidence import _evidence
from phyvae.domains.wall_profiles import WallProfile

RNG = np.random.default_rng(0)
HALVES = RNG.normal(0, 0.03, (2, 30, 40))
HALVES[0, :, 20:] += 1.0


def halves_and_slow_change(seed):
    rng = np.random.default_rng(seed)
    slow = gaussian_filter(rng.normal(size=(36, 36)), 5)
    maps = np.stack([1.0 * (np.arange(36) >= 18) + 0 * slow, 0.3 * slow / slow.std()])
    return maps + rng.normal(0, 0.05, maps.shape)


class TestDomainEvidence:
    def test_has_labels_a_ranking_and_reasons(self):
        found = domain_evidence(HALVES, most=4)
        assert found.number == 2
        assert "step" in found.reason
        assert np.array_equal(found.labels, (np.arange(40) >= 20) + np.zeros((30, 1), int))
        assert [one.number for one in found.ranking] == [1, 2, 3, 4]
        assert [one.holds for one in found.ranking] == [True, True, False, False]
        assert all(one.reason for one in found.ranking)

    def test_of_a_grid_knows_how_many_cells_a_patch_is(self):
        image = RNG.random((30 * 4 + 8, 40 * 4 + 8))
        grid = phyvae.PatchGrid(image, 12, 4)
        given = domain_evidence(HALVES, most=3, grid=grid)
        assert given.ranking[1:] == domain_evidence(HALVES, most=3, wall=3).ranking[1:]
        spectra = phyvae.PatchGrid.from_spectra(RNG.random((30, 40, 16)))
        given = domain_evidence(HALVES, most=3, grid=spectra)
        assert given.ranking[1:] == domain_evidence(HALVES, most=3, wall=1).ranking[1:]

    def test_refuses_a_grid_that_is_none_and_two_sizes(self):
        grid = phyvae.PatchGrid(RNG.random((60, 60)), 12, 4)
        with pytest.raises(TypeError, match="PatchGrid"):
            domain_evidence(HALVES, grid=HALVES)
        with pytest.raises(ValueError, match="wall=2 goes without a grid"):
            domain_evidence(HALVES, grid=grid, wall=2)

    def test_prints_in_a_line(self):
        shown = repr(domain_evidence(HALVES, most=3))
        assert shown.startswith("DomainEvidence(number=2, scores={2: ")
        assert "\n" not in shown

    def test_of_a_ramp_names_it(self):
        found = domain_evidence(np.sin(np.arange(40) / 8) + HALVES[1:], most=2)
        assert found.number == 1
        assert "slow change" in found.reason
        assert not found.labels.any()

    @pytest.mark.parametrize("slope", [0.0, 0.2, 0.33, 0.6, 1.0])
    def test_a_wall_at_any_angle_divides_a_map_with_hardly_any_noise(self, slope):
        y, x = np.mgrid[:38, :38]
        halves = gaussian_filter(1.0 * (x + slope * y > 20 + 19 * slope), 0.8)
        found = domain_evidence(halves + RNG.normal(0, 0.005, halves.shape), most=3)
        assert found.number == 2
        assert not found.set_aside.any()

    @pytest.mark.parametrize(
        ("contrast", "score", "holds"),
        [
            (2.2, 2.9, False),
            (2.2, 3.1, True),
            (3.1, 2.2, False),
            (3.1, 2.3, True),
            (9.0, 1.6, True),
        ],
    )
    def test_the_clearer_a_wall_the_smaller_a_score_is_enough(self, contrast, score, holds):
        wall = WallProfile(pieces=(0, 1), contrast=contrast, ramp=0.1, edge=1.0)
        labels = (np.arange(40) >= 20) + np.zeros((30, 1), int)
        assert _evidence(2, Division(labels, (wall,), score), CONTRAST).holds == holds

    def test_the_score_hardly_depends_on_the_seed(self):
        scores = [domain_evidence(HALVES, 2, seed=seed).ranking[1].score for seed in range(5)]
        assert np.std(scores) < 0.2 * np.mean(scores)

    def test_of_a_wall_wider_than_a_patch_is_one(self):
        wide = np.tanh((np.arange(40) - 20) / 4) + HALVES[1:]
        found = domain_evidence(wide, most=2)
        assert found.number == 1
        assert found.ranking[1].contrast > 1.8
        assert "tried: the edge between two of them is a slow change, of thickness" in found.reason
        assert domain_evidence(wide, most=2, wall=5).number == 2

    @pytest.mark.parametrize("seed", [26, 44, 48, 50])
    def test_a_slow_change_in_another_channel_adds_no_domain(self, seed):
        assert domain_evidence(halves_and_slow_change(seed), most=4, wall=3).number == 2

    def test_of_twenty_slow_changes_one_at_most_adds_a_domain(self):
        maps = [halves_and_slow_change(seed) for seed in range(20)]
        numbers = [domain_evidence(one, most=4, wall=3).number for one in maps]
        assert numbers.count(2) >= 19

    def test_walls_of_more_domains_are_half_as_clear_as_those_of_fewer(self):
        found = domain_evidence(halves_and_slow_change(8), most=4, wall=3)
        two, three = found.ranking[1:3]
        assert two.holds
        assert not three.holds
        assert 2.2 < three.contrast < two.contrast / 2
        least = min(4.0, two.contrast / 2)
        assert f"a wall, {least:.3g} times at least, as others here are clear" in three.reason

    @pytest.mark.parametrize("seed", [7, 10, 20])
    def test_patches_that_overlap_what_was_left_out_have_no_part_in_it(self, seed):
        y, x = np.mgrid[:36, :36]
        away = np.hypot(y - 14, x - 18)
        maps = halves_and_slow_change(seed)
        maps[1] -= 1.5 * (away < 5.7)
        assert domain_evidence(maps, most=4, wall=3, mask=away > 4).number == 2

    def test_a_narrow_specimen_counts_as_a_whole(self):
        mask = np.zeros((30, 40), dtype=bool)
        mask[8:12] = True
        found = domain_evidence(HALVES, most=2, wall=3, mask=mask)
        assert (found.labels[mask] >= 0).all()

    def test_sets_dead_lines_and_cells_aside(self):
        maps = HALVES.copy()
        maps[:, 10], maps[0, 4, 7] = 5.0, 9.0
        found = domain_evidence(maps, most=3)
        assert (found.number, found.rows, found.columns) == (2, (10,), ())
        assert found.set_aside[10].all()
        assert found.set_aside[4, 7]
        assert (found.labels[found.set_aside] == -1).all()
        assert (found.labels >= 0).sum() == 30 * 40 - 41

    def test_a_thin_phase_does_not_hide_the_others(self):
        maps = HALVES.copy()
        maps[1, :, 20:23] = 3.0
        assert domain_evidence(maps, most=4).number == 2

    def test_cells_without_a_patch_are_no_domain(self):
        maps = HALVES.copy()
        maps[:, 10] = np.nan
        maps[:, 20:, :8] = np.nan
        found = domain_evidence(maps, most=3)
        assert found.number == 2
        assert (found.labels[20:, :8] == -1).all()
        assert not found.rows

    def test_follows_the_seed_only(self):
        one, two = (domain_evidence(HALVES, most=3, seed=1) for _ in range(2))
        assert one.ranking == two.ranking or repr(one.ranking) == repr(two.ranking)

    def test_of_flat_maps_and_of_one_is_one_with_its_reason(self):
        found = domain_evidence(np.zeros((2, 9, 9)), most=2)
        assert (found.number, found.reason) == (1, "two regions were tried: the maps are flat")
        assert domain_evidence(HALVES, most=1).reason == "no more than one was looked for"

    def test_a_strip_at_the_edge_of_the_specimen_is_no_domain(self):
        maps = RNG.normal(0, 0.03, (1, 30, 40))
        maps[0, 10:22, 30:33] += 1.0
        maps[0, :, 33:] = np.nan
        maps[0, 22:, 30:] = np.nan
        maps[0, :10, 30:] = np.nan
        assert domain_evidence(maps, most=2).number == 1

    @pytest.mark.slow
    @pytest.mark.parametrize(("misorientation", "number"), [(0.0, 1), (15.0, 2)])
    def test_of_a_phantom_with_all_flaws_is_that_of_its_grains(self, misorientation, number):
        flaws = phyvae.phantoms.Flaws(
            rotation=9.0,
            strain=0.02,
            thickness=0.3,
            vacuum=0.1,
            residue=2,
            pixel_aspect=1.1,
            dead_rows=2,
            hot_rows=1,
            dead_pixels=20,
            hot_pixels=10,
        )
        phantom = phyvae.phantoms.perovskite(
            (400, 400), misorientation=misorientation, flaws=flaws, seed=1
        )
        chosen = phyvae.suggest(phantom.image)
        grid = chosen.grid()
        model = phyvae.ShiftVAE(grid.patch_shape, 2, dx_prior=chosen.dx_prior, seed=0)
        phyvae.align(model, grid, reach=chosen.reach, seed=0, progress=False)
        maps = model.latent_maps(grid, progress=False)
        assert domain_evidence(maps, 4, wall=grid.patch_shape[0] / grid.step[0]).number == number

    @pytest.mark.parametrize("shape", [(2, 1, 40), (2, 40, 1)])
    def test_refuses_a_list_of_sites(self, shape):
        with pytest.raises(ValueError, match="must be a raster"):
            domain_evidence(np.zeros(shape), most=2)

    @pytest.mark.parametrize("wall", [0, -1.0, np.inf])
    def test_refuses_a_wall_without_length(self, wall):
        with pytest.raises(ValueError, match="wall="):
            domain_evidence(HALVES, wall=wall)

    def test_is_public(self):
        assert phyvae.DomainEvidence is type(domain_evidence(HALVES[:, ::3, ::3], most=1))
