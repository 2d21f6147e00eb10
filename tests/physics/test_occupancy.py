"""Entropy of classes in latent maps."""

import math

import pytest
import scipy.ndimage
import scipy.optimize
import scipy.special
import scipy.stats
import torch
from torch.testing import assert_close

import phyvae
from phyvae import ClassOccupancy
from random_maps import random_maps


class TestClassOccupancy:
    @pytest.mark.parametrize("scaling", ["standard", "none", "probabilities"])
    def test_equals_scipys_entropy(self, scaling):
        z, mask = random_maps(3, 9, 11).numpy(), random_maps(9, 11, seed=1).numpy() > 0.3
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
        with pytest.raises(ValueError, match="'standard', 'none', 'probabilities'"):
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
