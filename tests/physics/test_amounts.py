"""How much of a map stands out, how many classes it has, which areas they take."""

import math

import numpy as np
import pytest
import scipy.special
import scipy.stats
import torch
from torch.testing import assert_close

import phyvae
from phyvae import AreaFractions, ClassOccupancy, Sparsity


def random_maps(channels=2, rows=9, cols=11, seed=0):
    return np.random.default_rng(seed).random((channels, rows, cols))


class TestSparsity:
    @pytest.mark.parametrize("cells", [1, 8, 40])
    def test_equals_numpys_norms_about_the_median(self, cells):
        z, mask = random_maps(), random_maps(1, seed=1)[0] > 0.3
        mask.ravel()[-cells:] = False  # an even and an odd number of cells
        z = (z - z[:, mask].mean(1)[:, None, None]) / z[:, mask].std(1)[:, None, None]
        d = z[:, mask] - np.sort(z[:, mask], axis=1)[:, (mask.sum() - 1) // 2][:, None]
        each = abs(d).mean(1) / np.sqrt((d**2).mean(1))
        lengths = np.linalg.norm(d, axis=0)
        maps, counts = torch.from_numpy(z), torch.from_numpy(mask)
        assert float(Sparsity()(maps, counts)) == pytest.approx(each.mean())
        expected = lengths.mean() / np.sqrt((lengths**2).mean())
        assert float(Sparsity("group")(maps, counts)) == pytest.approx(expected)

    @pytest.mark.parametrize("cells", [1, 4, 16, 49])
    def test_a_share_of_equal_cells_costs_its_root(self, cells):
        maps = torch.zeros(1, 10, 10)
        maps.view(-1)[:cells] = -3
        assert float(Sparsity()(maps)) == pytest.approx(math.sqrt(cells / 100), rel=1e-5)

    def test_gaussian_noise_costs_the_known_ratio(self):
        noise = float(Sparsity()(torch.randn(1, 200, 200)))
        assert noise == pytest.approx(math.sqrt(2 / math.pi), rel=0.01)

    def test_groups_ask_for_the_same_cells_in_all_channels(self):
        same, apart = torch.zeros(2, 10, 10), torch.zeros(2, 10, 10)
        same[:, 0] = apart[0, 0] = apart[1, 9] = 1
        assert_close(Sparsity()(same), Sparsity()(apart))
        assert Sparsity("group")(same) < Sparsity("group")(apart)

    def test_refusals(self, unchecked):
        with pytest.raises(ValueError, match="kind='l2' must be 'l1' or 'group'"):
            unchecked(Sparsity, "l2")
        with pytest.raises(ValueError, match=r"maps have 1 channel\(s\).*at least 2"):
            Sparsity("group")(torch.rand(1, 9, 9))


class TestClassOccupancy:
    @pytest.mark.parametrize("scaling", ["standard", "none", "probabilities"])
    def test_equals_scipys_entropy(self, scaling):
        z, mask = random_maps(3), random_maps(1, seed=1)[0] > 0.3
        inside = z[:, mask]
        if scaling == "probabilities":
            p = inside / inside.sum(0)
        else:
            if scaling == "standard":
                inside = (inside - inside.mean(1)[:, None]) / inside.std(1)[:, None]
            p = scipy.special.softmax(inside / 0.7, axis=0)
        maps, counts = torch.from_numpy(z), torch.from_numpy(mask)
        for of, entropy in (
            ("map", scipy.stats.entropy(p.mean(1))),
            ("cells", scipy.stats.entropy(p, axis=0).mean()),
        ):
            loss = ClassOccupancy(of, temperature=0.7, scaling=scaling)
            assert float(loss(maps, counts)) == pytest.approx(entropy / math.log(3))

    def test_one_class_is_free_and_equal_areas_cost_one(self):
        one, three = torch.zeros(3, 9, 9), torch.zeros(3, 9, 9)
        one[1] = 1
        for k in range(3):
            three[k, 3 * k : 3 * k + 3] = 1
        loss = ClassOccupancy(scaling="probabilities")
        assert loss(one) == 0
        assert_close(loss(three), torch.tensor(1.0))
        assert ClassOccupancy("cells", scaling="probabilities")(three) == 0

    def test_the_slope_at_probability_zero_is_finite(self):
        maps = torch.zeros(3, 9, 9)
        maps[0] = 1
        maps.requires_grad_()
        ClassOccupancy("cells", scaling="probabilities")(maps).backward()
        assert maps.grad.isfinite().all()

    def test_refusals(self, unchecked):
        with pytest.raises(ValueError, match="of='area'"):
            unchecked(ClassOccupancy, "area")
        with pytest.raises(ValueError, match="temperature=0"):
            ClassOccupancy(temperature=0.0)
        with pytest.raises(ValueError, match="'standard', 'none' or 'probabilities'"):
            unchecked(ClassOccupancy, scaling="softmax")
        with pytest.raises(ValueError, match=r"maps have 1 channel\(s\), but ClassOccupancy"):
            ClassOccupancy()(torch.rand(1, 9, 9))

    def test_kinds_of_maps_that_are_no_classes_are_refused(self):
        probabilities = ClassOccupancy(scaling="probabilities")
        mixed, classes, latents = [False, True, True], [True, True], [False, False]
        for loss in (probabilities, 0.5 * phyvae.Maximize(probabilities)):
            loss.check_kinds(classes)
            phyvae.OnChannels(loss, [1, 2]).check_kinds(mixed)
            with pytest.raises(ValueError, match=r"2 are no class prob.*scaling='standard'"):
                loss.check_kinds(latents)
            with pytest.raises(ValueError, match=r"1 are no class.*channels=\[1, 2\]"):
                loss.check_kinds(mixed)
            with pytest.raises(ValueError, match="1 are no class"):
                (phyvae.EdgeLoss() + phyvae.OnChannels(loss, [0, 1])).check_kinds(mixed)
        ClassOccupancy().check_kinds(latents)
        with pytest.raises(ValueError, match="1 are no class"):
            ClassOccupancy().check_kinds(mixed)


class TestAreaFractions:
    @pytest.mark.parametrize("fractions", [(0.3, 0.7), (0.25, 0.25, 0.5), (0.123, 0.4, 0.477)])
    @pytest.mark.parametrize("masked_share", [0.0, 0.3])
    def test_equals_the_variance_within_sorted_pieces_cut_finely(self, fractions, masked_share):
        z, mask = random_maps(2), random_maps(1, seed=1)[0] >= masked_share
        expected = []
        for values in z[:, mask]:
            fine = np.repeat(np.sort(values), 1000)  # so that a cut hardly divides a piece
            costs = []
            for shares in (fractions, fractions[::-1]):
                cuts = np.round(np.cumsum(shares)[:-1] * len(fine)).astype(int)
                pieces = np.split(fine, cuts)
                costs.append(sum(len(p) * p.var() for p in pieces) / len(fine) / values.var())
            expected.append(min(costs))
        found = AreaFractions(fractions)(torch.from_numpy(z), torch.from_numpy(mask))
        assert float(found) == pytest.approx(np.mean(expected), rel=1e-3)

    def test_levels_with_these_areas_are_free_whatever_their_values_and_places(self):
        values = torch.tensor([5.0] * 20 + [-2.0] * 30 + [9.0] * 50)[torch.randperm(100)]
        maps = values.reshape(1, 10, 10).double()
        assert AreaFractions((0.3, 0.2, 0.5))(maps) < 1e-12
        assert AreaFractions((0.5, 0.2, 0.3))(maps) < 1e-12
        assert AreaFractions((0.2, 0.3, 0.5))(maps) > 0.01

    def test_descent_brings_the_areas(self):
        torch.manual_seed(1)
        maps = torch.rand(1, 20, 20, requires_grad=True)
        loss, adam = AreaFractions((0.2, 0.8)), torch.optim.Adam([maps], lr=0.05)
        for _ in range(150):
            adam.zero_grad()
            loss(maps).backward()
            adam.step()
        middle = (maps.min() + maps.max()) / 2
        share = float((maps > middle).float().mean())
        assert min(share, 1 - share) == pytest.approx(0.2, abs=0.01)

    @pytest.mark.parametrize("fractions", [(1.0,), (0.5, 0.6), (-0.2, 1.2), (math.nan, 0.5)])
    def test_bad_fractions_are_refused(self, fractions):
        with pytest.raises(ValueError, match=r"fractions=.*with the sum 1"):
            AreaFractions(fractions)

    def test_more_levels_than_cells_are_refused(self):
        with pytest.raises(ValueError, match="maps are 1 x 2 cells, fewer than the levels"):
            AreaFractions((0.2, 0.3, 0.5))(torch.rand(1, 1, 2))
