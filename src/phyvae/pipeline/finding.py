"""From a scan to its domains in one call, with nothing but the public parts."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import torch
from torch import Tensor

from .._checks import as_flag, as_integer
from ..alignment.result import Alignment
from ..alignment.start import align
from ..domains.evidence import DomainEvidence
from ..domains.segmentation import segment
from ..models import ShiftVAE
from ..models.untrained import quick_maps
from ..patches.grid import PatchGrid
from ..patches.moire import Moire, find_moire
from ..physics import EdgeLoss, PhysicsLoss
from ..refinement.refining import refine
from ..scans.objects import opened
from ..scans.scan import Scan
from ..training.objective import PhysicsObjective
from ..training.schedules import LinearBeta
from ..training.trainer import PhysicsTrainer
from .choices import GIVEN, Choice, chosen
from .doubting import confirmed, doubts_on, doubts_on_patches, evidence_of, heard
from .preparing import Prepared, Request, prepared
from .result import Domains

__all__ = ["find_domains"]

_STEPS = 400  # of training that begins with the lattice; 600 have given the same domains
_STEPS_ALONE = 1500  # of training from random weights
_EPOCH = 20  # steps, so that β rises within the same number of steps on every grid
_BETA = LinearBeta(0.1, 0.3, epochs=10)
_LATENTS = 2


@overload
def find_domains(
    scan: list[Any] | tuple[Any, ...], *, classes: int | None = None,
    size: int | tuple[int, int] | None = None, step: int | tuple[int, int] | None = None,
    physics: PhysicsLoss | None = EdgeLoss(), w: float = 0.1, strength: float = 1.0,  # noqa: B008
    exclude: Any = None, flatten: bool | None = None, sites: Any = None, train: bool = True,
    seed: int = 0, device: torch.device | str | None = None, progress: bool = True,
) -> list[Domains]: ...  # fmt: skip
@overload
def find_domains(
    scan: Any, *, classes: int | None = None,
    size: int | tuple[int, int] | None = None, step: int | tuple[int, int] | None = None,
    physics: PhysicsLoss | None = EdgeLoss(), w: float = 0.1, strength: float = 1.0,  # noqa: B008
    exclude: Any = None, flatten: bool | None = None, sites: Any = None, train: bool = True,
    seed: int = 0, device: torch.device | str | None = None, progress: bool = True,
) -> Domains: ...  # fmt: skip
def find_domains(
    scan: Any,
    *,
    classes: int | None = None,
    size: int | tuple[int, int] | None = None,
    step: int | tuple[int, int] | None = None,
    physics: PhysicsLoss | None = EdgeLoss(),  # noqa: B008 - the default as users write it
    w: float = 0.1,
    strength: float = 1.0,
    exclude: Any = None,
    flatten: bool | None = None,
    sites: Any = None,
    train: bool = True,
    seed: int = 0,
    device: torch.device | str | None = None,
    progress: bool = True,
) -> Domains | list[Domains]:
    """Find the domains of a scan: survey, patches, start, training, refinement, count, labels.

    Parameters
    ----------
    scan
        An image, shape (height, width), or a spectrum image, as a `Scan` of `phyvae.read`, an
        array, or the path of a file. Of a list of images, such as the frames of a time series,
        one model is trained, and a label is the same domain in all of them.
    classes
        Number of domains; ``None`` counts them.
    size, step
        Patch height and width, and the distance of patches, px; one number for both axes.
        ``None`` chooses them by the unit cell.
    physics
        What walls cost, a `PhysicsLoss`; ``None`` is the plain shift-invariant VAE.
    w
        Slack of the physics, 0 to 0.5: once the loss of the maps falls below it, physics fades.
    strength
        Force of the physics in units of that of the reconstruction, >= 0; see `PhysicsObjective`.
    exclude
        True where a pixel shows no specimen, bool, shape (height, width), beyond dead pixels,
        residue and vacuum, which are found.
    flatten
        Whether to subtract a slow background from the image; ``None`` decides by the image.
    sites
        Centres (y, x) of the patches, px, shape (n, 2), such as those of `find_sites`, in place
        of a raster.
    train
        Whether to train after the start. Without, maps are those of `align`, in half of the
        time: as good on clean lattices, but not on superlattices, at tilt boundaries and on
        distorted scans.
    seed
        Seed of weights, batches and noise.
    device
        Where to train, such as ``"cuda"``; ``None`` is CUDA if torch finds any, else the CPU.
    progress
        Whether to show progress bars, in a terminal or a notebook.

    Returns
    -------
    Domains
        A list of them for a list of scans. ``found.doubts`` has reasons not to trust it.

    Raises
    ------
    ValueError
        If the scan cannot be used as it is (see `PatchGrid`), or settings do not fit it. An image
        without a lattice is no error: ``found.answer`` then has what can be given by hand.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.nio_lsmo((240, 240), seed=0)
    >>> found = phyvae.find_domains(phantom.image, train=False, progress=False)
    >>> found.classes
    2
    """
    _check(classes, train, progress)
    scans, several = _scans(scan)
    patches = prepared(scans, Request(size, step, flatten, exclude, sites))
    objective = PhysicsObjective(physics, w=w, strength=strength)
    shape = patches.grids[0].patch_shape
    model = ShiftVAE(shape, _LATENTS, **patches.model, seed=seed, device=device)
    settings = patches.settings | {
        "physics": chosen(repr(physics), repr(EdgeLoss()), "domain walls cost energy"),
        "w": chosen(w, 0.1, "default"),
        "strength": chosen(strength, 1.0, "default"),
        "train": chosen(train, True, "default"),
        "seed": chosen(seed, 0, "default"),
    }
    if patches.problem:
        pairs = zip(scans, patches.grids, strict=True)
        found = [_unanswered(*pair, model, settings, patches.problem) for pair in pairs]
    else:
        with heard() as doubts:
            start = _learnt(model, objective, patches, seed, train=train, progress=progress)
        found = _found(scans, patches, model, start, classes, settings, doubts, progress=progress)
    return found if several else found[0]


def _learnt(
    model: ShiftVAE,
    objective: PhysicsObjective,
    patches: Prepared,
    seed: int,
    *,
    train: bool,
    progress: bool,
) -> Alignment | None:
    """Train a model, from a start with the lattice where there is one."""
    start, steps = None, _STEPS_ALONE
    if patches.reach is not None:
        grid = patches.grids[0]
        start = align(model, grid, reach=patches.reach, seed=seed, progress=progress)
        steps = _STEPS
    if train or start is None:
        trainer = PhysicsTrainer(model, objective, seed=seed)
        trainer.fit(
            patches.grids, steps=steps, steps_per_epoch=_EPOCH, beta=_BETA, progress=progress
        )
    return start


def _found(
    scans: Sequence[Scan],
    patches: Prepared,
    model: ShiftVAE,
    start: Alignment | None,
    classes: int | None,
    settings: dict[str, Choice],
    doubts: Sequence[str],
    *,
    progress: bool,
) -> list[Domains]:
    """Refine the maps of a trained model, count the domains, and label them."""
    grids = patches.grids
    # Further latents than stand out are noise, moiré or slow changes.
    count = _LATENTS if start is None else max(1, min(_LATENTS, start.latents))
    maps = [model.latent_maps(grid, progress=progress)[:count] for grid in grids]
    evidence = [evidence_of(one, grid) for one, grid in zip(maps, grids, strict=True)]
    moire = [_moire(one, grid, patches) for one, grid in zip(maps, grids, strict=True)]
    refined = [refine(model, grid, samples=4, progress=progress) for grid in grids]
    shares = [one.signal[:count].numpy() for one in refined]
    shares = [one if m is None else m.signal(one) for one, m in zip(shares, moire, strict=True)]
    signal = np.mean(shares, axis=0)
    number = Choice(classes, GIVEN) if classes is not None else _number(evidence)
    labels = segment(
        [one.maps[:count] for one in refined],
        number.value,
        mask=[grid.mask for grid in grids],
        graph=[grid.graph for grid in grids],
        signal=signal,
    )
    settings = settings | {
        "latents": Choice(count, "that stand out of noise" if start else "those of the model"),
        "classes": number,
    }
    return [
        Domains(
            scan,
            grid,
            model,
            labels[k],
            refined[k].maps[:count].numpy(),
            refined[k].stds[:count].numpy(),
            refined[k].shifts.numpy(),
            signal,
            evidence[k],
            patches.cell,
            settings,
            (
                *confirmed(doubts, evidence),
                *doubts_on_patches(grid, patches.cell, refined[k].maps[:count].numpy()),
                *doubts_on(
                    scan, grid, patches.cell, start, evidence[k], moire[k], labels[k], classes
                ),
            ),
        )
        for k, (scan, grid) in enumerate(zip(scans, grids, strict=True))
    ]


def _moire(maps: Tensor, grid: PatchGrid, patches: Prepared) -> Moire | None:
    """Return the moiré of maps of a raster with the lattice."""
    if patches.cell is None or not grid.is_raster:
        return None
    return find_moire(maps, patches.cell.vectors, grid.step)


def _number(evidence: Sequence[DomainEvidence | None]) -> Choice:
    """Return the largest number of domains that any of the scans has evidence for."""
    counted = [one for one in evidence if one is not None]
    if not counted:
        raise ValueError(
            "classes cannot be counted at sites without a lattice, which have no regions; pass "
            "classes=..., the number of kinds."
        )
    most = max(counted, key=lambda one: one.number)
    return Choice(most.number, most.reason)


def _unanswered(
    scan: Scan, grid: PatchGrid, model: ShiftVAE, settings: dict[str, Choice], problem: str
) -> Domains:
    """Return maps for a first look, and why there are no domains."""
    maps = quick_maps(grid, channels=_LATENTS).numpy()
    return Domains(
        scan,
        grid,
        model,
        np.full(grid.shape, -1),
        maps,
        np.full_like(maps, np.nan),
        np.full_like(maps, np.nan),
        np.zeros(len(maps)),
        None,
        None,
        settings | {"classes": Choice(0, problem)},
        ("the maps are principal components of autocorrelations, not those of a model",),
        problem,
    )


def _scans(scan: Any) -> tuple[list[Scan], bool]:
    """Return the scans, and whether they are several."""
    found = opened(scan)
    return ([found], False) if isinstance(found, Scan) else (found, True)


def _check(classes: object, train: object, progress: object) -> None:
    """Check what no other part checks before the first of the work is done."""
    if classes is not None:
        as_integer(classes, "classes", 1, ", the number of domains")
    as_flag(train, "train")
    as_flag(progress, "progress")
