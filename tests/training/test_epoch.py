"""One epoch, with an objective whose parts are set by hand."""

import dataclasses
import math

import pytest
import torch
from torch.testing import assert_close

from phyvae.training.epoch import train_epoch
from phyvae.training.parts import ObjectiveParts
from phyvae.training.warmup import Warmup
from small import tiny_model

FIELDS = [field.name for field in dataclasses.fields(ObjectiveParts)]


class Scripted:
    """Stands for an objective; each batch is the parts of its step, by name."""

    def backward(self, model, batch, beta):
        gradient = batch.get("gradient", 1.0)
        for parameter in model.parameters():
            parameter.grad = torch.full_like(parameter, gradient) + (
                0 if parameter.grad is None else parameter.grad
            )
        usual = dict.fromkeys(FIELDS, 0.0) | {"beta": beta}
        return ObjectiveParts(*(torch.tensor((usual | batch)[name]) for name in FIELDS))


@pytest.fixture
def train(unchecked):
    def call(batches, model=None, lr=0.1):
        model = tiny_model() if model is None else model
        optimizer = Warmup(torch.optim.SGD(model.parameters(), lr=lr), 0)
        return unchecked(train_epoch, model, Scripted(), optimizer, iter(batches), 0.25)

    return call


class TestMeans:
    def test_are_those_of_the_steps_part_by_part(self, train):
        steps = [{"loss": 1.0, "psi": 0.5}, {"loss": 4.0, "kl": 3.0}, {"loss": 1.0}]
        found = train(steps).parts
        assert list(found) == FIELDS
        expected = dict.fromkeys(FIELDS, 0.0) | {
            "loss": 2.0,
            "psi": 0.5 / 3,
            "kl": 1.0,
            "beta": 0.25,
        }
        assert found == pytest.approx(expected)

    def test_one_that_is_nan_makes_the_mean_nan(self, train):
        found = train([{"loss": 1.0}, {"loss": math.nan}]).parts
        assert math.isnan(found["loss"])
        assert found["psi"] == 0

    def test_of_the_steps_with_a_negative_psi_the_share_is_found(self, train):
        found = train([{"psi": -0.1}, {"psi": 0.3}, {"psi": 0.0}, {"psi": 0.2}])
        assert (found.negative_psi, found.negative_loss) == (0.25, 0.0)

    def test_of_those_with_a_negative_loss_too_but_for_rounding(self, train):
        steps = [{"loss": -1.0}, {"loss": 1.0}, {"loss": -0.99e-2}, {"loss": -1.01e-2}]
        found = train([step | {"neg_elbo": 100.0} for step in steps])
        assert (found.negative_psi, found.negative_loss) == (0.0, 0.5)


class TestSteps:
    def test_each_batch_is_a_step_from_a_gradient_of_its_own(self, train):
        model = tiny_model()
        before = [parameter.detach().clone() for parameter in model.parameters()]
        train([{"gradient": 1.0}, {"gradient": 2.0}], model)
        for parameter, old in zip(model.parameters(), before, strict=True):
            assert_close(parameter.detach(), old - 0.1 * (1.0 + 2.0))
