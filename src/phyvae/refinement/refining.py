"""Refinement: better latent maps after training, by descending the energy of the whole map."""

import math
from typing import Literal, get_args

from torch import nn

from .._checks import as_choice, as_integer, as_nonnegative, as_positive, as_seed
from ..compute.own_state import own_state
from ..models import Refinable, adapt, as_refinable, at_rest, check_patches
from ..patches.grid import PatchGrid
from ..patches.layout import Layout
from ..physics import TotalVariation
from ..training.objective import PhysicsObjective
from .classes import refine_classes
from .encoded_grid import EncodedGrid
from .encoder_energy import EncoderEnergy
from .encoder_statistics import encoder_statistics
from .energy import LatentEnergy
from .latents import refine_latents
from .refined import Refined

__all__ = ["Likelihood", "refine"]

Likelihood = Literal["encoder", "decoder"]
"""The network that gives the likelihood of a patch's latents."""

_PIXELS = 150_000  # in a batch: of two threads, the decoder's layers then take some 150 MB


@own_state(grad=True)
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

    with the encoder's mean μ for latent k of patch i, and the standard deviation s that the noise
    of the image gives it; or of

    .. math:: E = \sum_i \Big[\varphi(x_i \mid z_i) + \frac{\beta}{2} |z_i|^2\Big]
        + \lambda N \Psi(\text{maps}),

    with the reconstruction loss φ of the decoder. Both networks are fixed.

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
        The network that gives the likelihood of a patch's latents. ``"encoder"`` takes seconds:
        the encoder has learnt from all patches what noise is. ``"decoder"`` takes minutes: it
        compares with the pixels anew, so it helps where the encoder is bad, of a model that was
        trained without `align` for example, and follows their noise. The default is the encoder;
        for classes and properties, whose encoder gives no uncertainty, the decoder.
    around
        With ``"encoder"``: content is averaged over 9 windows, up to so many px away from the
        patch along either axis, >= 0. They show nearly the same of the specimen, and other places
        of the lattice in the window. The default is a sixth of the patch, for a model with shifts
        on a raster of an image. It is 0, the patch alone, for other models, for spectra, and for
        patches on sites: an encoder that was trained on centred patches alone need not know of
        others.
    strength
        Sets λ, >= 0: the force of Ψ on a site, in units of the force by which the noise of the
        image pulls at its content (root mean squares over sites and channels, both at the most
        probable maps without Ψ). So clean images are hardly changed. 0 does without Ψ.
    beta
        With ``"decoder"``: weight of the prior, > 0, the β that training ended with, by default
        1. That of classes is `class_weight` times as much, as in training. The encoder's
        posterior has the prior in it.
    iterations
        Largest number of Gauss-Newton steps without Ψ, and then with it, >= 1. It ends early
        where the energy has settled; with ``"encoder"``, whose energy is quadratic, after one.
    samples
        Simulated noises behind `stds`, and with ``"encoder"`` behind s, >= 2.
    batch_size
        Patches at a time; ``None`` is as many as have 150 000 pixels, at most 256, but 8 for the
        decoder on a CPU, whose caches then hold them. It bounds the memory and does not change
        the result: the maps themselves are small and refined as a whole, without seams.
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
    curvature of patches whose expansion predicted too low a loss is raised.
    Noise is simulated from the pixels' own residuals with random signs (a wild bootstrap; a pixel
    has one sign in all patches that share it): to first order with the decoder, or encoded anew,
    which gives s, too. Of a model that does not reconstruct patches, ``VED``, s is the encoder's
    own standard deviation. `stds` are those of the minima under these noises. They do not cover
    the errors of a wrong model: a wall in the wrong place has a small one.

    Class probabilities p, with the other latents as encoded, move to the minimum of

    .. math:: E = \sum_{ik} p_{ik} \big[\varphi(x_i \mid k) + \beta \log(K p_{ik})\big]
        + \lambda N \Psi(\text{maps}),

    a mean field: the interface energy of neighbours decides where the pixels leave it open. Ψ sees
    the probabilities as they are, and `stds` are those of the class, :math:`\sqrt{p(1-p)}`, and
    the encoder's of the rest.

    Properties move with the other latents as encoded given them; their prior is that of the
    model, and where a property is known, it stays.

    A map of little signal, see `PatchModel.signal`, follows its neighbours, however well another
    map separates the patches. Segment with ``signal=refined.signal``, or leave the map out of
    `channels` and of the segmentation. For that, the encoder's own variance of each patch is
    taken to shrink by refinement as the spread under simulated noise does.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(shape=(160, 160), seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=24)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, seed=0)
    >>> refined = phyvae.refine(model, grid, iterations=1, samples=2, progress=False)
    >>> refined.maps.shape == (2, *grid.shape)
    True
    """
    model = as_refinable(adapt(model))
    if objective is None:
        objective = PhysicsObjective(TotalVariation("none"))
    decodes = _decodes(model, likelihood, beta)
    beta = 1.0 if beta is None else beta
    check_patches(model, grid)
    around = _reach(model, grid, around, decodes)
    if batch_size is None:
        held = max(1, min(256, _PIXELS // math.prod(grid.patch_shape)))
        batch_size = 8 if decodes and model.like.device.type == "cpu" else held
    if not isinstance(objective, PhysicsObjective):
        raise TypeError(
            f"objective={objective!r} must be a PhysicsObjective: "
            "PhysicsObjective(phyvae.TotalVariation('none'))."
        )
    strength = as_nonnegative(strength, "strength")
    no_prior = ": without a prior, a latent that the pixels leave open has no most probable value"
    beta = as_positive(beta, "beta", no_prior)
    for name, value, least in (
        ("iterations", iterations, 1),
        ("samples", samples, 2),
        ("batch_size", batch_size, 1),
    ):
        as_integer(value, name, least)
    as_seed(seed)
    objective.check(model)
    data = EncodedGrid(model, grid, batch_size)
    layout = Layout.of(grid).to(model.like.device)
    with at_rest(model):
        if model.classes is not None:
            return refine_classes(
                data,
                layout,
                objective,
                strength=strength,
                beta=beta,
                iterations=iterations,
                progress=progress,
            )
        if decodes:
            energy = LatentEnergy(data, layout, objective, beta)
        else:
            statistics = encoder_statistics(data, samples, seed, around)
            energy = EncoderEnergy(data, layout, objective, beta, statistics=statistics)
        return refine_latents(
            energy,
            strength=strength,
            iterations=iterations,
            samples=samples,
            seed=seed,
            progress=progress,
        )


def _decodes(model: Refinable, likelihood: object, beta: object) -> bool:
    """Return whether the decoder gives the likelihood of the latents."""
    if likelihood is not None:
        as_choice(likelihood, "likelihood", get_args(Likelihood))
    if not model.knows_its_noise and likelihood == "encoder":
        raise ValueError(
            'likelihood="encoder", but the encoder of this model, of classes or properties, gives '
            "no uncertainty of each patch; leave likelihood out."
        )
    decodes = not model.knows_its_noise or likelihood == "decoder"
    if beta is not None and not decodes:
        raise ValueError(
            f"beta={beta!r} weighs the prior against the decoder's likelihood: "
            'likelihood="decoder". The encoder\'s posterior has the prior in it; leave beta out.'
        )
    return decodes


def _reach(model: Refinable, grid: PatchGrid, around: int | None, decodes: bool) -> int:
    """Return how far around a patch windows are encoded, px."""
    is_image = len(grid.patch_shape) == 2
    if around is None:
        has_windows = is_image and grid.is_raster and "shift" in model.columns and not decodes
        return min(grid.patch_shape) // 6 if has_windows else 0
    as_integer(around, "around", 0)
    if around and decodes:
        raise ValueError(
            f"around={around} px is the reach of the encoder's windows, but the likelihood is the "
            "decoder's; leave around out."
        )
    if around and not (is_image and model.draws_patches):
        raise ValueError(
            f"around={around} px, but spectra, and targets that are no patches, have no windows "
            "around them; leave around out."
        )
    return around
