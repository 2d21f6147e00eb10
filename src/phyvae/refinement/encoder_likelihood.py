"""The energy of all latents by what the encoder says of each patch, and how noise moves it."""

from dataclasses import dataclass, field
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from .around import other_noises, said_around
from .descent import EXACT, Inner, Point, Problem, signs_of

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
    alone
        Variance that the noise gives what it says of the patch alone, without windows around it.
    """

    mean: Float[Tensor, "n z_dim"]
    precision: Float[Tensor, "n z_dim"]
    moves: list[Float[Tensor, "n z_dim"]]
    alone: Float[Tensor, "n z_dim"]


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

    def noise_alone(self, point: Point, samples: int, seed: int) -> Float[Tensor, "n z_dim"]:
        """Return the variance that the image's noise gives latents of the patch alone."""
        return self.said.alone

    def pushes(self, point: Point, samples: int, seed: int) -> list[Float[Tensor, "n z_dim"]]:
        """Return forces on the latents by other noises."""
        return [-self.said.precision * move for move in self.said.moves]


@torch.no_grad()
def said_by_encoder(problem: Problem, samples: int, seed: int, around: int) -> Said:
    """Ask the encoder for all patches, and again for the same patches with other noises.

    A noise is what the decoder leaves of each pixel, with random signs. How far it moves the
    answers is no matter of the encoder's own standard deviations: these are as wide as β and the
    likelihood of grey pixels make them. Content is a mean over windows up to `around` px away.
    """
    generator = torch.Generator().manual_seed(seed)
    if not problem.model.draws_patches:  # what it draws is no image, and leaves nothing of one
        return _by_its_own_word(problem, samples, generator)
    if around:
        mean, own = said_around(problem, problem.grid.image, around)
        again = [
            said_around(problem, image, around)
            for image in other_noises(problem, own, samples, generator)
        ]
        moves, alone = [one - mean for one, _ in again], [one - own for _, one in again]
    else:
        mean, moves = _of_patches(problem, samples, generator)
        alone = moves
    variance, own_variance = (_variance(one).expand_as(mean) for one in (moves, alone))
    return Said(mean, _precision(mean, variance), moves, own_variance)


def _by_its_own_word(problem: Problem, samples: int, generator: torch.Generator) -> Said:
    posteriors = [problem.model.posterior(data) for _, data in problem.batches()]
    mean, std = (torch.cat([getattr(p, part) for p in posteriors]) for part in ("mean", "std"))
    noise = torch.randn((samples, *std.shape), generator=generator).to(std)
    return Said(mean, _precision(mean, std.square()), list(std * noise), std.square())


def _of_patches(
    problem: Problem, samples: int, generator: torch.Generator
) -> tuple[Float[Tensor, "n z_dim"], list[Float[Tensor, "n z_dim"]]]:
    """Return the encoder's means of the patches alone, and how other noises move them."""
    model = problem.model
    signs = [signs_of(problem, generator) for _ in range(samples)]
    means: list[Tensor] = []
    moves: list[list[Tensor]] = [[] for _ in range(samples)]
    for rows, data in problem.batches():
        mean, patches = model.posterior(data).mean, data.pixels
        means.append(mean)
        clean = model.pixel_means(mean, data).reshape(patches.shape)
        for moved, sign in zip(moves, signs, strict=True):
            random = sign(rows, problem.grid.indices[rows]).to(patches).reshape(patches.shape)
            again = clean + random * (patches - clean)
            seen = data.showing(again)
            moved.append(model.posterior(seen).mean - mean)
    return torch.cat(means), [torch.cat(moved) for moved in moves]


def _variance(moves: list[Float[Tensor, "n z_dim"]]) -> Float[Tensor, " z_dim"]:
    """Return that of all patches, which have the same noise but for the few samples."""
    return torch.stack(moves).var(0).mean(0)


def _precision(
    mean: Float[Tensor, "n z_dim"], variance: Float[Tensor, "n z_dim"]
) -> Float[Tensor, "n z_dim"]:
    least = _LEAST * mean.var(0, correction=0)
    return 1 / torch.maximum(variance, torch.where(least > 0, least, 1.0))
