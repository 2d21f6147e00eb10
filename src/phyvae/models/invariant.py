"""pyroVED's `iVAE` with any invariances, adapted: closed-form KL, one-sample reconstruction."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..patches.known import Patches
from .adapted import Adapted, as_input
from .backend import sDecoderNet
from .known_values import check_classes, check_complete, check_given, unit_vectors
from .likelihood import chosen
from .options import Decoding
from .posterior import Posterior

__all__ = ["AdaptedInvariant"]


class AdaptedInvariant(Adapted):
    """An ``iVAE``: KL in closed form, one sample of the reconstruction."""

    @property
    def decodes_pixels(self) -> bool:  # type: ignore[override]
        """Whether the decoder works pixel by pixel; the user's own gives whole patches."""
        return type(self.vae.decoder) is sDecoderNet

    @property
    def condition_dim(self) -> int:
        """Number of values that encoder and decoder are conditioned on."""
        return int(self.vae.c_dim)

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the encoder's posteriors."""
        condition = self._conditions(patches)
        pixels = as_input(self.vae.encoder_z, patches.pixels)
        inputs = pixels if condition is None else [pixels.flatten(1), condition]
        return Posterior(*self.vae.encoder_z(inputs))

    def terms(
        self, patches: Patches, posterior: Posterior, beta: float, decoding: Decoding = Decoding()
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return reconstruction and KL of a batch, nats per patch."""
        latents = posterior.sample(decoding.generator)
        mean = self.decoded(latents, self._conditions(patches), decoding.pixels)
        data, scale = chosen(self.targets(patches), decoding.pixels)
        log_likelihood: Tensor = self.vae.sampler_d(mean).log_prob(data).sum(-1)
        return -scale * log_likelihood.mean(), posterior.kl().mean()

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches
    ) -> Float[Tensor, "n pixels"]:
        """Return the mean of each pixel given the latents, and the patches' known values."""
        return self.decoded(latents, self._conditions(patches))

    def decoded(
        self,
        latents: Float[Tensor, "n z_dim"],
        condition: Float[Tensor, "n values"] | None = None,
        pixels: Tensor | None = None,
    ) -> Float[Tensor, "n pixels"]:
        """Return the decoded pixels, shape (n, pixels); all of them, or those at flat indices."""
        if pixels is None:
            return super().decoded(latents, condition)
        z, net = self.decoder_input(latents, condition), self.vae.decoder
        hidden = net.coord_latent(self.coordinates(latents)[:, pixels], z)
        output: Tensor = net.activation_out(net.out(net.fc_layers(hidden)))
        return output.reshape(len(latents), -1)

    def check_known(self, known: Tensor | None) -> None:
        """Raise an error unless there is a condition for each patch, if the model takes one."""
        count = self.vae.c_dim
        if not count:
            super().check_known(known)
            return
        who = f"an iVAE with c_dim={count}"
        known = check_given(known, who, f"a class or {count} properties")
        check_complete(known, who)
        if known.shape[1] != count:
            check_classes(known, count, who)

    def _conditions(self, patches: Patches) -> Float[Tensor, "n values"] | None:
        """Return each patch's condition: properties, or a class as a unit vector."""
        if patches.known is None:
            return None
        return unit_vectors(patches.known, self.vae.c_dim)
