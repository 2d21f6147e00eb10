"""Models whose −ELBO is Pyro's: value and gradient are those of pyroVED's trainers."""

from typing import Any

import pyro
import pytest
import torch
from pyroved.models import VED, jiVAE, ss_reg_iVAE, ssiVAE
from torch import Tensor, nn
from torch.testing import assert_close

from phyvae import PhysicsObjective
from phyvae.models.by_pyro import negative_elbo, pyro_terms
from phyvae.models.options import Decoding
from pyroved_models import BY_PYRO, IMAGE, adapted, gradients, precise


@pytest.mark.parametrize("name", BY_PYRO)
class TestEveryModel:
    def test_reconstruction_and_kl_do_not_depend_on_beta(self, name):
        model, grid = adapted(name), BY_PYRO[name][1]
        data = grid.data(torch.arange(30), model.like)
        found = []
        for beta in (0.0, 0.5, 2.0):
            decoding = Decoding(generator=torch.Generator().manual_seed(1))
            terms = model.terms(data, model.posterior(data), beta, decoding)
            found.append(torch.stack(terms))
        assert_close(found[1], found[0], rtol=1e-4, atol=1e-4)
        assert_close(found[2], found[0], rtol=1e-4, atol=1e-4)
        assert found[0][1].abs() > 1e-4

    def test_loss_and_gradient_are_those_of_pyroveds_trainers(self, name):
        model, grid = precise(adapted(name)), BY_PYRO[name][1]
        beta = 0.75  # pyroVED rounds it to float32
        count = len(grid)
        everything = torch.arange(count)
        loss, ours = gradients(model, grid, PhysicsObjective(), everything, beta, 3)
        model.zero_grad()
        total = torch.zeros(())
        generator = torch.Generator().manual_seed(3)
        with pyro.get_param_store().scope():
            for args, labelled in pyroved_batches(model, grid.data(everything, model.like)):
                seed = int(torch.randint(2**62, (), generator=generator))
                torch.manual_seed(seed)
                total = total + own_loss(model.vae, args, beta, labelled)
        (total / count).backward()
        theirs = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
        assert_close(loss, (total / count).detach(), rtol=1e-9, atol=1e-9)
        assert theirs.keys() == ours.keys()
        for parameter, gradient in theirs.items():
            assert_close(ours[parameter], gradient, rtol=1e-8, atol=1e-9)


def own_loss(vae: Any, args: tuple[Tensor, ...], beta: float, labelled: bool) -> Tensor:
    """Return the loss as pyroVED's SVItrainer and auxSVItrainer set it up."""
    guide, elbo = vae.guide, pyro.infer.Trace_ELBO()
    if not isinstance(vae, ss_reg_iVAE | VED):
        guide = pyro.infer.config_enumerate(guide, "parallel", expand=True)
        elbo = pyro.infer.TraceEnum_ELBO(max_plate_nesting=1, strict_enumeration_warning=False)
    loss = elbo.differentiable_loss(vae.model, guide, *args, scale_factor=beta)
    if labelled:
        auxiliary = pyro.infer.Trace_ELBO()
        loss = loss + auxiliary.differentiable_loss(vae.model_aux, vae.guide_aux, *args)
    return loss


def pyroved_batches(model: Any, data: Any) -> list[tuple[tuple[Tensor, ...], bool]]:
    patches = data.pixels
    with_channel = patches[:, None] if patches.ndim == 3 else patches
    if isinstance(model.vae, VED):
        return [((with_channel, data.known), False)]
    if isinstance(model.vae, jiVAE):
        return [((patches,), False)]
    is_known = ~data.known.isnan().any(1)
    known = data.known[is_known]
    if isinstance(model.vae, ssiVAE):
        known = torch.eye(model.vae.num_classes)[known[:, 0].long()]
    batches = [((with_channel[~is_known],), False), ((with_channel[is_known], known), True)]
    return [batch for batch in batches if len(batch[0][0])]


def test_they_do_not_train_in_threads():
    assert not any(adapted(name).trains_in_threads for name in BY_PYRO)


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
