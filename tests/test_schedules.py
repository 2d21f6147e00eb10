import pytest

from phyvae import LinearBeta
from phyvae.schedules import as_schedule


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


class TestAsSchedule:
    def test_a_number_is_constant(self):
        assert as_schedule(0.5)(0) == as_schedule(0.5)(99) == 0.5

    def test_any_callable_serves(self):
        assert as_schedule(lambda epoch: epoch / 10)(3) == 0.3

    @pytest.mark.parametrize("beta", [-1.0, float("nan"), lambda epoch: -1.0])
    def test_a_bad_beta_is_refused_with_its_epoch(self, beta):
        with pytest.raises(ValueError, match=r"beta=.* at epoch 7"):
            as_schedule(beta)(7)
