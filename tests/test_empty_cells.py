"""A cell without a patch is NaN in maps and -1 in labels, and counts nowhere."""

import numpy as np
import pytest
import torch

from phyvae import (
    adjusted_rand_index,
    boundaries,
    boundary_length,
    grains,
    match_labels,
    mean_iou,
    segment,
    wall_length_ratio,
)

RNG = np.random.default_rng(0)
Y, X = np.mgrid[:20, :26]
DOMAINS = (np.hypot(Y - 8, X - 10) < 6).astype(int)
MAPS = np.stack([DOMAINS, -DOMAINS]) + RNG.normal(0, 0.1, (2, 20, 26))
MASK = RNG.random((20, 26)) > 0.15
HOLES = np.where(MASK, MAPS, np.nan)
LABELS = np.where(MASK, DOMAINS, -1)


class TestSegment:
    @pytest.mark.parametrize("method", ["gmm", "otsu"])
    @pytest.mark.parametrize("denoise", [None, 0.5, "std"])
    def test_empty_cells_are_minus_one_and_the_others_are_right(self, method, denoise):
        maps = HOLES if method == "gmm" else HOLES[0]
        labels = segment(maps, method=method, denoise=denoise)
        np.testing.assert_array_equal(labels == -1, ~MASK)
        assert (labels == LABELS).mean() > (0.99 if denoise is None else 0.95)

    @pytest.mark.parametrize("method", ["gmm", "otsu"])
    @pytest.mark.parametrize("denoise", [None, 0.3])
    def test_what_lies_in_them_does_not_matter(self, method, denoise):
        maps = HOLES if method == "gmm" else HOLES[0]
        expected = segment(maps, method=method, denoise=denoise)
        for filler in (-99.0, 0.5, np.inf):
            filled = np.where(MASK, maps, filler)
            found = segment(filled, method=method, denoise=denoise, mask=torch.from_numpy(MASK))
            np.testing.assert_array_equal(found, expected)

    def test_a_filter_does_not_take_them_for_low_values(self):
        few = np.where(RNG.random(MASK.shape) > 0.7, MAPS[0], np.nan)
        low, high = (segment(z, method="otsu", denoise=3.0) for z in (few, -few))
        there = low >= 0
        assert (high[there] == 1 - low[there]).mean() > 0.98

    def test_whole_rows_of_empty_cells_change_nothing_else(self):
        padded = np.pad(MAPS, ((0, 0), (2, 0), (0, 3)), constant_values=np.nan)
        np.testing.assert_array_equal(segment(padded)[2:, :-3], segment(MAPS))

    def test_a_mask_of_everything_is_no_mask(self):
        np.testing.assert_array_equal(segment(MAPS, mask=np.ones_like(MASK)), segment(MAPS))

    def test_flat_maps_are_one_domain_but_for_empty_cells(self):
        flat = np.where(MASK, 0.3, np.nan)
        np.testing.assert_array_equal(segment(flat), np.where(MASK, 0, -1))
        np.testing.assert_array_equal(segment(HOLES, classes=1), np.where(MASK, 0, -1))

    def test_chan_vese_needs_every_cell(self):
        with pytest.raises(ValueError, match=r"chan_vese.*hold no patch; use method='otsu'"):
            segment(HOLES[0], method="chan_vese")

    def test_half_a_nan_is_still_refused(self):
        maps = MAPS.copy()
        maps[1, 2, 3] = np.nan
        with pytest.raises(ValueError, match=r"maps holds 1 NaN.*\(1, 2, 3\)"):
            segment(maps)

    def test_so_is_nan_where_the_mask_has_a_patch(self):
        with pytest.raises(ValueError, match="NaN or infinite"):
            segment(HOLES, mask=np.ones_like(MASK))

    def test_so_are_maps_without_any_patch(self):
        with pytest.raises(ValueError, match="no patch is left"):
            segment(HOLES * np.nan)

    @pytest.mark.parametrize("mask", [MASK[1:], MASK.astype(int), MASK[None]])
    def test_so_is_another_mask(self, mask):
        with pytest.raises(ValueError, match="mask of shape"):
            segment(MAPS, mask=mask)

    def test_classes_are_at_most_the_patches(self):
        maps = np.full((4, 4), np.nan)
        maps[0] = range(4)
        with pytest.raises(ValueError, match="classes=5 exceeds the 4 cells"):
            segment(maps, classes=5)


class TestWallsAndGrains:
    def test_the_rim_of_empty_cells_is_no_wall(self):
        assert not boundaries([[0, 0, -1], [0, -1, 1], [-1, 1, 1]]).any()
        np.testing.assert_array_equal(
            boundaries([[0, 1, -1], [0, -1, 1]]), [[True, True, False], [False] * 3]
        )

    def test_walls_between_the_other_cells_stay(self):
        whole, holes = boundaries(DOMAINS), boundaries(LABELS)
        assert not holes[~MASK].any()
        assert (holes <= whole).all()
        near = np.pad(~MASK, 1)
        touched = near[:-2, 1:-1] | near[2:, 1:-1] | near[1:-1, :-2] | near[1:-1, 2:]
        np.testing.assert_array_equal(holes[MASK & ~touched], whole[MASK & ~touched])

    def test_empty_cells_are_no_grain(self):
        np.testing.assert_array_equal(
            grains([[-1, 0, 0, 1], [0, 0, 0, -1]], max_size=1), [[0, 0, 0, 1], [0, 0, 0, 0]]
        )
        assert grains(np.full((3, 3), -1), max_size=9).max() == 0


class TestMetrics:
    def test_only_cells_with_both_labels_count(self):
        found, other = DOMAINS.copy(), RNG.integers(3, size=DOMAINS.shape)
        found[:3] = 2
        for metric in (adjusted_rand_index, mean_iou):
            expected = metric(found[MASK][None], other[MASK][None])
            for a, b in ((MASK, MASK), (MASK, True), (True, MASK)):
                holes = np.where(a, found, -1), np.where(b, other, -1)
                assert metric(*holes) == pytest.approx(expected)

    def test_matching_leaves_empty_cells_empty(self):
        matched = match_labels([[0, 0, 1, -1, 2]], [[5, 5, 3, 3, -1]])
        np.testing.assert_array_equal(matched, [[5, 5, 3, -1, 6]])
        np.testing.assert_array_equal(
            match_labels(LABELS, DOMAINS + 3), np.where(MASK, DOMAINS + 3, -1)
        )

    def test_walls_to_empty_cells_have_no_length(self):
        assert boundary_length(np.where(MASK, 4, -1)) == 0
        assert 0 < boundary_length(LABELS) < boundary_length(DOMAINS)

    def test_rows_of_empty_cells_at_the_rim_change_few_cells(self):
        padded = np.pad(DOMAINS, 2, constant_values=-1)
        assert boundary_length(padded) == pytest.approx(boundary_length(DOMAINS))

    def test_the_ratio_compares_cells_that_both_have(self):
        assert wall_length_ratio(LABELS, DOMAINS) == 1
        assert wall_length_ratio(DOMAINS, LABELS) == 1

    def test_nothing_in_common_is_refused(self):
        with pytest.raises(ValueError, match="no cell with a label in both"):
            adjusted_rand_index([[0, -1]], [[-1, 0]])
