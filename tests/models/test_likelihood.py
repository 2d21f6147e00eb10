"""The distributions of a pixel, against torch's own."""

import pytest
import torch
from torch.distributions import Bernoulli, ContinuousBernoulli, Normal
from torch.testing import assert_close

from phyvae.models.likelihood import check_range, expanded, lowest

SIGMA = 0.3
DISTRIBUTIONS = {
    "bernoulli": lambda mean: Bernoulli(mean, validate_args=False),
    "continuous_bernoulli": ContinuousBernoulli,
    "gaussian": lambda mean: Normal(mean, SIGMA),
}


def values(count: int = 41) -> tuple[torch.Tensor, torch.Tensor]:
    mean = torch.linspace(0.02, 0.98, count, dtype=torch.float64)
    return torch.meshgrid(mean, torch.linspace(0.01, 0.99, 9, dtype=torch.float64), indexing="ij")


@pytest.mark.parametrize("sampler", DISTRIBUTIONS)
class TestEveryDistribution:
    def test_value_and_slope_are_torchs(self, sampler):
        mean, data = values()
        mean.requires_grad_()
        expected = -DISTRIBUTIONS[sampler](mean).log_prob(data)
        (slope,) = torch.autograd.grad(expected.sum(), mean)
        found = expanded(sampler, mean.detach(), data, SIGMA)
        assert_close(found[0], expected.detach(), rtol=1e-6, atol=1e-6)
        assert_close(found[1], slope, rtol=1e-4, atol=1e-4)

    def test_curvature_is_the_mean_of_the_squared_slope(self, sampler):
        mean = torch.linspace(0.05, 0.95, 7, dtype=torch.float64)[:, None]
        torch.manual_seed(0)
        data = DISTRIBUTIONS[sampler](mean.expand(7, 200_000)).sample()
        _, slope, curvature = expanded(sampler, mean.expand_as(data), data, SIGMA)
        assert_close(slope.square().mean(1), curvature[:, 0], rtol=0.02, atol=0)

    def test_the_floor_is_reached_and_never_passed(self, sampler):
        mean = torch.linspace(-15.9, 15.9, 8001, dtype=torch.float64).sigmoid()[:, None]
        data = torch.linspace(0.1, 0.9, 9, dtype=torch.float64)[None]
        reached = -DISTRIBUTIONS[sampler](mean).log_prob(data)
        floor = lowest(sampler, data, SIGMA)[0]
        assert (reached >= floor - 1e-7).all()
        assert_close(reached.amin(0), floor, rtol=0, atol=1e-3)

    def test_nothing_is_infinite_at_black_and_white(self, sampler):
        data = torch.tensor([[0.0, 1.0, 0.5]])
        assert lowest(sampler, data, SIGMA).isfinite().all()
        for mean in (torch.zeros(1, 3), torch.ones(1, 3), torch.full((1, 3), 0.5)):
            assert all(part.isfinite().all() for part in expanded(sampler, mean, data, SIGMA))


def test_a_range_is_refused():
    check_range(-5.0, 5.0, "gaussian")
    check_range(0.0, 1.0, "continuous_bernoulli", sigmoid=True)
    with pytest.raises(ValueError, match=r"the image spans 0 to 2, but a Bernoulli"):
        check_range(0.0, 2.0, "continuous_bernoulli")
    with pytest.raises(ValueError, match=r"spans -1 to 1, but the decoder ends in a sigmoid"):
        check_range(-1.0, 1.0, "gaussian", sigmoid=True)
