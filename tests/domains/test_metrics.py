"""Metrics see the domains, not their names."""

from itertools import permutations
from math import comb

import numpy as np
import pytest
import torch

from phyvae.domains.metrics import adjusted_rand_index, match_labels, mean_iou
from phyvae.domains.walls import wall_length_ratio

AGREEMENTS = [adjusted_rand_index, mean_iou]
COMPARISONS = [*AGREEMENTS, wall_length_ratio]


@pytest.fixture
def truth():
    return np.repeat([[0, 1, 2]], 4, axis=1).repeat(10, axis=0)


@pytest.fixture
def labels(truth):
    """The truth with errors, and one label too many."""
    rng = np.random.default_rng(0)
    return np.where(rng.random(truth.shape) < 0.3, rng.integers(4, size=truth.shape), truth)


@pytest.mark.parametrize("metric", COMPARISONS)
class TestEveryComparison:
    def test_perfect_labels_score_one(self, metric, truth):
        assert metric(truth, truth) == 1

    def test_names_of_labels_and_domains_do_not_matter(self, metric, labels, truth):
        renamed = np.array([9, -4, 0, 3])
        value = metric(labels, truth)
        assert metric(renamed[labels], truth) == pytest.approx(value)
        assert metric(labels, renamed[truth]) == pytest.approx(value)

    @pytest.mark.parametrize("flip", [np.flipud, np.fliplr, np.transpose])
    def test_flips_do_not_matter(self, metric, labels, truth, flip):
        assert metric(flip(labels), flip(truth)) == pytest.approx(metric(labels, truth))

    def test_tensors_arrays_lists_and_whole_floats_score_the_same(self, metric, labels, truth):
        value = metric(labels, truth)
        assert metric(torch.tensor(labels), torch.tensor(truth)) == value
        assert metric(labels.tolist(), truth.astype(np.float32)) == value
        assert metric(torch.tensor(labels).bfloat16(), truth.astype(np.uint8)) == value

    def test_other_shapes_are_refused(self, metric, truth):
        with pytest.raises(ValueError, match=r"labels of shape \(10, 11\) and truth of shape"):
            metric(truth[:, 1:], truth)

    def test_values_that_are_no_labels_are_refused(self, metric, truth):
        with pytest.raises(ValueError, match="labels of dtype float64 must be whole"):
            metric(truth + 0.5, truth)
        with pytest.raises(ValueError, match="truth of dtype float64 must be whole"):
            metric(truth, np.full(truth.shape, np.nan))
        with pytest.raises(ValueError, match=r"labels of dtype .* must be whole"):
            metric(truth.astype(str), truth)
        with pytest.raises(ValueError, match="at least one cell"):
            metric(truth[:0], truth[:0])


class TestAdjustedRandIndex:
    def test_random_labels_score_about_zero(self):
        truth = np.repeat([0, 1, 2], 1000)
        scores = [
            adjusted_rand_index(np.random.default_rng(s).integers(3, size=3000), truth)
            for s in range(20)
        ]
        assert abs(np.mean(scores)) < 1e-3

    def test_is_the_excess_of_agreeing_pairs(self, labels, truth):
        table = np.array(
            [[np.sum((truth == t) & (labels == k)) for k in range(4)] for t in range(3)]
        )
        pairs = [sum(comb(int(n), 2) for n in a) for a in (table.flat, table.sum(0), table.sum(1))]
        expected = pairs[1] * pairs[2] / comb(truth.size, 2)
        index = (pairs[0] - expected) / ((pairs[1] + pairs[2]) / 2 - expected)
        assert adjusted_rand_index(labels, truth) == pytest.approx(index)

    def test_every_cell_a_label_of_its_own_scores_zero(self, truth):
        assert adjusted_rand_index(np.arange(truth.size).reshape(truth.shape), truth) == 0

    def test_the_cells_under_a_mask_can_be_compared(self, labels, truth):
        assert adjusted_rand_index(labels[truth > 0], truth[truth > 0]) < 1


class TestMeanIoU:
    def test_is_the_best_over_all_ways_to_pair_labels_with_domains(self, labels, truth):
        def iou(t, k):
            return np.sum((truth == t) & (labels == k)) / np.sum((truth == t) | (labels == k))

        best = max(
            np.mean([iou(t, k) for t, k in enumerate(p)]) for p in permutations(range(4), 3)
        )
        assert mean_iou(labels, truth) == pytest.approx(best)

    def test_a_domain_without_a_label_counts_zero(self):
        truth = np.array([[0, 1, 2, 2]])
        assert mean_iou(np.zeros((1, 4), dtype=int), truth) == pytest.approx(0.5 / 3)
        assert mean_iou([[0, 0, 2, 2]], truth) == pytest.approx((1 / 2 + 0 + 1) / 3)

    def test_labels_too_many_cost_what_they_take(self):
        assert mean_iou([[0, 0, 1, 2]], [[0, 0, 1, 1]]) == pytest.approx((1 + 1 / 2) / 2)

    @pytest.mark.parametrize("k", [2, 3, 5])
    def test_random_labels_score_what_the_docstring_says(self, k):
        truth = np.repeat(np.arange(k), 20_000)
        labels = np.random.default_rng(0).integers(k, size=truth.size)
        assert mean_iou(labels, truth) == pytest.approx(1 / (2 * k - 1), abs=0.02)


class TestMatchLabels:
    def test_renaming_is_undone(self):
        truth = np.random.default_rng(0).integers(0, 4, (9, 8))
        renamed = np.array([2, 0, 3, 1])[truth]
        np.testing.assert_array_equal(match_labels(renamed, truth), truth)

    def test_agreement_does_not_change(self):
        rng = np.random.default_rng(0)
        labels, truth = rng.integers(0, 5, (9, 8)), rng.integers(0, 3, (9, 8))
        matched = match_labels(labels, truth)
        assert adjusted_rand_index(matched, labels) == 1
        assert mean_iou(matched, truth) == mean_iou(labels, truth)

    def test_as_many_cells_agree_as_any_renaming_allows(self):
        rng = np.random.default_rng(1)
        labels, truth = rng.integers(0, 3, (9, 8)), rng.integers(0, 3, (9, 8))
        best = max((np.array(p)[labels] == truth).sum() for p in permutations(range(3)))
        assert (match_labels(labels, truth) == truth).sum() == best

    def test_a_label_without_a_partner_gets_a_number_of_its_own(self):
        matched = match_labels([[0, 0, 1, 2]], [[5, 5, 3, 3]])
        assert len(np.unique(matched)) == 3

    def test_shapes_must_agree(self):
        with pytest.raises(ValueError, match="shape"):
            match_labels(np.zeros((2, 3), int), np.zeros((3, 2), int))
