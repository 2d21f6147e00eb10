"""Pyro's ELBO, split into reconstruction and KL, with the outputs of networks given."""

import pyro
import torch
from torch import nn
from torch.testing import assert_close

from phyvae.models.pyro_elbo import negative_elbo, pyro_terms
from pyroved_models import IMAGE, adapted


def parts(loss, answers=None, beta=0.5, shares=(1.0, 2.0), seed=0):
    return pyro_terms(loss, answers or {}, beta, torch.tensor(shares), seed)


def test_the_kl_is_the_slope_by_beta():
    def loss(weights):
        return 7 + (weights * torch.tensor([3.0, 5.0])).sum()

    reconstruction, kl = parts(loss)
    assert_close(kl, torch.tensor(1 * 3.0 + 2 * 5.0))
    assert_close(reconstruction, torch.tensor(7.0))


def test_modules_give_the_answers_and_afterwards_their_own():
    net = nn.Linear(2, 2)
    given, x = torch.ones(3, 2, requires_grad=True), torch.zeros(3, 2)
    own = net(x)
    reconstruction, _ = parts(lambda w: net(x).sum() + w.sum(), {net: given})
    reconstruction.backward()
    assert_close(given.grad, torch.ones(3, 2))
    assert torch.equal(net(x), own)


def test_the_seed_decides_the_samples_and_global_state_is_left_alone():
    pyro.clear_param_store()
    before = torch.get_rng_state()

    def loss(weights):
        pyro.param("another", torch.ones(1))
        return torch.randn(()) + weights.sum()

    one, same, other = (parts(loss, seed=seed)[0] for seed in (1, 1, 2))
    assert one == same != other
    assert torch.equal(torch.get_rng_state(), before)
    assert not list(pyro.get_param_store().keys())


def test_labelled_batches_have_an_auxiliary_loss():
    vae = adapted("semi-supervised").vae
    patches, labels = IMAGE.gather(torch.arange(6))[:, None], torch.eye(3).repeat(2, 1)

    def total(labelled):
        loss = negative_elbo(vae, [patches, labels], enumerates=True, labelled=labelled)
        return sum(parts(loss, shares=(1.0,), beta=1.0))

    probabilities = vae.encoder_y(patches)
    expected = -20 * (probabilities * labels).sum(1).log().sum()
    assert_close(total(True) - total(False), expected, rtol=1e-3, atol=1e-3)
