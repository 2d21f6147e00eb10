"""Pyro's own ELBO of a pyroVED model, with the outputs of its encoder given."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .backend import pyro

__all__ = ["Answers", "Arguments", "Loss", "negative_elbo", "pyro_terms"]

Loss = Callable[[Tensor], Tensor]
"""From β, a number or one of each kind of latents, to Pyro's loss of a batch."""
Arguments = Sequence[Tensor]
"""Of a pyroVED model's ``model`` and ``guide``."""
Answers = Mapping[nn.Module, Tensor | tuple[Tensor, ...]]
"""The outputs that modules return."""


def negative_elbo(
    vae: nn.Module, data: Arguments, *, enumerates: bool, labelled: bool = False
) -> Loss:
    """Return Pyro's negative ELBO of a batch, as pyroVED's trainers have it.

    Parameters
    ----------
    vae
        A pyroVED model.
    data
        The arguments of its ``model`` and ``guide``.
    enumerates
        Whether discrete latents are summed over.
    labelled
        Whether to add the loss of the labels alone, its ``model_aux``.
    """
    if enumerates:
        estimate = pyro.infer.TraceEnum_ELBO(max_plate_nesting=1, strict_enumeration_warning=False)
        guide = pyro.infer.config_enumerate(vae.guide, "parallel", expand=True)
    else:
        estimate, guide = pyro.infer.Trace_ELBO(), vae.guide

    def loss(beta: Tensor) -> Tensor:
        total: Tensor = estimate.differentiable_loss(vae.model, guide, *data, scale_factor=beta)
        if labelled:
            plain = pyro.infer.Trace_ELBO()
            total = total + plain.differentiable_loss(vae.model_aux, vae.guide_aux, *data)
        return total

    return loss


def pyro_terms(
    loss: Loss,
    answers: Answers,
    beta: float,
    shares: Float[Tensor, "*kinds"],
    seed: int,
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return reconstruction and KL of a batch, nats.

    β multiplies the KL in the loss, so that the KL is the loss's derivative by β. The gradient
    of the whole of −ELBO is carried by the reconstruction; the KL is a number.

    Parameters
    ----------
    loss
        From `negative_elbo`.
    answers
        The outputs that modules return for any input.
    beta
        Weight of the KL, >= 0.
    shares
        Weight of the KL of each kind of latents, in units of β, >= 0.
    seed
        Seed of the samples.
    """
    weights = (beta * shares).requires_grad_()
    with torch.enable_grad(), _seeded(seed, shares.device), _answering(answers):
        total = loss(weights)
        (by_weight,) = torch.autograd.grad(total, weights, retain_graph=True)
    kl = (shares * by_weight).sum()
    return total - beta * kl, kl


@contextlib.contextmanager
def _seeded(seed: int, device: torch.device) -> Iterator[None]:
    """Let Pyro sample from `seed`; its store and torch's global state stay as they were."""
    devices = [device] if device.type == "cuda" else []
    with (
        torch.random.fork_rng(devices),
        pyro.get_param_store().scope(),
        # Pyro refuses β = 0 and NaN; the trainer explains NaN better.
        pyro.validation_enabled(False),
    ):
        torch.manual_seed(seed)
        yield


@contextlib.contextmanager
def _answering(answers: Answers) -> Iterator[None]:
    """Replace the outputs of modules, also for callers of ``forward``."""
    try:
        for module, answer in answers.items():
            module.forward = lambda *_, answer=answer: answer
        yield
    finally:
        for module in answers:
            vars(module).pop("forward", None)
