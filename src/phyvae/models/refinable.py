"""Models whose latent maps `phyvae.refine` can refine: the distribution of their pixels."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..patches.known import Patches
from .interface import PatchModel
from .likelihood import Sampler, chosen, lowest
from .pose import PoseModel
from .posterior import Posterior

__all__ = ["Refinable", "as_refinable"]


class Refinable(PoseModel):
    """A `PatchModel` with the hooks of `phyvae.refine`: its decoder, pixel by pixel.

    Either `pixel_means`, for continuous latents, or `classes` and `class_losses`, for class
    probabilities, is to be defined.

    Attributes
    ----------
    sampler_name : str
        Distribution of a pixel, ``"bernoulli"``, ``"continuous_bernoulli"`` or ``"gaussian"``.
    decoder_sig : float
        Its standard deviation, if it is Gaussian.
    draws_patches : bool
        Whether the decoder reconstructs the patches themselves, not their known values.
    knows_its_noise : bool
        Whether the posterior's deviations are the encoder's own for each patch, rather than
        those of class probabilities, or a constant.
    class_weight : float
        Weight of the KL divergence of classes relative to that of the other latents.

    Examples
    --------
    >>> import phyvae
    >>> model = phyvae.ShiftVAE((20, 20), seed=0)
    >>> isinstance(model, phyvae.models.Refinable), model.sampler_name
    (True, 'bernoulli')
    """

    sampler_name: Sampler = "bernoulli"
    decoder_sig: float = 0.0
    draws_patches: bool = True
    knows_its_noise: bool = True
    class_weight: float = 1.0

    def targets(self, patches: Patches) -> Float[Tensor, "n pixels"]:
        """Return the values that the decoder is to reconstruct: the patches themselves."""
        return patches.flat

    def floor(self, patches: Patches, pixels: Tensor | None = None) -> Float[Tensor, " n"]:
        """Return the lowest negative log-likelihood that any decoder could reach, nats per patch.

        Bernoulli: the entropy of grey pixels. Gaussian: the constant of the normal distribution.
        """
        data, scale = chosen(self.targets(patches), pixels)
        return scale * lowest(self.sampler_name, data, self.decoder_sig).sum(-1)

    def prior(self, patches: Patches, posterior: Posterior) -> Posterior:
        """Return the prior of the latents given the known values: standard normal by default."""
        return Posterior(torch.zeros_like(posterior.mean), torch.ones_like(posterior.mean))

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches
    ) -> Float[Tensor, "n pixels"]:
        """Return the mean of each pixel given the latents and the known values of `patches`."""
        raise _not_refinable(self)

    def class_losses(
        self, patches: Patches, posterior: Posterior
    ) -> tuple[Float[Tensor, "n classes pixels"], Float[Tensor, "n classes"]]:
        """Return each pixel's negative log-likelihood by class, and the KL of the other latents.

        The other latents are at their means.
        """
        raise NotImplementedError(f"{type(self).__name__} has no classes.")


def as_refinable(model: PatchModel) -> Refinable:
    """Return the model, or raise an error if it lacks the hooks of `phyvae.refine`."""
    if not isinstance(model, Refinable):
        raise _not_refinable(model)
    return model


def _not_refinable(model: PatchModel) -> NotImplementedError:
    return NotImplementedError(
        f"{type(model).__name__} has latents that are no continuous numbers, or does not define "
        "the mean of each pixel (phyvae.models.Refinable), so its maps cannot be refined."
    )
