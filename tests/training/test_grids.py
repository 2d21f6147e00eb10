import numpy as np
import pytest
import torch

import phyvae
from phyvae import BoundCharge, EdgeLoss, PatchGrid, PhysicsObjective, PhysicsTrainer
from phyvae.training.grids import grids_to_encode, grids_to_train
from sites import PHANTOM, series, small
from small import small_grid, small_trainer, tiny_grid, tiny_model


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
        assert grids_to_train(tiny_model(), PhysicsObjective(), one) == ([one], [])
        found = grids_to_train(tiny_model(), PhysicsObjective(), one, [one, one])
        assert found == ([one], [one, one])

    def test_an_objective_that_does_not_fit_the_model_is_refused(self):
        objective = PhysicsObjective(BoundCharge(), channels=[5, 6])
        with pytest.raises(ValueError, match=r"channels=\(5, 6\) but the model has 2"):
            grids_to_train(tiny_model(), objective, tiny_grid())

    def test_physics_on_a_stack_held_out_is_refused_before_training(self):
        stack = PatchGrid.from_patches(tiny_grid().patches.flatten(0, 1))
        with pytest.raises(ValueError, match="compares neighbours"):
            grids_to_train(tiny_model(), PhysicsObjective(EdgeLoss()), tiny_grid(), stack)


class TestRefusals:
    def test_refusals(self):
        with pytest.raises(ValueError, match="empty list"):
            PhysicsTrainer(small()).fit([], 1)
        with pytest.raises(TypeError, match="must be a PatchGrid"):
            grids_to_encode(small(), [series()[0], PHANTOM.image])
        for bad, words in ((3, "test_grid=3 must be"), ([], "test_grid is an empty list")):
            with pytest.raises((TypeError, ValueError), match=words):
                grids_to_train(tiny_model(), PhysicsObjective(), tiny_grid(), bad)

    def test_a_grid_of_other_patches_is_refused(self):
        grid = PatchGrid(np.random.default_rng(0).random((30, 30)), size=9)
        with pytest.raises(ValueError, match=r"patches are \(9, 9\)"):
            small_trainer().fit(grid, epochs=1, progress=False)


class Linear(phyvae.PatchModel):
    """A smallest model of one's own, of which a test breaks one member."""

    content = slice(0, 1)

    def __init__(self):
        super().__init__()
        self.patch_shape, self.net = (8, 8), torch.nn.Linear(64, 1)

    def posterior(self, patches, dtype=None):
        mean = self.net(patches.flat)
        return phyvae.Posterior(mean, torch.ones_like(mean))

    def terms(self, patches, posterior, beta, decoding):
        return posterior.mean.square().mean(), posterior.kl().mean()

    def floor(self, patches, pixels=None):
        return torch.zeros(len(patches))


class TestOnesOwnModel:
    def refused(self, model, match):
        with pytest.raises(TypeError, match=match):
            phyvae.PhysicsTrainer(model).fit(small_grid(), 1, progress=False)

    def test_trains(self):
        trainer = phyvae.PhysicsTrainer(Linear())
        trainer.fit(small_grid(), 1, progress=False)
        assert repr(trainer).startswith("PhysicsTrainer(Linear, PhysicsObjective(None")

    def test_with_terms_of_another_signature_is_refused_before_the_first_step(self):
        class Old(Linear):
            def terms(self, patches, posterior, beta):
                raise AssertionError

        self.refused(Old(), r"Old.terms=.* must be \(patches, posterior, beta, decoding\)")

    def test_whose_posterior_is_a_tuple_is_refused(self):
        class Pair(Linear):
            def posterior(self, patches, dtype=None):
                posterior = super().posterior(patches)
                return posterior.mean, posterior.std

        self.refused(Pair(), "Pair.posterior returned .* must return a phyvae.Posterior")

    def test_without_a_patch_shape_is_refused(self):
        model = Linear()
        del model.patch_shape
        self.refused(model, r"Linear.patch_shape must be a tuple")

    def test_without_parameters_is_refused(self):
        model = Linear()
        model.net = None
        with pytest.raises(ValueError, match="Linear has no parameters"):
            phyvae.PhysicsTrainer(model)
