"""Gauss-Newton descent of the energy of all latents, patch by patch and with an exact Ψ."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jvp, vmap
from tqdm.auto import tqdm

from ..models import Refinable
from ..models.likelihood import expanded
from ..patches.grid import PatchGrid
from ..patches.known import Patches
from ..patches.layout import Layout
from ..training.objective import PhysicsObjective

if TYPE_CHECKING:
    Bar = tqdm[Any]
else:
    Bar = tqdm  # an old one takes no parameter

__all__ = ["EXACT", "Inner", "Point", "Problem", "coins", "descend", "signs_of", "spread"]

_SETTLED = 1e-3  # nats per patch; a smaller fall of the energy ends the descent
_TOLERATED = 0.05  # nats; an expansion that misleads by less is left alone


@dataclass(frozen=True, eq=False)
class Point:
    """Latents of all patches, and φ around them to second order, one row per patch."""

    z: Float[Tensor, "n z_dim"]
    reconstruction: Float[Tensor, " n"]
    gradient: Float[Tensor, "n z_dim"]
    curvature: Float[Tensor, "n z_dim z_dim"]
    noise: Float[Tensor, "n z_dim"]


@dataclass(frozen=True)
class Inner:
    """How Adam minimises an expanded energy with Ψ: steps, and the rate of the first one."""

    steps: int
    rate: float


ROUGH = Inner(120, 0.2)  # the expansion is wrong by more
EXACT = Inner(500, 0.1)  # maps to 0.001


@dataclass(frozen=True, eq=False)
class Problem:
    """The energy of all patches, and its expansions."""

    model: Refinable
    grid: PatchGrid
    layout: Layout
    objective: PhysicsObjective
    beta: float
    batch_size: int
    weight: float = 0.0
    offset: Tensor | float = 0.0
    unit: Tensor | float = 1.0
    inner: ClassVar[Inner] = ROUGH
    is_quadratic: ClassVar[bool] = False  # but for Ψ

    @torch.no_grad()
    def encoded(self) -> Float[Tensor, "n z_dim"]:
        """Return the encoder's means, the start of the descent."""
        return torch.cat([self.model.posterior(patches).mean for _, patches in self.batches()])

    @cached_property
    @torch.no_grad()
    def prior(self) -> tuple[Float[Tensor, "n z_dim"], Float[Tensor, "n z_dim"]]:
        """Mean of the latents before a pixel is seen, and β over their variance."""
        each = (
            self.model.prior(patches, self.model.posterior(patches))
            for _, patches in self.batches()
        )
        means, stds = zip(*((one.mean, one.std) for one in each), strict=True)
        return torch.cat(means), self.beta / torch.cat(stds).square()

    def batches(self) -> Iterator[tuple[slice, Patches]]:
        """Yield the patches with the rows that are theirs."""
        first = 0
        for index in self.grid.indices.split(self.batch_size):
            yield slice(first, first + len(index)), self.grid.data(index, self.model.like)
            first += len(index)

    def at(self, z: Float[Tensor, "n z_dim"]) -> Point:
        """Expand φ of every patch around its latents."""
        parts = []
        for rows, patches in self.batches():
            value, scores, curvature = _expand(self.model, patches, z[rows])
            noise = scores.square().sum(-1)
            parts.append((value, scores.sum(-1), curvature, noise))
        return Point(z, *(torch.cat(part) for part in zip(*parts, strict=True)))

    def psi(self, z: Float[Tensor, "n z_dim"]) -> Float[Tensor, ""]:
        """Return Ψ of the maps in their own unit."""
        values = (z[:, self.model.content] - self.offset) / self.unit
        return self.objective.psi(values, self.layout)

    def with_physics(self, point: Point, strength: float) -> "Problem":
        """Return the same problem with Ψ, weighed against the noise at the maps without Ψ."""
        if self.objective.physics is None or strength == 0:
            return self
        z, content = point.z, self.model.content
        values = z[:, content]
        unit = values.std(0, correction=0)
        unit = torch.where(unit > 0, unit, 1.0)
        problem = replace(self, offset=values.mean(0), unit=unit)
        noise = point.noise[:, content] * unit.square()
        acted_on = list(self.objective.acts_on(values.shape[1]))
        with torch.enable_grad():
            leaf = z.clone().requires_grad_()
            psi = problem.psi(leaf)
            if not psi.requires_grad:
                raise ValueError(
                    f"{self.objective!r} gives a value without gradient, so no map can descend "
                    "it; compute it from the maps with torch, and not with "
                    'coupling="published".'
                )
            pull = torch.autograd.grad(psi, leaf)[0][:, content] * unit
        pull = len(z) * pull[:, acted_on].square().mean().sqrt()
        weight = (
            strength * noise[:, acted_on].mean().sqrt() / torch.where(pull > 0, pull, math.inf)
        )
        return replace(problem, weight=float(weight))

    @torch.no_grad()
    def parts(self, point: Point) -> Float[Tensor, "4"]:
        """Return the energy and its parts per patch, float64."""
        reconstruction = point.reconstruction.double().mean()
        prior = self._improbability(point).double().mean()
        psi = self.psi(point.z).double()
        energy = reconstruction + prior + self.weight * psi
        if not energy.isfinite():
            raise ValueError(
                f"the energy is not finite (reconstruction {float(reconstruction):.4g}, prior "
                f"{float(prior):.4g}, psi {float(psi):.4g}); check the model's weights and the "
                "physics loss."
            )
        return torch.stack([energy, reconstruction, prior, psi])

    def energy(self, point: Point) -> float:
        """Return the energy per patch, nats."""
        return float(self.parts(point)[0])

    def sites(self, point: Point) -> Float[Tensor, " n"]:
        """Return the energy of each patch, without Ψ."""
        return point.reconstruction + self._improbability(point)

    def _improbability(self, point: Point) -> Float[Tensor, " n"]:
        """Return β times −log prior of each patch, up to a constant."""
        mean, precision = self.prior
        return (precision * (point.z - mean).square()).sum(1) / 2

    def with_prior(self, point: Point) -> tuple[Tensor, Tensor]:
        """Return gradient and curvature of −log posterior, up to Ψ."""
        mean, precision = self.prior
        gradient = point.gradient + precision * (point.z - mean)
        return gradient, point.curvature + torch.diag_embed(precision)

    def step(
        self,
        point: Point,
        damping: Float[Tensor, " n"],
        push: Tensor | float = 0.0,
        inner: Inner | None = None,
    ) -> Float[Tensor, "n z_dim"]:
        """Return the step to the minimum of the expanded energy, with `push` as a further force.

        In coordinates in which the quadratic part is |v|² / 2, one step size suits all patches.
        """
        gradient, curvature = self.with_prior(point)
        diagonal = torch.diag_embed(curvature.diagonal(dim1=1, dim2=2))
        root = torch.linalg.cholesky(curvature + damping[:, None, None] * diagonal)
        eye = torch.eye(len(root[0])).to(root).expand_as(root)
        whiten = torch.linalg.solve_triangular(root, eye, upper=False)

        def back(v: Tensor) -> Tensor:
            return torch.einsum("nzy,nz->ny", whiten, v)

        slope = torch.einsum("nzy,ny->nz", whiten, gradient + push)
        if self.weight == 0:
            return back(-slope)
        inner = inner or self.inner
        v = torch.zeros_like(slope, requires_grad=True)
        optimizer = torch.optim.Adam([v], lr=inner.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, inner.steps)
        for _ in range(inner.steps):
            with torch.enable_grad():
                psi = self.psi(point.z + back(v))
                (force,) = torch.autograd.grad(self.weight * len(slope) * psi, v)
            v.grad = v.detach() + slope + force
            optimizer.step()
            schedule.step()
        return back(v.detach())

    def noise_alone(self, point: Point, samples: int, seed: int) -> Float[Tensor, "n z_dim"]:
        """Return the variance that the image's noise gives latents of the patch alone.

        `point` is the minimum without Ψ, which has no weight yet.
        """
        none = torch.zeros_like(point.reconstruction)
        steps = [self.step(point, none, push) for push in self.pushes(point, samples, seed)]
        return torch.stack(steps).var(0)

    @torch.no_grad()
    def widths(self) -> Float[Tensor, "n z_dim"]:
        """Return the encoder's own variances."""
        each = [self.model.posterior(patches).std for _, patches in self.batches()]
        return torch.cat(each).square()

    def pushes(self, point: Point, samples: int, seed: int) -> list[Float[Tensor, "n z_dim"]]:
        """Return forces on the latents by other noises: what the pixels say, with random signs."""
        generator = torch.Generator().manual_seed(seed)
        pushes = [torch.empty_like(point.z) for _ in range(samples)]
        signs = [signs_of(self, generator) for _ in range(samples)]
        for rows, data in self.batches():
            _, scores, _ = _expand(self.model, data, point.z[rows])
            index = self.grid.indices[rows]
            for push, sign in zip(pushes, signs, strict=True):
                push[rows] = (scores * sign(rows, index).to(scores)[:, None]).sum(-1)
        return pushes


def descend(problem: Problem, point: Point, iterations: int, bar: Bar) -> list[Point]:
    """Return the points of a descent, each lower than the one before."""
    path, energy = [point], problem.energy(point)
    damping = torch.zeros_like(point.reconstruction)
    for _ in range(iterations):
        step = problem.step(point, damping)
        gradient, curvature = problem.with_prior(point)
        expected = (step * gradient).sum(1)
        expected = expected + 0.5 * torch.einsum("nz,nzy,ny->n", step, curvature, step)
        trial = problem.at(point.z + step)
        risen = problem.sites(trial) - problem.sites(point)
        misled = risen > expected + 0.25 * expected.abs() + _TOLERATED
        lower = problem.energy(trial)
        bar.set_postfix({"energy": f"{min(lower, energy):.3f}"}, refresh=False)
        bar.update()
        if lower < energy:
            damping = torch.where(misled, (4 * damping).clamp(min=1.0), damping / 4)
            point, fall, energy = trial, energy - lower, lower
            path.append(point)
            if fall < _SETTLED or problem.is_quadratic:
                break
        else:
            damping = torch.where(misled, (16 * damping).clamp(min=4.0), 2 * damping + 0.5)
    return path


def spread(
    problem: Problem, point: Point, samples: int, seed: int, bar: Bar
) -> Float[Tensor, "n z_dim"]:
    """Return the standard deviation of the minimum under simulated noise."""
    total, squares = torch.zeros_like(point.z), torch.zeros_like(point.z)
    none = torch.zeros_like(point.reconstruction)
    for push in problem.pushes(point, samples, seed):
        step = problem.step(point, none, push, ROUGH)  # a spread need not be as exact as maps
        total, squares = total + step, squares + step.square()
        bar.update()
    variance = (squares - total.square() / samples) / (samples - 1)
    return variance.clamp(min=0).sqrt()


def signs_of(
    problem: Problem, generator: torch.Generator
) -> Callable[[slice, Tensor], Float[Tensor, "n pixels"]]:
    """Return random signs of the noise: of each pixel of the image, or each value to be drawn."""
    grid = problem.grid
    image = coins(grid.image.shape, generator)
    if problem.model.draws_patches:
        signed = grid.of(image)
        return lambda rows, index: signed.gather(index).flatten(1)
    assert grid.known is not None
    values = coins((grid.count, grid.known.shape[1]), generator)
    return lambda rows, index: values[rows]


def coins(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    """Return random signs, on the CPU."""
    signs = torch.randint(0, 2, tuple(shape), generator=generator, dtype=torch.int8)
    return signs.mul_(2).sub_(1).half()


@torch.no_grad()
def _expand(
    model: Refinable, data: Patches, z: Float[Tensor, "n z_dim"]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return φ, its gradient pixel by pixel (n, z_dim, pixels), and its Gauss-Newton curvature."""
    directions = torch.eye(z.shape[1]).to(z)[:, None].expand(-1, len(z), -1)

    def drawn(latents: Tensor) -> Tensor:
        return model.pixel_means(latents, data)

    with warnings.catch_warnings():  # torch compiles its own rules by a deprecated function
        warnings.simplefilter("ignore", FutureWarning)
        warnings.simplefilter("ignore", DeprecationWarning)

        def move(direction: Tensor) -> Any:
            return jvp(drawn, (z,), (direction,))

        # One output for all directions, one move for each.
        moved: Any = vmap(move, out_dims=(None, 0))  # type: ignore[arg-type]
        mean, moves = moved(directions)
    value, slope, bend = expanded(model.sampler_name, mean, model.targets(data), model.decoder_sig)
    moves = moves.transpose(0, 1)  # (n, z_dim, pixels)
    curvature = (moves * bend[:, None]) @ moves.mT
    return value.sum(-1), moves * slope[:, None], curvature
