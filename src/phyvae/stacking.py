"""Several models of one shape as one: their weights lie together, and take steps together."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import functional_call

from .epochs import Drawn
from .known import pixels_of
from .models import ShiftVAE
from .objective import ObjectiveParts, PhysicsObjective
from .posterior import Posterior

__all__ = ["ModelStack"]

Pair = tuple[Tensor, Tensor]  # mean and standard deviation


class ModelStack:
    """Models that differ in their weights only; a leading axis counts them.

    Attributes
    ----------
    parameters : dict
        The models' parameters by name, each of shape (models, ...).
    """

    def __init__(self, models: Sequence[ShiftVAE]) -> None:
        self.models = list(models)
        named = [dict(model.named_parameters()) for model in self.models]
        self.parameters = {
            name: torch.stack([one[name].detach() for one in named]).requires_grad_()
            for name in named[0]
        }

    @torch.no_grad()
    def unstack(self) -> None:
        """Give the parameters back to the models."""
        for i, model in enumerate(self.models):
            for name, parameter in model.named_parameters():
                parameter.copy_(self.parameters[name][i])

    def backward(
        self,
        objectives: Sequence[PhysicsObjective],
        drawn: Sequence[Drawn],
        betas: Sequence[float],
        *,
        dtype: torch.dtype,
        compiled: bool = False,
    ) -> list[ObjectiveParts]:
        """Do for each model what its objective's `backward` does; return their parts.

        The gradients are added to those of `parameters`. All draws are of the same sizes; those
        that have one tensor as their tile share the work that needs no weights.
        """
        first = drawn[0]
        encoded, batches = [pixels_of(one.tile) for one in drawn], [one.batch for one in drawn]
        shared = all(one is encoded[0] for one in encoded)
        tiles = encoded[0] if shared else torch.stack(encoded)
        if first.sites is None:
            posterior = self._posterior(tiles, dtype, shared=shared)
        else:
            sites = [one.sites for one in drawn if one.sites is not None]
            encoded = [tile[of_one] for tile, of_one in zip(encoded, sites, strict=True)]
            batches = [torch.arange(len(one.batch), device=one.batch.device) for one in drawn]
            posterior = self._posterior(torch.stack(encoded), dtype)
        leaves = [Posterior(*pair).leaf() for pair in zip(*posterior, strict=True)]
        means = [leaf.mean for leaf in leaves]
        if first.sites is not None:
            with torch.no_grad():
                whole, _ = self._posterior(tiles, dtype, shared=shared)
            means = [mean.requires_grad_() for mean in whole]
        patches = [every[batch] for every, batch in zip(encoded, batches, strict=True)]
        sampled = [leaf[batch] for leaf, batch in zip(leaves, batches, strict=True)]
        reconstructions = self._reconstructions(patches, sampled, drawn, dtype, compiled)
        parts, psis = [], []
        for i, (objective, model) in enumerate(zip(objectives, self.models, strict=True)):
            floor = model.floor(patches[i], drawn[i].pixels).mean()
            psi = objective.tile_psi(means[i][:, model.content], drawn[i].layout)
            terms = reconstructions[i], sampled[i].kl().mean(), floor, psi.detach()
            parts.append(objective.combine(*terms, betas[i]))
            psis.append(psi)
        torch.stack([part.loss for part in parts]).sum().backward()
        gradients = [
            objective.gradient(leaves[i], means[i], psis[i], parts[i], batches[i], drawn[i].sites)
            for i, objective in enumerate(objectives)
        ]
        stacked = [torch.stack(one) for one in zip(*gradients, strict=True)]
        torch.autograd.backward(posterior, stacked)
        return [part.detach() for part in parts]

    def _posterior(self, patches: Tensor, dtype: torch.dtype, *, shared: bool = False) -> Pair:
        """Return means and deviations, (models, n, z_dim), of each one's patches or of shared."""

        def encode(model: ShiftVAE, patches: Tensor) -> Pair:
            posterior = model.posterior(patches, dtype)
            return posterior.mean, posterior.std

        found: Pair = self._each(encode, (None if shared else 0,), patches)
        return found

    def _reconstructions(
        self,
        patches: Sequence[Tensor],
        sampled: Sequence[Posterior],
        drawn: Sequence[Drawn],
        dtype: torch.dtype,
        compiled: bool,
    ) -> Float[Tensor, " models"]:
        """Return the mean reconstruction of each model's batch, at a sample of its latents."""

        def decode(
            model: ShiftVAE, patches: Tensor, latents: Tensor, pixels: Tensor | None
        ) -> Tensor:
            return model.mean_reconstruction(
                patches, latents, pixels, dtype=dtype, compiled=compiled
            )

        latents = [one.draw(d.generator) for one, d in zip(sampled, drawn, strict=True)]
        chosen = [one.pixels for one in drawn if one.pixels is not None]
        pixels = torch.stack(chosen) if chosen else None
        in_dims = (0, 0, 0 if chosen else None)
        every = torch.stack(list(patches)), torch.stack(latents), pixels
        found: Tensor = self._each(decode, in_dims, *every)
        return found

    def _each(
        self,
        function: Callable[..., Tensor | Pair],
        in_dims: tuple[int | None, ...],
        *arguments: Tensor | None,
    ) -> Any:
        """Return `function` of each model and its arguments, all at once."""
        call = _Call(self.models[0], function)
        named = {f"model.{name}": stacked for name, stacked in self.parameters.items()}

        def of_one(parameters: dict[str, Tensor], *arguments: Tensor | None) -> Any:
            return functional_call(call, parameters, arguments)

        return torch.vmap(of_one, in_dims=(0, *in_dims))(named, *arguments)


class _Call(nn.Module):
    """A function of a model as a module, whose weights torch.func can exchange."""

    def __init__(self, model: ShiftVAE, function: Callable[..., Tensor | Pair]) -> None:
        super().__init__()
        self.model, self.function = model, function

    def forward(self, *arguments: Tensor | None) -> Tensor | Pair:
        return self.function(self.model, *arguments)
