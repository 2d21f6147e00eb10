"""pyroVED's `iVAE` with any invariances: KL in closed form, one sample of the reconstruction."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..patches.known import Patches
from .adapted import (
    Adapted,
    as_input,
    check_classes,
    check_complete,
    check_given,
    unit_vectors,
)
from .backend import sDecoderNet
from .likelihood import chosen
from .options import Decoding
from .posterior import Posterior

__all__ = ["AdaptedInvariant"]


class AdaptedInvariant(Adapted):
    """An ``iVAE``: KL in closed form, one sample of the reconstruction."""

    @property
    def decodes_pixels(self) -> bool:  # type: ignore[override]
        """Whether the decoder draws pixel by pixel; a network of the user's draws patches."""
        return type(self.vae.decoder) is sDecoderNet

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the encoder's Gaussians."""
        given = self._given(patches)
        shown = as_input(self.vae.encoder_z, patches.pixels)
        answer = self.vae.encoder_z(shown if given is None else [shown.flatten(1), given])
        return Posterior(*answer)

    def terms(
        self,
        patches: Patches,
        posterior: Posterior,
        beta: float,
        decoding: Decoding = Decoding(),
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return reconstruction and KL of a batch, nats per patch."""
        latents = posterior.draw(decoding.generator)
        mean = self.decoded(latents, self._given(patches), decoding.pixels)
        data, scale = chosen(self.targets(patches), decoding.pixels)
        log_likelihood: Tensor = self.vae.sampler_d(mean).log_prob(data).sum(-1)
        return -scale * log_likelihood.mean(), posterior.kl().mean()

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches
    ) -> Float[Tensor, "n pixels"]:
        """Return the mean of each pixel of patches that have these latents."""
        return self.decoded(latents, self._given(patches))

    def decoded(
        self,
        latents: Float[Tensor, "n z_dim"],
        given: Tensor | None = None,
        pixels: Tensor | None = None,
    ) -> Float[Tensor, "n pixels"]:
        """Return the pixels that the decoder draws from latents, shape (n, pixels)."""
        if pixels is None or not self.vae.coord:
            return self.drawn(latents, given)
        z, net = latents[:, self.content], self.vae.decoder
        z = z if given is None else torch.cat([z, given], dim=-1)
        hidden = net.coord_latent(self.coordinates(latents)[:, pixels], z)
        drawn: Tensor = net.activation_out(net.out(net.fc_layers(hidden)))
        return drawn.reshape(len(latents), -1)

    @property
    def beside(self) -> int:
        """Number of values that the decoder takes beside the latents."""
        return int(self.vae.c_dim)

    def _given(self, patches: Patches) -> Tensor | None:
        """Return what the networks are conditioned on: properties, or a class as a unit vector."""
        if not patches.known is not None:
            return None
        return unit_vectors(patches.known, self.vae.c_dim)

    def _check_known(self, known: Tensor | None) -> None:
        count = self.vae.c_dim
        if not count:
            super()._check_known(known)
            return
        who = f"an iVAE with c_dim={count}"
        known = check_given(known, who, f"a class or {count} properties")
        check_complete(known, who)
        if known.shape[1] != count:
            check_classes(known, count, who)
