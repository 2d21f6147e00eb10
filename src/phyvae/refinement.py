"""Refinement: better latent maps after training, each patch helped by its neighbours."""

import math
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.func import jvp, vmap
from tqdm.auto import tqdm

from ._given import is_integer
from .class_refinement import class_field, steps_of
from .known import Data
from .layout import Layout
from .models import PatchModel, adapt, check_patches
from .models.likelihood import expanded
from .objective import PhysicsObjective
from .parallel import rank
from .patches import PatchGrid

__all__ = ["Refined", "refine"]

_INNER_STEPS = 120
_INNER_RATE = 0.2
_SETTLED = 1e-3  # nats per patch; a smaller fall of the energy ends the descent
_TOLERATED = 0.05  # nats; an expansion that misleads by less is left alone


@dataclass(frozen=True, eq=False)
class Refined:
    """Refined latent maps, on the CPU.

    Attributes
    ----------
    maps
        Content that minimises the energy, laid out as `ShiftVAE.latent_maps`.
    stds
        How far the noise of the image spreads each value of `maps`: a standard deviation over
        simulated noise, same shape.
    shifts
        The refined shifts, px, laid out as `ShiftVAE.shifts`, shape (axes, rows, cols).
    weight
        λ, the price of Ψ in nats per patch.
    energy
        Energy per patch before the first and after every step, nats, shape (steps + 1,). It
        never rises. It is ``reconstruction + prior + weight * psi``.
    reconstruction, prior, psi
        Its parts, same shape: φ at the latents, nats; half of β times z squared, nats; Ψ.
    """

    maps: Float[Tensor, "channels rows cols"]
    stds: Float[Tensor, "channels rows cols"]
    shifts: Float[Tensor, "axes rows cols"]
    weight: float
    energy: Float[Tensor, " steps"]
    reconstruction: Float[Tensor, " steps"]
    prior: Float[Tensor, " steps"]
    psi: Float[Tensor, " steps"]


def refine(
    model: nn.Module,
    grid: PatchGrid,
    objective: PhysicsObjective,
    *,
    strength: float = 4.0,
    beta: float = 1.0,
    iterations: int = 6,
    samples: int = 16,
    batch_size: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Refined:
    r"""Improve the latent maps of a trained model by descending the objective in the map itself.

    The encoder sees one patch at a time. Here the latents of all patches, shifts included, move
    together to the minimum of

    .. math:: E = \sum_i \Big[\varphi(x_i \mid z_i) + \frac{\beta}{2} |z_i|^2\Big]
        + \lambda N \Psi(\text{maps}),

    with the decoder fixed: the most probable latents under a prior by which neighbours are alike.

    Parameters
    ----------
    model
        A trained model, also pyroVED's own (see `adapt`), but for ``ss_reg_iVAE``. Of a model
        with classes, ``jiVAE`` or ``ssiVAE``, the class probabilities are refined, see Notes.
        Nothing in it changes.
    grid
        The patches, those of the training or others.
    objective
        Its `physics` and `channels` give Ψ; `w`, `coupling` and `strength` belong to the training
        and do not matter here. Ψ sees maps in units of their standard deviation
        before Ψ acts. Use ``TotalVariation("none")``: a loss that standardises the maps itself
        cannot let a map of noise go flat, and makes domains of it.
    strength
        Sets λ, >= 0: the force of Ψ on a site, in units of the force by which the noise of the
        image pulls at its content (root mean squares over sites and channels, both at the most
        probable maps without Ψ). So clean images are hardly changed. 0 does without Ψ.
    beta
        Weight of the prior, > 0: the β that training ended with.
    iterations
        Largest number of Gauss-Newton steps without Ψ, and then with it, >= 1. It ends early
        where the energy has settled.
    samples
        Simulated noises behind `stds`, >= 2.
    batch_size
        Patches decoded at a time; ``None`` is 8 on the CPU, whose caches then hold them, and 256
        elsewhere. It bounds the memory and does not change the result: the maps themselves are
        small and refined as a whole, so there are no tiles and no seams.
    seed
        Seed of the simulated noises, which `maps` do not depend on.
    progress
        Whether to show a progress bar; of several processes, the first one does.

    Returns
    -------
    Refined
        Maps, their standard deviations, shifts, and the energy step by step.

    Raises
    ------
    TypeError
        If an argument is of the wrong type.
    ValueError
        If a setting is out of its range, the patches do not fit the model, Ψ has no gradient, or
        the energy is not finite.

    Notes
    -----
    One step expands φ of each patch to second order (Gauss-Newton, a block per patch), minimises
    this quadratic energy with the exact Ψ by Adam, and is taken if the true energy falls; the
    curvature of patches that the expansion misled is raised. `stds` come from the last expansion,
    minimised anew under noises made from the pixels' own residuals with random signs (a wild
    bootstrap); a pixel has one sign in all patches that share it. They hold for this model, to
    first order, and say nothing of a wrong model.

    Class probabilities p, with the other latents as encoded, move to the minimum of

    .. math:: E = \sum_{ik} p_{ik} \big[\varphi(x_i \mid k) + \beta \log(K p_{ik})\big]
        + \lambda N \Psi(\text{maps}),

    a mean field: the interface energy of neighbours decides where the pixels leave it open. Ψ sees
    the probabilities as they are, and `stds` are those of the class, :math:`\sqrt{p(1-p)}`, and
    the encoder's of the rest.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(shape=(160, 160), seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=24)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, seed=0)
    >>> objective = phyvae.PhysicsObjective(phyvae.TotalVariation("none"))
    >>> refined = phyvae.refine(model, grid, objective, iterations=1, progress=False)
    >>> refined.maps.shape == (2, *grid.shape)
    True
    """
    model = adapt(model)
    if batch_size is None:
        batch_size = 8 if model.like.device.type == "cpu" else 256
    _check(
        objective,
        {"strength": strength, "beta": beta},
        {"iterations": iterations, "samples": samples, "batch_size": batch_size},
    )
    check_patches(model, grid)
    if model.classes is not None:
        return _refined_classes(
            model, grid, objective, strength, beta, iterations, batch_size, progress
        )
    layout = Layout.of(grid).to(model.like.device)
    problem = _Problem(model, grid, layout, objective, beta, batch_size)
    most = 2 * iterations + samples
    with tqdm(total=most, disable=not progress or rank() > 0, unit="step", desc="refine") as bar:
        path = _descend(problem, problem.at(problem.encoded()), iterations, bar)
        problem = problem.with_physics(path[-1], strength)
        path = [*path[:1], *path[-1:]] if len(path) > 1 else path
        # Both ends count from here on; Ψ may well prefer the encoder's map.
        if problem.energy(path[-1]) >= problem.energy(path[0]):
            path = path[:1]
        path += _descend(problem, path[-1], iterations, bar)[1:]
        bar.total = bar.n + samples  # a descent may settle early
        bar.set_description("refine, uncertainty")
        stds = _spread(problem, path[-1], samples, seed, bar)
    history = torch.stack([problem.parts(point) for point in path], dim=1).cpu()
    z = path[-1].z
    shifts = z[:, model.columns.get("shift", slice(0, 0))] * model.shift_scale
    return Refined(
        maps=layout.shown(z[:, model.content]),
        stds=layout.shown(stds[:, model.content]),
        shifts=layout.shown(shifts),
        weight=problem.weight,
        energy=history[0],
        reconstruction=history[1],
        prior=history[2],
        psi=history[3],
    )


def _refined_classes(
    model: PatchModel,
    grid: PatchGrid,
    objective: PhysicsObjective,
    strength: float,
    beta: float,
    iterations: int,
    batch_size: int,
    progress: bool,
) -> Refined:
    """Return the maps with class probabilities refined, and all else as encoded."""
    assert model.classes is not None
    field, mean, std = class_field(model, grid, objective, beta, batch_size)
    encoded = mean[:, model.classes]
    start = field.without_physics()
    channels = mean[:, model.content].shape[1]
    if objective.physics is not None:
        if max(objective._acted_on(channels)) < channels - start.shape[1]:
            raise ValueError(
                f"channels={objective.channels} are no classes, and they alone are refined in this "
                f"model; those of the classes are {channels - start.shape[1]} to {channels - 1}."
            )
        field = field.with_physics(strength)
    # Both count from here on; Ψ may well prefer the encoder's classes.
    start = min(encoded, start, key=lambda p: float(field.parts(p)[0]))
    steps = steps_of(iterations)
    with tqdm(total=steps, disable=not progress or rank() > 0, unit="step", desc="refine") as bar:
        found = field.descend(start, steps, bar.update)
    history = torch.stack([field.parts(p) for p in (encoded, found)], dim=1).cpu()
    first = model.classes.start
    mean = torch.cat([mean[:, :first], found.to(mean)], dim=1)
    std = torch.cat([std[:, :first], (found * (1 - found)).sqrt().to(std)], dim=1)
    layout = Layout.of(grid).to(mean.device)
    shifts = mean[:, model.columns.get("shift", slice(0, 0))] * model.shift_scale
    return Refined(
        maps=layout.shown(mean[:, model.content]),
        stds=layout.shown(std[:, model.content]),
        shifts=layout.shown(shifts),
        weight=field.weight,
        energy=history[0],
        reconstruction=history[1],
        prior=history[2],
        psi=history[3],
    )


@dataclass(frozen=True, eq=False)
class _Point:
    """Latents of all patches, and φ around them to second order, one row per patch."""

    z: Float[Tensor, "n z_dim"]
    reconstruction: Float[Tensor, " n"]
    gradient: Float[Tensor, "n z_dim"]
    curvature: Float[Tensor, "n z_dim z_dim"]
    noise: Float[Tensor, "n z_dim"]


@dataclass(frozen=True, eq=False)
class _Problem:
    """The energy of all patches, and its expansions."""

    model: PatchModel
    grid: PatchGrid
    layout: Layout
    objective: PhysicsObjective
    beta: float
    batch_size: int
    weight: float = 0.0
    offset: Tensor | float = 0.0
    unit: Tensor | float = 1.0

    @torch.no_grad()
    def encoded(self) -> Float[Tensor, "n z_dim"]:
        """Return the encoder's means, the start of the descent."""
        return torch.cat([self.model.posterior(patches).mean for _, patches in self.batches()])

    def batches(self) -> Iterator[tuple[slice, Data]]:
        first = 0
        for index in self.grid.indices.split(self.batch_size):
            yield slice(first, first + len(index)), self.grid.data(index, self.model.like)
            first += len(index)

    def at(self, z: Float[Tensor, "n z_dim"]) -> _Point:
        """Expand φ of every patch around its latents."""
        parts = []
        for rows, patches in self.batches():
            value, scores, curvature = _expand(self.model, patches, z[rows])
            noise = scores.square().sum(-1)
            parts.append((value, scores.sum(-1), curvature, noise))
        return _Point(z, *(torch.cat(part) for part in zip(*parts, strict=True)))

    def psi(self, z: Float[Tensor, "n z_dim"]) -> Float[Tensor, ""]:
        values = (z[:, self.model.content] - self.offset) / self.unit
        layout = self.layout
        return self.objective.psi(layout.maps(values), layout.mask, layout.graph)

    def with_physics(self, point: _Point, strength: float) -> "_Problem":
        """Return the same problem with Ψ, weighed against the noise at the maps without Ψ."""
        if self.objective.physics is None or strength == 0:
            return self
        z, content = point.z, self.model.content
        values = z[:, content]
        unit = values.std(0, correction=0)
        unit = torch.where(unit > 0, unit, 1.0)
        problem = replace(self, offset=values.mean(0), unit=unit)
        noise = point.noise[:, content] * unit.square()
        acted_on = list(self.objective._acted_on(values.shape[1]))
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
    def parts(self, point: _Point) -> Float[Tensor, "4"]:
        """Return the energy and its parts per patch, float64."""
        reconstruction = point.reconstruction.double().mean()
        prior = self.beta / 2 * point.z.double().square().sum(1).mean()
        psi = self.psi(point.z).double()
        energy = reconstruction + prior + self.weight * psi
        if not energy.isfinite():
            raise ValueError(
                f"the energy is not finite (reconstruction {float(reconstruction):.4g}, prior "
                f"{float(prior):.4g}, psi {float(psi):.4g}); check the model's weights and the "
                "physics loss."
            )
        return torch.stack([energy, reconstruction, prior, psi])

    def energy(self, point: _Point) -> float:
        return float(self.parts(point)[0])

    def sites(self, point: _Point) -> Float[Tensor, " n"]:
        """Return the energy of each patch, without Ψ."""
        return point.reconstruction + self.beta / 2 * point.z.square().sum(1)

    def step(
        self, point: _Point, damping: Float[Tensor, " n"], push: Tensor | float = 0.0
    ) -> Float[Tensor, "n z_dim"]:
        """Return the step to the minimum of the expanded energy, with `push` as a further force.

        In coordinates in which the quadratic part is |v|² / 2, one step size suits all patches.
        """
        gradient, curvature = _with_prior(point, self.beta)
        diagonal = torch.diag_embed(curvature.diagonal(dim1=1, dim2=2))
        root = torch.linalg.cholesky(curvature + damping[:, None, None] * diagonal)
        eye = torch.eye(len(root[0])).to(root).expand_as(root)
        whiten = torch.linalg.solve_triangular(root, eye, upper=False)

        def back(v: Tensor) -> Tensor:
            return torch.einsum("nzy,nz->ny", whiten, v)

        slope = torch.einsum("nzy,ny->nz", whiten, gradient + push)
        if self.weight == 0:
            return back(-slope)
        v = torch.zeros_like(slope, requires_grad=True)
        optimizer = torch.optim.Adam([v], lr=_INNER_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _INNER_STEPS)
        for _ in range(_INNER_STEPS):
            with torch.enable_grad():
                psi = self.psi(point.z + back(v))
                (force,) = torch.autograd.grad(self.weight * len(slope) * psi, v)
            v.grad = v.detach() + slope + force
            optimizer.step()
            schedule.step()
        return back(v.detach())


def _descend(problem: _Problem, point: _Point, iterations: int, bar: "tqdm[Any]") -> list[_Point]:
    """Return the points of a descent, each lower than the one before."""
    path, energy = [point], problem.energy(point)
    damping = torch.zeros_like(point.reconstruction)
    for _ in range(iterations):
        step = problem.step(point, damping)
        gradient, curvature = _with_prior(point, problem.beta)
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
            if fall < _SETTLED:
                break
        else:
            damping = torch.where(misled, (16 * damping).clamp(min=4.0), 2 * damping + 0.5)
    return path


def _spread(
    problem: _Problem, point: _Point, samples: int, seed: int, bar: "tqdm[Any]"
) -> Float[Tensor, "n z_dim"]:
    """Return the standard deviation of the minimum under simulated noise."""
    generator = torch.Generator().manual_seed(seed)
    pushes = [torch.empty_like(point.z) for _ in range(samples)]
    signs = [_signs(problem, generator) for _ in range(samples)]
    for rows, data in problem.batches():
        _, scores, _ = _expand(problem.model, data, point.z[rows])
        index = problem.grid.indices[rows]
        for push, sign in zip(pushes, signs, strict=True):
            push[rows] = (scores * sign(rows, index).to(scores)[:, None]).sum(-1)
    total, squares = torch.zeros_like(point.z), torch.zeros_like(point.z)
    none = torch.zeros_like(point.reconstruction)
    for push in pushes:
        step = problem.step(point, none, push)
        total, squares = total + step, squares + step.square()
        bar.update()
    variance = (squares - total.square() / samples) / (samples - 1)
    return variance.clamp(min=0).sqrt()


def _signs(
    problem: _Problem, generator: torch.Generator
) -> Callable[[slice, Tensor], Float[Tensor, "n pixels"]]:
    """Return random signs of the noise: of each pixel of the image, or each value to be drawn."""
    grid = problem.grid
    image = _coins(grid.image.shape, generator)
    if problem.model.draws_patches:
        signed = grid.of(image)
        return lambda rows, index: signed.gather(index).flatten(1)
    assert grid.known is not None
    values = _coins((grid.count, grid.known.shape[1]), generator)
    return lambda rows, index: values[rows]


def _coins(shape: Sequence[int], generator: torch.Generator) -> Tensor:
    coins = torch.randint(0, 2, tuple(shape), generator=generator, dtype=torch.int8)
    return coins.mul_(2).sub_(1).half()


@torch.no_grad()
def _expand(
    model: PatchModel, data: Data, z: Float[Tensor, "n z_dim"]
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


def _with_prior(point: _Point, beta: float) -> tuple[Tensor, Tensor]:
    """Return gradient and curvature of −log posterior, up to Ψ."""
    eye = torch.eye(point.z.shape[1]).to(point.z)
    return point.gradient + beta * point.z, point.curvature + beta * eye


def _check(objective: object, numbers: dict[str, float], counts: dict[str, int | None]) -> None:
    if not isinstance(objective, PhysicsObjective):
        raise TypeError(
            f"objective={objective!r} must be a PhysicsObjective: "
            "PhysicsObjective(phyvae.TotalVariation('none'))."
        )
    if not 0 <= numbers["strength"] < math.inf:
        raise ValueError(f"strength={numbers['strength']} must be >= 0 and finite.")
    if not 0 < numbers["beta"] < math.inf:
        raise ValueError(
            f"beta={numbers['beta']} must be > 0 and finite: without a prior, a latent that says "
            "nothing has no most probable value."
        )
    for (name, value), least in zip(counts.items(), (1, 2, 1), strict=True):
        if not is_integer(value) or value < least:
            raise ValueError(f"{name}={value} must be a whole number, at least {least}.")
