"""The force of Ψ, weighed against the gradient of the reconstruction."""

import pytest
import torch
from torch.testing import assert_close

from phyvae.training.coupling import balanced, force_of

CELLS, DECODED = 20, 6


def rms(values):
    return values.square().mean(0).sqrt()


def example(seed=0, z_dim=3):
    """Return a force, a gradient and a signal."""
    generator = torch.Generator().manual_seed(seed)
    settings = {"dtype": torch.float64, "generator": generator}
    scale = torch.tensor([5.0, 0.1, 1.0])[:z_dim]
    force = torch.randn(CELLS, z_dim, **settings) * scale
    gradient = torch.randn(DECODED, z_dim, **settings) * scale.flip(0)
    return force, gradient, torch.rand(z_dim, **settings)


class TestBalanced:
    @pytest.mark.parametrize("ratio", [0.0, 0.3, 2.0])
    def test_the_rms_of_a_site_is_the_ratio_times_that_of_the_gradient(self, ratio):
        force, gradient, signal = example()
        found = balanced(force, gradient, signal, torch.tensor(ratio).double())
        first, second = DECODED * gradient, CELLS * found
        expected = ratio * first.square().mean().sqrt()
        assert_close(second.square().mean().sqrt(), expected)

    def test_latents_share_it_in_proportion_to_their_signal(self):
        force, gradient, signal = example()
        gradient = gradient / rms(gradient)  # each latent's is felt alike
        found = rms(balanced(force, gradient, signal, torch.tensor(0.3).double()))
        assert_close(found / found.sum(), signal / signal.sum())

    def test_and_to_their_own_gradient(self):
        force, gradient, signal = example()
        found = rms(balanced(force, gradient, torch.ones_like(signal), torch.tensor(0.3).double()))
        assert_close(found / found.sum(), rms(gradient) / rms(gradient).sum())

    def test_each_latents_force_keeps_its_direction(self):
        force, gradient, signal = example()
        found = balanced(force, gradient, signal, torch.tensor(0.3).double())
        cosine = torch.cosine_similarity(found, force, dim=0)
        assert_close(cosine, torch.ones(3).double())

    def test_the_size_of_the_force_does_not_matter(self):
        force, gradient, signal = example()
        ratio = torch.tensor(0.3).double()
        one = balanced(force, gradient, signal, ratio)
        assert_close(balanced(1e3 * force, gradient, signal, ratio), one)

    def test_a_latent_without_force_gets_none_and_takes_no_part(self):
        force, gradient, signal = example()
        ratio = torch.tensor(0.3).double()
        force[:, 0] = 0
        found = balanced(force, gradient, signal, ratio)
        assert (found[:, 0] == 0).all()
        assert_close(found[:, 1:], balanced(force[:, 1:], gradient[:, 1:], signal[1:], ratio))

    @pytest.mark.parametrize("zero", ["force", "gradient", "signal", "all"])
    def test_without_any_of_them_the_force_is_zero_and_finite(self, zero):
        values = dict(zip(("force", "gradient", "signal"), example(), strict=True))
        for name in values:
            if zero in (name, "all"):
                values[name] = torch.zeros_like(values[name])
        found = balanced(**values, ratio=torch.tensor(0.3).double())
        assert torch.equal(found, torch.zeros_like(found))


class TestForceOf:
    def test_is_the_gradient_at_the_means(self):
        means = torch.randn(CELLS, 2, dtype=torch.float64, requires_grad=True)
        psi = means[:, 1].pow(3).sum()
        expected = torch.stack([torch.zeros(CELLS).double(), 3 * means[:, 1].square()], dim=1)
        assert_close(force_of(psi, means, None), expected.detach())
        assert means.grad is None

    def test_a_value_without_gradient_is_refused_with_the_name_of_the_loss(self):
        with pytest.raises(ValueError, match="'my loss' returned a value without gradient"):
            force_of(torch.tensor(1.0), torch.zeros(CELLS, 2), "my loss")
