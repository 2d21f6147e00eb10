"""pyroVED's models of more than one latent, and of two kinds of data: −ELBO is Pyro's own."""

import abc
import math
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import as_number
from ..patches.grid import PatchGrid
from ..patches.known import Patches
from .adapted import (
    Adapted,
    as_input,
    check_classes,
    check_complete,
    check_given,
    check_width,
    unit_vectors,
)
from .interface import at_rest
from .likelihood import check_range
from .options import Decoding
from .posterior import Posterior
from .pyro_elbo import Answers, Arguments, negative_elbo, pyro_terms

__all__ = [
    "AdaptedEncoderDecoder", "AdaptedJoint", "AdaptedRegression", "AdaptedSemiSupervised",
]  # fmt: skip


_CERTAIN = 1e4  # nats; more than any patch has
_SURE = 0.01  # deviation of a known property, in those of an unknown one


class _ByPyro(Adapted):
    """−ELBO by Pyro; Pyro's store is the process's own, so that threads would share it."""

    trains_in_threads = False
    enumerates = False  # whether discrete latents are summed over

    @property
    def shares(self) -> tuple[float, ...] | float:
        """What Pyro weighs each kind of latents by, in units of β: one number, or several."""
        return 1.0

    def terms(
        self,
        patches: Patches,
        posterior: Posterior,
        beta: float,
        decoding: Decoding = Decoding(),
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return reconstruction and KL of a batch, nats per patch.

        The reconstruction holds all that β does not weigh. Of a model that is told something of
        some patches, these are the known values' own loss, 20 times as pyroVED's trainer has it,
        and the latents that they are.
        """
        shares, parts = self.like.new_tensor(self.shares), []
        for data, answers in self._batches(patches, posterior):
            seed = torch.randint(2**62, (), generator=decoding.generator, device=self.device)
            loss = negative_elbo(
                self.vae, data, enumerates=self.enumerates, labelled=self._labelled(data)
            )
            parts.append(torch.stack(pyro_terms(loss, answers, beta, shares, int(seed))))
        reconstruction, kl = torch.stack(parts).sum(0) / len(posterior.mean)
        return reconstruction, kl

    @abc.abstractmethod
    def _batches(
        self, patches: Patches, posterior: Posterior
    ) -> Iterator[tuple[Arguments, Answers]]:
        """Yield the arguments of Pyro's model and guide, and what the encoder says of them."""

    def _labelled(self, data: Arguments) -> bool:
        """Return whether a batch has a loss of its known values, too."""
        return False

    def _pixels_by_class(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches, k: int, count: int
    ) -> Float[Tensor, "n pixels"]:
        """Return each pixel's negative log-likelihood if the patches are of class k."""
        beside = torch.eye(count).to(latents)[k].expand(len(latents), -1)
        drawn, data = self.drawn(latents, beside), self.targets(patches)
        by_pixel: Tensor = -self.vae.sampler_d(drawn).log_prob(data)
        return by_pixel


class AdaptedJoint(_ByPyro):
    """A ``jiVAE``; after the latents come the probabilities of the classes."""

    enumerates = True
    knows_its_noise = False

    def __init__(
        self, vae: Any, patch_shape: Sequence[int] | None, class_weight: float = 1.0
    ) -> None:
        super().__init__(vae, patch_shape)
        if not 0 < as_number(class_weight, "class_weight") < math.inf:
            raise ValueError(
                f"class_weight={class_weight} must be > 0 and finite; 1 weighs classes as the "
                "other latents."
            )
        self.class_weight = float(class_weight)

    @property
    def shares(self) -> tuple[float, ...]:
        """Weight of the continuous latents, and of the classes, in β."""
        return 1.0, self.class_weight

    @property
    def settings(self) -> dict[str, Any]:
        """What is known of how the model was made, and how its classes are weighed."""
        return {**super().settings, "class_weight": self.class_weight}

    @property
    def map_names(self) -> Sequence[str]:  # type: ignore[override]
        """Titles of the latent maps."""
        return [*super().map_names, *_class_names(self.beside)]

    @property
    def beside(self) -> int:
        """Number of values that the decoder takes beside the latents."""
        return int(self.vae.discrete_dim)

    @property
    def classes(self) -> slice:
        """Columns of the class probabilities."""
        return slice(self.vae.z_dim, None)

    def class_losses(
        self, patches: Patches, posterior: Posterior
    ) -> tuple[Float[Tensor, "n classes pixels"], Float[Tensor, "n classes"]]:
        """Return each pixel's loss by class; the other latents do not depend on it."""
        latents, count = posterior.mean[:, : self.vae.z_dim], self.vae.discrete_dim
        each = [self._pixels_by_class(latents, patches, k, count) for k in range(count)]
        return torch.stack(each, dim=1), posterior.mean.new_zeros(len(latents), count)

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the encoder's Gaussians, then its classes."""
        encoder = self.vae.encoder_z
        mean, std, probabilities = encoder(as_input(encoder, patches.pixels))
        classes = _classes(probabilities)
        return Posterior(
            torch.cat([mean, classes.mean], dim=1), torch.cat([std, classes.std], dim=1)
        )

    def _batches(
        self, patches: Patches, posterior: Posterior
    ) -> Iterator[tuple[Arguments, Answers]]:
        encoder, z = self.vae.encoder_z, self.vae.z_dim
        mean, std = posterior.mean, posterior.std
        answers: Answers = {encoder: (mean[:, :z], std[:, :z], mean[:, z:])}
        yield [as_input(encoder, patches.pixels)], answers


class _Partly(_ByPyro):
    """A model that is told something of some patches, and says it of the others."""

    knows_its_noise = False
    told: str

    def _batches(
        self, patches: Patches, posterior: Posterior
    ) -> Iterator[tuple[Arguments, Answers]]:
        # Images with a channel axis are what all of pyroVED's networks take here.
        shown = patches.pixels
        shown = shown[:, None] if shown.ndim == 3 else shown
        told = torch.zeros(len(shown), dtype=torch.bool, device=shown.device)
        if patches.known is not None:
            told = ~patches.known.isnan().any(1)
        for labelled in (False, True):
            (rows,) = torch.nonzero(told == labelled, as_tuple=True)
            if not len(rows):
                continue
            data = [shown[rows]]
            if labelled:
                assert patches.known is not None
                data.append(self._values(patches.known[rows]))
            yield data, {self.vae.encoder_y: posterior.mean[rows]}

    def check_training(self, grids: Sequence[PatchGrid]) -> None:
        """Raise an error if nothing is known of any patch: what would the classes mean?"""
        if all(grid.known is None or bool(grid.known.isnan().all()) for grid in grids):
            raise ValueError(
                f"nothing is known of any patch, but an {type(self.vae).__name__} learns from "
                f"{self.told} of some: grid.with_known(values)."
            )

    def _check_known(self, known: Tensor | None) -> None:
        if known is not None:  # to predict, none need be known
            self._check_values(known)

    @abc.abstractmethod
    def _check_values(self, known: Tensor) -> None:
        """Raise an error unless the known values are such as the model takes."""

    def _labelled(self, data: Arguments) -> bool:
        return len(data) > 1

    @property
    def columns(self) -> dict[str, slice]:
        """What the columns of the posterior's mean are: what the model says of each patch."""
        return {"content": slice(0, None)}

    def _said(self, patches: Patches) -> Tensor:
        """Return what the model says of each patch, told or not."""
        network = self.vae.encoder_y
        said: Tensor = network(as_input(network, patches.pixels))
        return said

    def _values(self, known: Float[Tensor, "n values"]) -> Tensor:
        """Return known values as the model takes them."""
        return known


class AdaptedSemiSupervised(_Partly):
    """An ``ssiVAE``; the maps are the probabilities of its classes."""

    enumerates = True
    told = "the class, -1 where unknown,"

    @property
    def map_names(self) -> Sequence[str]:  # type: ignore[override]
        """Titles of the latent maps."""
        return _class_names(self.beside)

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the classifier's classes."""
        return _classes(self._said(patches))

    @property
    def beside(self) -> int:
        """Number of values that the decoder takes beside the latents."""
        return int(self.vae.num_classes)

    @property
    def classes(self) -> slice:
        """Columns of the class probabilities: all."""
        return slice(0, None)

    def class_losses(
        self, patches: Patches, posterior: Posterior
    ) -> tuple[Float[Tensor, "n classes pixels"], Float[Tensor, "n classes"]]:
        """Return each pixel's loss by class, and the KL of what the encoder says given it.

        What is known of a patch counts as if the other classes could not draw it.
        """
        count, shown = self.vae.num_classes, patches.flat
        pixels, rest = [], []
        for k in range(count):
            beside = torch.eye(count).to(shown)[k].expand(len(shown), -1)
            latents = Posterior(*self.vae.encoder_z([shown, beside]))
            pixels.append(self._pixels_by_class(latents.mean, patches, k, count))
            rest.append(latents.kl())
        others = torch.stack(rest, dim=1)
        if patches.known is not None:
            told = patches.known[:, :1]
            of_others = (torch.arange(count).to(told) != told) & ~told.isnan()
            others = others + torch.where(of_others, _CERTAIN, 0.0)
        return torch.stack(pixels, dim=1), others

    def _values(self, known: Float[Tensor, "n values"]) -> Tensor:
        return unit_vectors(known, self.vae.num_classes)

    def _check_values(self, known: Tensor) -> None:
        count = self.vae.num_classes
        check_classes(known, count, f"an ssiVAE of {count} classes")


class AdaptedRegression(_Partly):
    """An ``ss_reg_iVAE``; the maps are the properties it predicts."""

    told = "properties, NaN where unknown,"

    @property
    def map_names(self) -> Sequence[str]:  # type: ignore[override]
        """Titles of the latent maps, counted as the properties are in `PatchGrid.with_known`."""
        return [f"property {k}" for k in range(self.beside)]

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the properties, with the deviation that the model gives them."""
        said = self._said(patches)
        return Posterior(said, torch.full_like(said, float(self.vae.reg_sig)))

    def prior(self, patches: Patches, posterior: Posterior) -> Posterior:
        """Return the properties' own prior; and where they are known, that they are these."""
        mean, std = torch.zeros_like(posterior.mean), posterior.std
        if patches.known is not None:
            told = ~patches.known.isnan()
            mean = torch.where(told, patches.known, mean)
            std = torch.where(told, _SURE * std, std)
        return Posterior(mean, std)

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches
    ) -> Float[Tensor, "n pixels"]:
        """Return what is drawn at these properties, all else as the encoder says given them."""
        rest, _ = self.vae.encoder_z([patches.flat, latents])
        return self.drawn(rest, latents)

    @property
    def beside(self) -> int:
        """Number of values that the decoder takes beside the latents."""
        return int(self.vae.reg_dim)

    def _check_values(self, known: Tensor) -> None:
        check_width(known, self.vae.reg_dim, f"an ss_reg_iVAE of reg_dim={self.vae.reg_dim}")


class AdaptedEncoderDecoder(_ByPyro):
    """A ``VED``: from a patch to the spectrum, or image, that is known of it."""

    draws_patches = False

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the encoder's Gaussians."""
        encoder = self.vae.encoder_z
        return Posterior(*encoder(as_input(encoder, patches.pixels)))

    def _batches(
        self, patches: Patches, posterior: Posterior
    ) -> Iterator[tuple[Arguments, Answers]]:
        encoder = self.vae.encoder_z
        data = [as_input(encoder, patches.pixels), self.targets(patches)]
        yield data, {encoder: (posterior.mean, posterior.std)}

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches
    ) -> Float[Tensor, "n pixels"]:
        """Return the spectra that the decoder predicts."""
        return self.drawn(latents)

    def targets(self, patches: Patches) -> Float[Tensor, "n pixels"]:
        """Return what is to be predicted."""
        return self._told_of(patches.known)

    def check_training(self, grids: Sequence[PatchGrid]) -> None:
        """Raise an error unless it is known of all grids what is to be predicted."""
        for grid in grids:
            self._told_of(grid.known)

    def _told_of(self, known: Tensor | None) -> Tensor:
        return check_given(known, "a VED", "the spectrum to predict")

    def _check_image(self, low: float, high: float) -> None:
        """Take any image: it is read, not drawn."""

    def _check_known(self, known: Tensor | None) -> None:
        if known is None:  # to read a patch, none need be
            return
        check_complete(known, "a VED")
        with at_rest(self):
            decoded = self.vae.decoder(self.like.new_zeros(1, self.vae.z_dim)).numel()
        check_width(known, decoded, f"a VED that predicts {decoded} points")
        check_range(
            float(known.min()), float(known.max()), self.sampler_name, what="what is known"
        )


def _class_names(count: int) -> list[str]:
    return [f"P(class {k})" for k in range(count)]


def _classes(probabilities: Float[Tensor, "n classes"]) -> Posterior:
    """Return class probabilities, with the deviation of each class being the true one.

    Then `Posterior.signal` is the part of that variance which patches explain, as for Gaussians.
    """
    spread = (probabilities * (1 - probabilities)).detach().clamp(min=0).sqrt()
    return Posterior(probabilities, spread)
