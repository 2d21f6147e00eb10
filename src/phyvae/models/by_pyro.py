"""The base class of adapted pyroVED models whose −ELBO is computed by Pyro."""

import abc
from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from ..patches.known import Patches
from .adapted import Adapted
from .options import Decoding
from .posterior import Posterior
from .pyro_elbo import Answers, Arguments, negative_elbo, pyro_terms

__all__ = ["AdaptedByPyro"]


class AdaptedByPyro(Adapted):
    """A pyroVED model with Pyro's −ELBO.

    Attributes
    ----------
    enumerates : bool
        Whether discrete latents are summed over.
    """

    trains_in_threads = False  # they would share Pyro's parameter store
    enumerates = False

    @property
    def shares(self) -> tuple[float, ...] | float:
        """Weight of the KL of each kind of latents, in units of β: one number, or several."""
        return 1.0

    def terms(
        self,
        patches: Patches,
        posterior: Posterior,
        beta: float,
        decoding: Decoding = Decoding(),
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
