"""Laws of the posterior, against torch's normal distribution."""

import torch
from torch.distributions import Normal, kl_divergence
from torch.testing import assert_close

from phyvae import Posterior


def example() -> Posterior:
    return Posterior(torch.randn(5, 4), torch.rand(5, 4) + 0.1)


class TestKL:
    def test_is_torchs(self):
        posterior = example()
        expected = kl_divergence(Normal(posterior.mean, posterior.std), Normal(0.0, 1.0)).sum(-1)
        assert_close(posterior.kl(), expected)

    def test_is_zero_at_the_prior_alone(self):
        prior = Posterior(torch.zeros(3, 2), torch.ones(3, 2))
        assert not prior.kl().any()
        assert (example().kl() > 0).all()


class TestSample:
    def test_has_the_posteriors_mean_and_deviation(self):
        one = Posterior(torch.tensor([[2.0, -1.0]]), torch.tensor([[0.5, 3.0]]))
        many = Posterior(one.mean.expand(40_000, 2), one.std.expand(40_000, 2)).sample()
        assert_close(many.mean(0), one.mean[0], atol=0.05, rtol=0)
        assert_close(many.std(0), one.std[0], rtol=0.02, atol=0)
        assert abs(torch.corrcoef(many.T)[0, 1]) < 0.02

    def test_passes_gradient_to_mean_and_deviation(self):
        leaf = example().leaf()
        noise = torch.randn(5, 4, generator=torch.Generator().manual_seed(2))
        leaf.sample(torch.Generator().manual_seed(2)).sum().backward()
        assert_close(leaf.mean.grad, torch.ones(5, 4))
        assert_close(leaf.std.grad, noise)

    def test_is_the_same_from_the_same_generator(self):
        posterior = example()
        a, b = (posterior.sample(torch.Generator().manual_seed(1)) for _ in range(2))
        assert torch.equal(a, b)


class TestSignal:
    def test_is_the_share_of_the_variance_between_patches(self):
        mean = torch.tensor([[0.0, 1.0, 7.0], [0.0, -1.0, 7.0]])
        std = torch.tensor([[1.0, 0.5, 0.0], [1.0, 0.5, 0.0]])
        assert_close(Posterior(mean, std).signal(), torch.tensor([0.0, 0.8, 0.0]))

    def test_does_not_depend_on_offset_scale_or_order(self):
        posterior = example()
        moved = Posterior(3 - 2 * posterior.mean, 2 * posterior.std)
        assert_close(moved.signal(), posterior.signal())
        assert_close(posterior[torch.tensor([4, 0, 3, 1, 2])].signal(), posterior.signal())
        assert ((posterior.signal() > 0) & (posterior.signal() < 1)).all()


def test_a_leaf_collects_gradient_and_passes_none_on():
    source = torch.randn(3, 4, requires_grad=True)
    leaf = Posterior(source * 2, source.exp()).leaf()
    leaf.sample().sum().backward()
    assert leaf.mean.grad is not None
    assert source.grad is None


def test_an_index_chooses_rows():
    posterior = example()
    rows = posterior[torch.tensor([3, 0])]
    assert torch.equal(rows.mean, posterior.mean[[3, 0]])
    assert torch.equal(rows.std, posterior.std[[3, 0]])
