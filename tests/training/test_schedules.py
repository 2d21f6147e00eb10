import numpy as np
import pytest
import torch

from phyvae import LinearBeta
from phyvae.training.schedules import as_schedule


class TestLinearBeta:
    def test_it_rises_linearly_and_stays(self):
        beta = LinearBeta(0.0, 1.0, epochs=5)
        assert [beta(epoch) for epoch in range(7)] == [0, 0.25, 0.5, 0.75, 1, 1, 1]

    def test_it_may_fall(self):
        assert LinearBeta(4.0, 1.0, epochs=4)(1) == 3

    def test_a_ramp_of_one_epoch_is_constant(self):
        assert LinearBeta(0.1, 0.7, epochs=1)(0) == 0.7

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ((-0.1, 1.0, 5), "start=-0.1"),
            ((0.1, float("inf"), 5), "stop=inf"),
            ((0.1, float("nan"), 5), "stop=nan"),
            ((0.1, 1.0, 0), "epochs=0"),
        ],
    )
    def test_bad_settings_are_refused(self, arguments, named):
        with pytest.raises(ValueError, match=named):
            LinearBeta(*arguments)

    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            (("0.1", 1.0, 5), "start='0.1' must be a number"),
            ((0.1, None, 5), "stop=None must be a number"),
            ((0.1, 1.0, 2.5), "epochs=2.5 must be an integer >= 1, the length of the ramp"),
            ((0.1, 1.0, True), "epochs=True must be an integer"),
        ],
    )
    def test_settings_of_another_kind_are_refused(self, arguments, named, unchecked):
        with pytest.raises(TypeError, match=named):
            unchecked(LinearBeta, *arguments)


class TestAsSchedule:
    def test_a_number_is_constant(self):
        assert as_schedule(0.5)(0) == as_schedule(0.5)(99) == 0.5

    def test_any_callable_serves(self):
        assert as_schedule(lambda epoch: epoch / 10)(3) == 0.3

    @pytest.mark.parametrize("beta", [-1.0, float("nan"), lambda epoch: -1.0])
    def test_a_bad_beta_is_refused_with_its_epoch(self, beta):
        with pytest.raises(ValueError, match=r"beta=.* at epoch 7"):
            as_schedule(beta)(7)

    @pytest.mark.parametrize("one", [1, np.float32(1), np.array(1.0), torch.tensor(1.0)])
    def test_any_kind_of_one_number_serves(self, one, unchecked):
        for beta in (one, lambda epoch: one):
            value = unchecked(unchecked(as_schedule, beta), 0)
            assert (type(value), value) == (float, 1)

    @pytest.mark.parametrize("beta", ["1", None, [0.1, 1.0], True, np.ones(2)])
    def test_what_is_no_schedule_is_refused_at_once(self, beta, unchecked):
        with pytest.raises(TypeError, match=r"beta=.* must be a number, a LinearBeta, or a func"):
            unchecked(as_schedule, beta)

    def test_a_function_that_returns_no_number_is_refused_with_its_epoch(self):
        with pytest.raises(TypeError, match="beta at epoch 7=None must be a number"):
            as_schedule(lambda epoch: None)(7)

    def test_a_class_is_refused_with_the_cure(self):
        with pytest.raises(TypeError, match=r"beta=LinearBeta is a class; pass LinearBeta\(...\)"):
            as_schedule(LinearBeta)
