"""The energy of all latents by what the encoder says of each patch, and how noise moves it."""

from dataclasses import dataclass, field, replace
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from .known import KnownPatches, pixels_of
from .latent_descent import EXACT, Inner, Point, Problem, signs_of

__all__ = ["EncoderProblem", "Said", "said_by_encoder"]

_LEAST = 1e-6  # variance of noise, in that of a latent over the patches; no image has less


@dataclass(frozen=True, eq=False)
class Said:
    """What the encoder says of all patches.

    Attributes
    ----------
    mean
        Its means.
    precision
        One over the variance that the noise of the image gives them.
    moves
        By how much they move if the noise is another one, for each simulated noise.
    """

    mean: Float[Tensor, "n z_dim"]
    precision: Float[Tensor, "n z_dim"]
    moves: list[Float[Tensor, "n z_dim"]]


@dataclass(frozen=True, eq=False)
class EncoderProblem(Problem):
    """The energy in which the encoder's answers, with their noise, stand for φ and the prior.

    It is quadratic but for Ψ: without Ψ the minimum is the encoder's own answer, with Ψ it is one
    step away, which is taken exactly.
    """

    said: Said = field(kw_only=True)
    inner: ClassVar[Inner] = EXACT
    is_quadratic: ClassVar[bool] = True

    @property
    def prior(self) -> tuple[Float[Tensor, "n z_dim"], Float[Tensor, "n z_dim"]]:
        """Mean of the latents once their patch is seen, and one over their variance."""
        return self.said.mean, self.said.precision

    def encoded(self) -> Float[Tensor, "n z_dim"]:
        """Return the encoder's means, the start of the descent."""
        return self.said.mean

    def at(self, z: Float[Tensor, "n z_dim"]) -> Point:
        """Return the latents; there is no φ to expand."""
        nothing = torch.zeros_like(z)
        bend = torch.diag_embed(nothing)
        return Point(z, nothing[:, 0], nothing, bend, self.said.precision)

    def pushes(self, point: Point, samples: int, seed: int) -> list[Float[Tensor, "n z_dim"]]:
        """Return forces on the latents by other noises."""
        return [-self.said.precision * move for move in self.said.moves]


@torch.no_grad()
def said_by_encoder(problem: Problem, samples: int, seed: int) -> Said:
    """Ask the encoder for all patches, and again for the same patches with other noises.

    A noise is what the decoder leaves of each pixel, with random signs. How far it moves the
    answers is no matter of the encoder's own standard deviations: these are as wide as β and the
    likelihood of grey pixels make them.
    """
    model, generator = problem.model, torch.Generator().manual_seed(seed)
    signs = [signs_of(problem, generator) for _ in range(samples if model.draws_patches else 0)]
    means, stds = [], []
    moves: list[list[Tensor]] = [[] for _ in range(samples)]
    for rows, data in problem.batches():
        posterior, patches = model.posterior(data), pixels_of(data)
        means.append(posterior.mean)
        stds.append(posterior.std)
        if not model.draws_patches:  # what it draws is no image, and leaves nothing of one
            for moved in moves:
                noise = torch.randn(posterior.std.shape, generator=generator)
                moved.append(posterior.std * noise.to(posterior.std))
            continue
        clean = model.pixel_means(posterior.mean, data).reshape(patches.shape)
        for moved, sign in zip(moves, signs, strict=True):
            coins = sign(rows, problem.grid.indices[rows]).to(patches).reshape(patches.shape)
            again = clean + coins * (patches - clean)
            seen = replace(data, patches=again) if isinstance(data, KnownPatches) else again
            moved.append(model.posterior(seen).mean - posterior.mean)
    mean, spread = torch.cat(means), torch.stack([torch.cat(moved) for moved in moves])
    if model.draws_patches:
        # All patches have the same noise, but for the few samples it is measured with.
        variance = spread.var(0).mean(0).expand_as(mean)
    else:
        variance = torch.cat(stds).square()
    least = _LEAST * mean.var(0, correction=0)
    precision = 1 / torch.maximum(variance, torch.where(least > 0, least, 1.0))
    return Said(mean, precision, list(spread))
