"""pyroVED's models trained by Pyro's own ELBO, with given outputs of their encoders."""

import abc
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..patches.known import Patches
from .adapted import Adapted
from .backend import pyro
from .options import Decoding
from .posterior import Posterior

__all__ = ["AdaptedByPyro", "Answers", "Arguments", "Loss", "negative_elbo", "pyro_terms"]

Loss = Callable[[Tensor], Tensor]
"""From β, a number or one of each kind of latents, to Pyro's loss of a batch."""
Arguments = Sequence[Tensor]
"""Of a pyroVED model's ``model`` and ``guide``."""
Answers = Mapping[nn.Module, Tensor | tuple[Tensor, ...]]
"""The outputs that modules return."""


class AdaptedByPyro(Adapted):
    """A pyroVED model with Pyro's −ELBO.

    enumerates: Whether discrete latents are summed over.
    """

    trains_in_threads = False  # they would share Pyro's parameter store
    enumerates = False

    @property
    def shares(self) -> tuple[float, ...] | float:
        """Weight of the KL of each kind of latents, in units of β: one number, or several."""
        return 1.0

    def terms(
        self, patches: Patches, posterior: Posterior, beta: float, decoding: Decoding = Decoding()
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return reconstruction and KL of a batch, nats per patch.

        The reconstruction holds all that β does not weigh. In a semi-supervised model this
        includes the auxiliary loss of the known values, weighted by 20 as in pyroVED's trainer,
        and the latents that these values are.
        """
        shares, parts = self.like.new_tensor(self.shares), []
        for data, answers in self.batches(patches, posterior):
            seed = torch.randint(2**62, (), generator=decoding.generator, device=self.device)
            loss = negative_elbo(
                self.vae, data, enumerates=self.enumerates, labelled=self.is_labelled(data)
            )
            parts.append(torch.stack(pyro_terms(loss, answers, beta, shares, int(seed))))
        reconstruction, kl = torch.stack(parts).sum(0) / len(posterior.mean)
        return reconstruction, kl

    @abc.abstractmethod
    def batches(
        self, patches: Patches, posterior: Posterior
    ) -> Iterator[tuple[Arguments, Answers]]:
        """Yield arguments of Pyro's model and guide, with the networks' outputs for them."""

    def is_labelled(self, data: Arguments) -> bool:
        """Return whether a batch has known values, and so an auxiliary loss of them."""
        return False


def negative_elbo(
    vae: nn.Module, data: Arguments, *, enumerates: bool, labelled: bool = False
) -> Loss:
    """Return Pyro's negative ELBO of a batch, as pyroVED's trainers have it.

    vae: A pyroVED model.
    data: The arguments of its ``model`` and ``guide``.
    enumerates: Whether discrete latents are summed over.
    labelled: Whether to add the loss of the labels alone, its ``model_aux``.
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
    loss: Loss, answers: Answers, beta: float, shares: Float[Tensor, "*kinds"], seed: int
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Return reconstruction and KL of a batch, nats.

    β multiplies the KL in the loss, so that the KL is the loss's derivative by β. The gradient
    of the whole of −ELBO is carried by the reconstruction; the KL is a number.

    loss: From `negative_elbo`.
    answers: The outputs that modules return for any input.
    beta: Weight of the KL, >= 0.
    shares: Weight of the KL of each kind of latents, in units of β, >= 0.
    seed: Seed of the samples.
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
