"""Refinement: better latent maps after training, each patch helped by its neighbours."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from .._checks import as_integer, as_number, as_seed
from ..compute.processes import rank
from ..models import Refinable, adapt, as_refinable, at_rest, check_patches
from ..models.posterior import Posterior
from ..patches.grid import PatchGrid
from ..patches.layout import Layout
from ..physics import TotalVariation
from ..training.objective import PhysicsObjective
from .classes import class_field, steps_of
from .descent import Problem, descend, spread
from .encoder_likelihood import EncoderProblem, said_by_encoder

__all__ = ["Likelihood", "Refined", "refine"]

Likelihood = Literal["encoder", "decoder"]
"""What tells the latents of a patch from its pixels."""


@dataclass(frozen=True, eq=False, repr=False)
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
        The refined shifts, px, laid out as `PoseModel.shifts`, shape (axes, rows, cols).
    signal
        How much each map of `maps` says, 0 to 1, shape (channels,), for `phyvae.segment`: the part
        of its variance that is not noise. It is `PatchModel.signal` with what the refinement has
        left of a map's variance and of its noise, so that neighbours count, too.
    weight
        λ, the price of Ψ in nats per patch.
    energy
        Energy per patch before the first and after every step, nats, shape (steps + 1,). It
        never rises. It is ``reconstruction + prior + weight * psi``.
    reconstruction, prior, psi
        Its parts, same shape: φ at the latents, nats; β times −log prior, which for z is half of
        z squared, nats; Ψ. Where the encoder tells the latents, φ is 0, and half of the squared
        distance from its answer, in units of s, stands for the prior.
    """

    maps: Float[Tensor, "channels rows cols"]
    stds: Float[Tensor, "channels rows cols"]
    shifts: Float[Tensor, "axes rows cols"]
    signal: Float[Tensor, " channels"]
    weight: float
    energy: Float[Tensor, " steps"]
    reconstruction: Float[Tensor, " steps"]
    prior: Float[Tensor, " steps"]
    psi: Float[Tensor, " steps"]

    def __repr__(self) -> str:
        return (
            f"Refined(maps {tuple(self.maps.shape)}, weight={self.weight:.3g}, "
            f"energy {self.energy[0]:.4g} to {self.energy[-1]:.4g} nats per patch)"
        )


def refine(
    model: nn.Module,
    grid: PatchGrid,
    objective: PhysicsObjective | None = None,
    *,
    likelihood: Likelihood | None = None,
    around: int | None = None,
    strength: float = 2.0,
    beta: float | None = None,
    iterations: int = 6,
    samples: int = 16,
    batch_size: int | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Refined:
    r"""Improve the latent maps of a trained model by descending the objective in the map itself.

    The encoder sees one patch at a time. Here the latents of all patches, shifts included, move
    together to the most probable ones under a prior by which neighbours are alike: the minimum of

    .. math:: E = \sum_{ik} \frac{(z_{ik} - \mu_{ik})^2}{2 s_k^2}
        + \lambda N \Psi(\text{maps}),

    with the mean μ that the encoder says of latent k of patch i, and the standard deviation s that
    the noise of the image gives it; or of

    .. math:: E = \sum_i \Big[\varphi(x_i \mid z_i) + \frac{\beta}{2} |z_i|^2\Big]
        + \lambda N \Psi(\text{maps}),

    with what the decoder draws of the latents. Both networks are fixed.

    Parameters
    ----------
    model
        A trained model, also pyroVED's own (see `adapt`). Of a model with classes, ``jiVAE`` or
        ``ssiVAE``, the class probabilities are refined, and of an ``ss_reg_iVAE`` the properties,
        see Notes. Nothing in it changes.
    grid
        The patches, those of the training or others.
    objective
        Its `physics` and `channels` give Ψ; `w`, `coupling` and `strength` belong to the training
        and do not matter here. Ψ sees maps in units of their standard deviation before Ψ acts, so
        the default is ``TotalVariation("none")``: a loss that standardises the maps itself, as
        most do in training, cannot let a map of noise go flat, and makes domains of it.
    likelihood
        Whose word counts for a patch. ``"encoder"`` takes seconds: the encoder has learnt from
        all patches what noise is. ``"decoder"`` takes minutes: it compares with the pixels anew,
        so it helps where the encoder is bad, of a model that was trained without `align` for
        example, and follows their noise. The default is the encoder; for classes and properties,
        of which it does not say how sure it is, the decoder.
    around
        With ``"encoder"``: how far around a patch the encoder looks, px, >= 0. Its word for the
        content is then the mean over 25 windows, up to so many px away along either axis. They
        show nearly the same of the specimen, and other places of the lattice in the window. The
        default is a sixth of the patch, for a model with shifts on a raster of an image. It is 0,
        the patch alone, for other models, for spectra, and for patches on sites: an encoder that
        was trained on centred patches alone need not know of others.
    strength
        Sets λ, >= 0: the force of Ψ on a site, in units of the force by which the noise of the
        image pulls at its content (root mean squares over sites and channels, both at the most
        probable maps without Ψ). So clean images are hardly changed. 0 does without Ψ.
    beta
        With ``"decoder"``: weight of the prior, > 0, the β that training ended with, by default
        1. That of classes is `class_weight` times as much, as in training. What the encoder says
        has the prior in it.
    iterations
        Largest number of Gauss-Newton steps without Ψ, and then with it, >= 1. It ends early
        where the energy has settled; with ``"encoder"``, whose energy is quadratic, after one.
    samples
        Simulated noises behind `stds`, and with ``"encoder"`` behind s, >= 2.
    batch_size
        Patches at a time; ``None`` is 256, but 8 for the decoder on a CPU, whose caches then hold
        them. It bounds the memory and does not change the result: the maps themselves are
        small and refined as a whole, so there are no tiles and no seams.
    seed
        Seed of the simulated noises. `maps` depend on it in their last digits, through s.
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
    curvature of patches that the expansion misled is raised.
    Noise is simulated from the pixels' own residuals with random signs (a wild bootstrap; a pixel
    has one sign in all patches that share it): to first order with the decoder, or as the encoder
    answers to it, which gives s, too. Of a model that draws no patches, ``VED``, s is the
    encoder's own standard deviation. `stds` are those of the minima under these noises, and say
    nothing of a wrong model: a wall in the wrong place has a small one.

    Class probabilities p, with the other latents as encoded, move to the minimum of

    .. math:: E = \sum_{ik} p_{ik} \big[\varphi(x_i \mid k) + \beta \log(K p_{ik})\big]
        + \lambda N \Psi(\text{maps}),

    a mean field: the interface energy of neighbours decides where the pixels leave it open. Ψ sees
    the probabilities as they are, and `stds` are those of the class, :math:`\sqrt{p(1-p)}`, and
    the encoder's of the rest.

    Properties move with the other latents as the encoder says given them; their prior is that of
    the model, and where a property is known, it stays.

    A map that says little, see `PatchModel.signal`, becomes what its neighbours say, however well
    another map tells each patch apart. Segment with ``signal=refined.signal``, or leave it out of
    `channels` and of the segmentation. For that, the encoder's own variance of each patch is
    taken to shrink by refinement as the spread under simulated noise does.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(shape=(160, 160), seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=24)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, seed=0)
    >>> refined = phyvae.refine(model, grid, iterations=1, progress=False)
    >>> refined.maps.shape == (2, *grid.shape)
    True
    """
    model = as_refinable(adapt(model))
    if objective is None:
        objective = PhysicsObjective(TotalVariation("none"))
    decodes = _decodes(model, likelihood, beta)
    beta = 1.0 if beta is None else beta
    check_patches(model, grid)
    around = _around(model, grid, around, decodes)
    if batch_size is None:
        batch_size = 8 if decodes and model.like.device.type == "cpu" else 256
    _check(
        objective,
        {"strength": strength, "beta": beta},
        {"iterations": iterations, "samples": samples, "batch_size": batch_size},
    )
    as_seed(seed)
    objective.check(model)
    with at_rest(model):
        if model.classes is not None:
            return _refined_classes(
                model, grid, objective, strength, beta, iterations, batch_size, progress
            )
        layout = Layout.of(grid).to(model.like.device)
        problem = Problem(model, grid, layout, objective, beta, batch_size)
        if not decodes:
            said = said_by_encoder(problem, samples, seed, around)
            problem = EncoderProblem(**vars(problem), said=said)
        most = 2 * iterations + samples
        with tqdm(
            total=most, disable=not progress or rank() > 0, unit="step", desc="refine"
        ) as bar:
            path = descend(problem, problem.at(problem.encoded()), iterations, bar)
            alone = problem.noise_alone(path[-1], samples, seed).mean(0)
            problem = problem.with_physics(path[-1], strength)
            path = [*path[:1], *path[-1:]] if len(path) > 1 else path
            # Both ends count from here on; Ψ may well prefer the encoder's map.
            if problem.energy(path[-1]) >= problem.energy(path[0]):
                path = path[:1]
            path += descend(problem, path[-1], iterations, bar)[1:]
            bar.total = bar.n + samples  # a descent may settle early
            bar.set_description("refine, uncertainty")
            stds = spread(problem, path[-1], samples, seed, bar)
        history = torch.stack([problem.parts(point) for point in path], dim=1).cpu()
        z, left = path[-1].z, stds.square().mean(0) / torch.where(alone > 0, alone, 1.0)
        noise = (problem.widths().mean(0) * left).sqrt().expand_as(z)
        return _laid_out(model, layout, z, stds, Posterior(z, noise), problem.weight, history)


def _refined_classes(
    model: Refinable,
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
        first = channels - start.shape[1]
        if max(objective.acts_on(channels)) < first:
            raise ValueError(
                f"channels={objective.channels} are no classes, but only classes are refined in "
                f"this model; those of the classes are {first} to {channels - 1}."
            )
        field = field.with_physics(strength)
    # Both count from here on; Ψ may well prefer the encoder's classes.
    start = min(encoded, start, key=lambda p: float(field.parts(p)[0]))
    steps = steps_of(iterations)
    with tqdm(total=steps, disable=not progress or rank() > 0, unit="step", desc="refine") as bar:
        found = field.descend(start, steps, bar.update)
    history = torch.stack([field.parts(p) for p in (encoded, found)], dim=1).cpu()
    before = slice(0, model.classes.start)
    mean = torch.cat([mean[:, before], found.to(mean)], dim=1)
    std = torch.cat([std[:, before], (found * (1 - found)).sqrt().to(std)], dim=1)
    layout = Layout.of(grid).to(mean.device)
    return _laid_out(model, layout, mean, std, Posterior(mean, std), field.weight, history)


def _laid_out(
    model: Refinable,
    layout: Layout,
    means: Float[Tensor, "n columns"],
    stds: Float[Tensor, "n columns"],
    told: Posterior,
    weight: float,
    history: Float[Tensor, "4 steps"],
) -> Refined:
    """Return the columns of the posterior as maps, with the energy on the way there.

    `told` is what signal and noise of the maps are told by.
    """
    return Refined(
        maps=layout.shown(means[:, model.content]),
        stds=layout.shown(stds[:, model.content]),
        shifts=layout.shown(model.displacements(means)),
        signal=told.signal()[model.content].cpu(),
        weight=weight,
        energy=history[0],
        reconstruction=history[1],
        prior=history[2],
        psi=history[3],
    )


def _decodes(model: Refinable, likelihood: object, beta: object) -> bool:
    """Return whether the decoder tells the latents."""
    if likelihood not in (None, "encoder", "decoder"):
        raise ValueError(
            f'likelihood={likelihood!r} is unknown; choose "encoder", "decoder", or None.'
        )
    if not model.knows_its_noise and likelihood == "encoder":
        raise ValueError(
            'likelihood="encoder", but the encoder of this model, of classes or properties, does '
            "not say how far each patch can be trusted; leave likelihood out."
        )
    decodes = not model.knows_its_noise or likelihood == "decoder"
    if beta is not None and not decodes:
        raise ValueError(
            f'beta={beta!r} weighs the prior beside what the decoder draws: likelihood="decoder". '
            "What the encoder says has the prior in it; leave beta out."
        )
    return decodes


def _around(model: Refinable, grid: PatchGrid, around: int | None, decodes: bool) -> int:
    """Return how far around a patch the encoder looks, px."""
    is_image = len(grid.patch_shape) == 2
    if around is None:
        looks = is_image and grid.is_raster and "shift" in model.columns and not decodes
        return min(grid.patch_shape) // 6 if looks else 0
    as_integer(around, "around", 0)
    if around and decodes:
        raise ValueError(
            f"around={around} px is how far the encoder looks, but here the decoder tells the "
            "latents; leave around out."
        )
    if around and not (is_image and model.draws_patches):
        raise ValueError(
            f"around={around} px, but spectra, and what is drawn from patches, have no windows "
            "around them; leave around out."
        )
    return around


def _check(objective: object, numbers: dict[str, float], counts: dict[str, int | None]) -> None:
    if not isinstance(objective, PhysicsObjective):
        raise TypeError(
            f"objective={objective!r} must be a PhysicsObjective: "
            "PhysicsObjective(phyvae.TotalVariation('none'))."
        )
    if not 0 <= as_number(numbers["strength"], "strength") < math.inf:
        raise ValueError(f"strength={numbers['strength']} must be >= 0 and finite.")
    if not 0 < as_number(numbers["beta"], "beta") < math.inf:
        raise ValueError(
            f"beta={numbers['beta']} must be > 0 and finite: without a prior, a latent that says "
            "nothing has no most probable value."
        )
    for (name, value), least in zip(counts.items(), (1, 2, 1), strict=True):
        as_integer(value, name, least)
