"""pyroVED's `VED`, adapted: from each patch to the spectrum, or image, that is known of it."""

from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..compute.own_state import at_rest
from ..patches.grid import PatchGrid
from ..patches.known import Patches
from .adapted import as_input
from .by_pyro import AdaptedByPyro, Answers, Arguments
from .known_values import check_complete, check_given, check_width
from .likelihood import check_range
from .posterior import Posterior

__all__ = ["AdaptedEncoderDecoder"]


class AdaptedEncoderDecoder(AdaptedByPyro):
    """A ``VED``; its decoder predicts the known values of a patch, not the patch."""

    draws_patches = False

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the encoder's posteriors."""
        encoder = self.vae.encoder_z
        return Posterior(*encoder(as_input(encoder, patches.pixels)))

    def batches(
        self, patches: Patches, posterior: Posterior
    ) -> Iterator[tuple[Arguments, Answers]]:
        """Yield all patches with their spectra at once."""
        encoder = self.vae.encoder_z
        data = [as_input(encoder, patches.pixels), self.targets(patches)]
        yield data, {encoder: (posterior.mean, posterior.std)}

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches
    ) -> Float[Tensor, "n pixels"]:
        """Return the predicted spectra."""
        return self.decoded(latents)

    def targets(self, patches: Patches) -> Float[Tensor, "n pixels"]:
        """Return the known spectra, which the decoder is to predict."""
        return _spectra(patches.known)

    def check_training(self, grids: Sequence[PatchGrid]) -> None:
        """Raise an error unless the spectra of all grids are known."""
        for grid in grids:
            _spectra(grid.known)

    def check_image(self, low: float, high: float) -> None:
        """Accept any image: it is encoded and not reconstructed."""

    def check_known(self, known: Tensor | None) -> None:
        """Raise an error unless the known spectra, if there are any, suit the decoder."""
        if known is None:
            return
        check_complete(known, "a VED")
        with at_rest(self):
            points = self.vae.decoder(self.like.new_zeros(1, self.vae.z_dim)).numel()
        check_width(known, points, f"a VED that predicts {points} points")
        low, high = float(known.min()), float(known.max())
        check_range(low, high, self.sampler_name, what="the spectrum to predict")


def _spectra(known: Tensor | None) -> Tensor:
    return check_given(known, "a VED", "the spectrum to predict")
