"""pyroVED's `ssiVAE` and `ss_reg_iVAE`, adapted: classes or properties known of some patches."""

import abc
from collections.abc import Iterator, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..patches.grid import PatchGrid
from ..patches.known import Patches
from .adapted import as_input
from .by_pyro import AdaptedByPyro, Answers, Arguments
from .joint import class_names, class_posterior, pixel_losses, unit_vector
from .known_values import check_classes, check_width, unit_vectors
from .posterior import Posterior

__all__ = ["AdaptedRegression", "AdaptedSemiSupervised"]

_CERTAIN = 1e4  # nats; more than any patch has
_SURE = 0.01  # deviation of a known property, relative to an unknown one


class _SemiSupervised(AdaptedByPyro):
    """A model that learns from known values of some patches to predict those of the others."""

    knows_its_noise = False
    known_values: str  # their kind, for an error message

    @property
    def columns(self) -> dict[str, slice]:
        """Columns of the posterior's mean: the predicted values are the content."""
        return {"content": slice(0, None)}

    def batches(
        self, patches: Patches, posterior: Posterior
    ) -> Iterator[tuple[Arguments, Answers]]:
        """Yield the patches without known values, then those with them."""
        # All of pyroVED's networks take images with a channel axis here.
        pixels = patches.pixels
        pixels = pixels[:, None] if pixels.ndim == 3 else pixels
        is_known = torch.zeros(len(pixels), dtype=torch.bool, device=pixels.device)
        if patches.known is not None:
            is_known = ~patches.known.isnan().any(1)
        for labelled in (False, True):
            (rows,) = torch.nonzero(is_known == labelled, as_tuple=True)
            if not len(rows):
                continue
            data = [pixels[rows]]
            if labelled:
                assert patches.known is not None
                data.append(self.encoded_values(patches.known[rows]))
            yield data, {self.vae.encoder_y: posterior.mean[rows]}

    def is_labelled(self, data: Arguments) -> bool:
        """Return whether a batch has known values, and so an auxiliary loss of them."""
        return len(data) > 1

    def encoded_values(self, known: Float[Tensor, "n values"]) -> Tensor:
        """Return known values as pyroVED's model takes them."""
        return known

    def predicted(self, patches: Patches) -> Tensor:
        """Return the predicted values of each patch, known or not."""
        network = self.vae.encoder_y
        values: Tensor = network(as_input(network, patches.pixels))
        return values

    def check_training(self, grids: Sequence[PatchGrid]) -> None:
        """Raise an error if there is no known value at all: nothing to learn to predict."""
        if all(grid.known is None or bool(grid.known.isnan().all()) for grid in grids):
            raise ValueError(
                f"nothing is known of any patch, but an {type(self.vae).__name__} learns from "
                f"{self.known_values} of some: grid.with_known(values)."
            )

    def check_known(self, known: Tensor | None) -> None:
        """Raise an error unless the known values, if there are any, suit the model."""
        if known is not None:
            self.check_values(known)

    @abc.abstractmethod
    def check_values(self, known: Tensor) -> None:
        """Raise an error unless the known values suit the model."""


class AdaptedSemiSupervised(_SemiSupervised):
    """An ``ssiVAE``; its maps are the class probabilities."""

    enumerates = True
    known_values = "the class, -1 where unknown,"

    @property
    def map_names(self) -> Sequence[str]:  # type: ignore[override]
        """Titles of the latent maps."""
        return class_names(self.condition_dim)

    @property
    def condition_dim(self) -> int:
        """Number of classes, which the decoder takes besides the latents."""
        return int(self.vae.num_classes)

    @property
    def classes(self) -> slice:
        """Columns of the class probabilities: all."""
        return slice(0, None)

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the classifier's class probabilities."""
        return class_posterior(self.predicted(patches))

    def class_losses(
        self, patches: Patches, posterior: Posterior
    ) -> tuple[Float[Tensor, "n classes pixels"], Float[Tensor, "n classes"]]:
        """Return each pixel's loss by class, and the KL of the latents encoded given it.

        Where the class is known, the others have a KL that excludes them.
        """
        count, flat = self.condition_dim, patches.flat
        pixels, rest = [], []
        for k in range(count):
            condition = unit_vector(k, count, flat)
            latents = Posterior(*self.vae.encoder_z([flat, condition]))
            pixels.append(pixel_losses(self, patches, latents.mean, condition))
            rest.append(latents.kl())
        others = torch.stack(rest, dim=1)
        if patches.known is not None:
            known = patches.known[:, :1]
            excluded = (torch.arange(count).to(known) != known) & ~known.isnan()
            others = others + torch.where(excluded, _CERTAIN, 0.0)
        return torch.stack(pixels, dim=1), others

    def encoded_values(self, known: Float[Tensor, "n values"]) -> Tensor:
        """Return known classes as unit vectors."""
        return unit_vectors(known, self.condition_dim)

    def check_values(self, known: Tensor) -> None:
        """Raise an error unless the known values are classes."""
        count = self.condition_dim
        check_classes(known, count, f"an ssiVAE of {count} classes")


class AdaptedRegression(_SemiSupervised):
    """An ``ss_reg_iVAE``; its maps are the properties that it predicts."""

    known_values = "properties, NaN where unknown,"

    @property
    def map_names(self) -> Sequence[str]:  # type: ignore[override]
        """Titles of the latent maps, counted as the properties are in `PatchGrid.with_known`."""
        return [f"property {k}" for k in range(self.condition_dim)]

    @property
    def condition_dim(self) -> int:
        """Number of properties, which the decoder takes besides the latents."""
        return int(self.vae.reg_dim)

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the predicted properties, with the model's constant standard deviation."""
        mean = self.predicted(patches)
        return Posterior(mean, torch.full_like(mean, float(self.vae.reg_sig)))

    def prior(self, patches: Patches, posterior: Posterior) -> Posterior:
        """Return the properties' own prior, and a narrow one around known values."""
        mean, std = torch.zeros_like(posterior.mean), posterior.std
        if patches.known is not None:
            is_known = ~patches.known.isnan()
            mean = torch.where(is_known, patches.known, mean)
            std = torch.where(is_known, _SURE * std, std)
        return Posterior(mean, std)

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches
    ) -> Float[Tensor, "n pixels"]:
        """Return decoded pixels of these properties, with the other latents encoded given them."""
        rest, _ = self.vae.encoder_z([patches.flat, latents])
        return self.decoded(rest, latents)

    def check_values(self, known: Tensor) -> None:
        """Raise an error unless there is a value for each property."""
        count = self.condition_dim
        check_width(known, count, f"an ss_reg_iVAE of reg_dim={count}")
