import numpy as np
import pytest

from phyvae import BoundCharge, PatchGrid, PhysicsObjective, PhysicsTrainer
from phyvae.training.grids import grids_to_encode, grids_to_train
from sites import PHANTOM, series, small
from small import small_trainer, tiny_grid, tiny_model


class TestGridsToEncode:
    def test_one_grid_or_several_are_a_list(self):
        one, other, model = tiny_grid(), tiny_grid(1), tiny_model()
        assert grids_to_encode(model, one) == [one]
        assert grids_to_encode(model, (one, other)) == [one, other]
        listed = [one]
        assert grids_to_encode(model, listed) is not listed


class TestGridsToTrain:
    def test_are_those_to_encode_if_the_objective_fits(self):
        one = tiny_grid()
        assert grids_to_train(tiny_model(), PhysicsObjective(), one) == [one]

    def test_an_objective_that_does_not_fit_the_model_is_refused(self):
        objective = PhysicsObjective(BoundCharge(), channels=[5, 6])
        with pytest.raises(ValueError, match=r"channels=\(5, 6\) but the model has 2"):
            grids_to_train(tiny_model(), objective, tiny_grid())


class TestRefusals:
    def test_refusals(self):
        with pytest.raises(ValueError, match="empty list"):
            PhysicsTrainer(small()).fit([], 1)
        with pytest.raises(TypeError, match="must be a PatchGrid"):
            grids_to_encode(small(), [series()[0], PHANTOM.image])

    def test_a_grid_of_other_patches_is_refused(self):
        grid = PatchGrid(np.random.default_rng(0).random((30, 30)), size=9)
        with pytest.raises(ValueError, match=r"patches are \(9, 9\)"):
            small_trainer().fit(grid, epochs=1, progress=False)
