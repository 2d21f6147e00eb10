"""A jiVAE: latents, and probabilities of classes."""

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import as_positive
from ..patches.known import Patches
from .adapted import Adapted, as_input
from .by_pyro import AdaptedByPyro, Answers, Arguments
from .posterior import Posterior

__all__ = ["AdaptedJoint", "class_names", "class_posterior", "pixel_losses", "unit_vector"]

Classes = Float[Tensor, "n classes"]


class AdaptedJoint(AdaptedByPyro):
    """A ``jiVAE``; its maps are the content latents, then the class probabilities."""

    enumerates = True
    knows_its_noise = False

    def __init__(
        self, vae: Any, patch_shape: Sequence[int] | None, class_weight: float = 1.0
    ) -> None:
        super().__init__(vae, patch_shape)
        why = "; 1 weighs classes as the other latents"
        self.class_weight = as_positive(class_weight, "class_weight", why)

    @property
    def shares(self) -> tuple[float, ...]:
        """Weight of the continuous latents, and of the classes, in units of β."""
        return 1.0, self.class_weight

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that pyroVED's model keeps, and the weight of its classes."""
        return {**super().settings, "class_weight": self.class_weight}

    @property
    def map_names(self) -> Sequence[str]:  # type: ignore[override]
        """Titles of the latent maps."""
        return [*super().map_names, *class_names(self.condition_dim)]

    @property
    def condition_dim(self) -> int:
        """Number of classes, which the decoder takes besides the latents."""
        return int(self.vae.discrete_dim)

    @property
    def classes(self) -> slice:
        """Columns of the class probabilities."""
        return slice(self.vae.z_dim, None)

    def class_losses(
        self, patches: Patches, posterior: Posterior
    ) -> tuple[Float[Tensor, "n classes pixels"], Classes]:
        """Return each pixel's loss by class; the other latents do not depend on it."""
        latents, count = posterior.mean[:, : self.vae.z_dim], self.condition_dim
        each = [
            pixel_losses(self, patches, latents, unit_vector(k, count, latents))
            for k in range(count)
        ]
        return torch.stack(each, dim=1), posterior.mean.new_zeros(len(latents), count)

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the encoder's Gaussians, then its classes."""
        encoder = self.vae.encoder_z
        mean, std, probabilities = encoder(as_input(encoder, patches.pixels))
        classes = class_posterior(probabilities)
        return Posterior(
            torch.cat([mean, classes.mean], dim=1), torch.cat([std, classes.std], dim=1)
        )

    def batches(
        self, patches: Patches, posterior: Posterior
    ) -> Iterator[tuple[Arguments, Answers]]:
        """Yield all patches at once, with Gaussians and class probabilities."""
        encoder, z = self.vae.encoder_z, self.vae.z_dim
        mean, std = posterior.mean, posterior.std
        answers: Answers = {encoder: (mean[:, :z], std[:, :z], mean[:, z:])}
        yield [as_input(encoder, patches.pixels)], answers


def class_names(count: int) -> list[str]:
    """Return titles of the maps of class probabilities."""
    return [f"P(class {k})" for k in range(count)]


def class_posterior(probabilities: Classes) -> Posterior:
    """Return class probabilities p with the standard deviation of the class, √(p (1 − p)).

    Then `Posterior.signal` is the share of that variance between patches, as for Gaussians.
    """
    variance = (probabilities * (1 - probabilities)).detach().clamp(min=0)
    return Posterior(probabilities, variance.sqrt())


def unit_vector(k: int, count: int, latents: Float[Tensor, "n columns"]) -> Classes:
    """Return class k as the decoder's condition, once per row of `latents`."""
    return torch.eye(count).to(latents)[k].expand(len(latents), -1)


def pixel_losses(
    model: Adapted, patches: Patches, latents: Float[Tensor, "n z_dim"], condition: Classes
) -> Float[Tensor, "n pixels"]:
    """Return each pixel's negative log-likelihood given latents and class."""
    mean = model.decoded(latents, condition)
    by_pixel: Tensor = -model.vae.sampler_d(mean).log_prob(model.targets(patches))
    return by_pixel
