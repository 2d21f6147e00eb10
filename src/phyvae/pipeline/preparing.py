"""Patches and settings for scans: by the unit cell, for spectra, at sites, or by a given size."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .._checks import as_mask, as_pair
from ..patches.grid import PatchGrid
from ..patches.registration import NoLatticeError
from ..scans.cell import UnitCell
from ..scans.scan import Scan
from ..scans.surveying import survey
from .choices import GIVEN, Choice
from .suggesting import suggest

__all__ = ["Prepared", "Request", "prepared", "repaired_specimen"]

_WIDE = 0.3  # standard deviation of the shifts of spectra, in half lengths
_FEWEST = 16  # patches of a raster: 4 x 4
_SMALL = 64  # px: four cells of 16 px
_FALLBACK = 12  # patches along the shorter side, where nothing gives their size


@dataclass(frozen=True)
class Request:
    """Settings of the patches that the user has given; ``None`` is left to the image."""

    size: int | tuple[int, int] | None = None
    step: int | tuple[int, int] | None = None
    flatten: bool | None = None
    exclude: Any = None
    sites: Any = None


@dataclass(frozen=True)
class Prepared:
    """Patches of scans, and settings of the model for them.

    Attributes
    ----------
    grids
        A grid for each scan, with one scale of intensities.
    model
        Keywords of `ShiftVAE`.
    reach
        Largest displacement for `align`; ``None`` where there is nothing to align with.
    cell
        Unit cell of the first scan, if it has one.
    settings
        Choices, by name.
    problem
        Why the domains cannot be found; empty if they can.
    """

    grids: list[PatchGrid]
    model: dict[str, Any]
    reach: tuple[int, int] | None
    cell: UnitCell | None
    settings: dict[str, Choice]
    problem: str = ""


def prepared(scans: Sequence[Scan], request: Request) -> Prepared:
    """Return the patches of scans of one kind, and the settings that fit them."""
    _check_alike(scans)
    if scans[0].cube is not None:
        return _of_spectra(scans, request)
    if request.sites is not None:
        return _at_sites(scans, request)
    _check_step(scans, request.step)
    try:
        found = _by_cell(scans, request)
    except NoLatticeError:
        found = _without_cell(scans, request)
    return replace(found, problem=found.problem or _few(found.grids))


def _by_cell(scans: Sequence[Scan], request: Request) -> Prepared:
    """Return patches by the unit cell of the first scan."""
    first = suggest(
        scans[0].image,
        size=request.size,
        step=request.step,
        flatten=request.flatten,
        exclude=request.exclude,
    )
    others = [
        suggest(
            scan.image,
            size=first.size,
            step=first.step,
            flatten=first.flattened,
            exclude=request.exclude,
        )
        for scan in scans[1:]
    ]
    parts = [first, *others]
    values = {
        "size": first.size,
        "step": first.step,
        "dx_prior": tuple(round(one, 3) for one in first.dx_prior),
        "reach": first.reach,
        "flatten": first.flattened,
        "mask": _left_out(first.mask),
    }
    settings = {name: Choice(value, first.reasons[name]) for name, value in values.items()}
    return Prepared(
        _grids(
            scans,
            [one.image for one in parts],
            [one.mask for one in parts],
            first.size,
            first.step,
        ),
        {"dx_prior": first.dx_prior},
        first.reach,
        first.cell,
        settings,
    )


def _grids(
    scans: Sequence[Scan],
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray | None],
    size: tuple[int, int],
    step: tuple[int, int],
) -> list[PatchGrid]:
    """Return a grid for each image, with one scale of intensities."""
    pairs = zip(scans, images, strict=True)
    ready = [Scan(image, pixel_size=scan.pixel_size) for scan, image in pairs]
    return PatchGrid.series(ready, size, step, mask=masks)


def _without_cell(scans: Sequence[Scan], request: Request) -> Prepared:
    """Return patches of the size that was given, or for a first look."""
    shape = scans[0].image.shape
    size = as_pair(
        max(4, min(shape) // _FALLBACK) if request.size is None else request.size, "size"
    )
    step = as_pair(max(1, min(size) // 3) if request.step is None else request.step, "step")
    images, masks = zip(*(repaired_specimen(scan, request) for scan in scans), strict=True)
    grids = _grids(scans, images, masks, size, step)
    settings = {
        "size": Choice(size, GIVEN if request.size else f"a {_FALLBACK}th of the image"),
        "step": Choice(step, GIVEN if request.step else "a third of the patch"),
        "flatten": Choice(False, "without a unit cell, nothing is flattened"),
        "mask": Choice(_left_out(masks[0]), "dead and hot pixels, and what was excluded"),
    }
    small = f" in only {shape[0]} x {shape[1]} px" if min(shape) < _SMALL else ""
    problem = (
        ""
        if request.size
        else (
            f"the image shows no lattice{small}, so patches have no natural size. Give one by "
            "hand: size=..., about two periods of the pattern in px; or the positions of atoms: "
            "sites=phyvae.find_sites(image)"
        )
    )
    return Prepared(grids, {}, None, None, settings, problem)


def repaired_specimen(scan: Scan, request: Request) -> tuple[np.ndarray, np.ndarray | None]:
    """Return a repaired image, and where it shows the specimen; ``None`` is everywhere."""
    found = survey(scan.image, exclude=request.exclude)
    return found.repaired, None if found.mask.all() else found.mask


def _of_spectra(scans: Sequence[Scan], request: Request) -> Prepared:
    """Return a spectrum image as a grid: a spectrum is a patch."""
    if len(scans) > 1:
        raise ValueError(
            f"scan is a list of {len(scans)} spectrum images, but one is taken at a time."
        )
    if request.size is not None or request.sites is not None:
        raise ValueError(
            "size and sites are for images, but scan is a spectrum image, whose patches are its "
            "spectra; leave them out, or take the image alone: scan.image."
        )
    cube = scans[0].cube
    assert cube is not None
    mask = np.isfinite(cube).all(axis=-1)
    if request.exclude is not None:
        mask &= ~as_mask(request.exclude, mask.shape, "True where a pixel is left out", "exclude")
    step = 1 if request.step is None else request.step
    grid = PatchGrid.from_spectra(scans[0], step, mask=None if mask.all() else mask)
    noise = float(grid.image.diff(n=2, dim=-1).abs().median()) / 0.6745 / 6**0.5
    settings = {
        "step": Choice(grid.step, GIVEN if request.step else "every spectrum"),
        "dx_prior": Choice(_WIDE, "shifts of up to a third of a spectrum's half length"),
        "noise": Choice(round(noise, 4), "of the scaled spectra, by their second differences"),
        "mask": Choice(_left_out(mask), "spectra with NaN, and what was excluded"),
    }
    model = {"dx_prior": _WIDE, "sampler_d": "gaussian", "decoder_sig": max(noise, 1e-3)}
    return Prepared([grid], model, None, None, settings)


def _at_sites(scans: Sequence[Scan], request: Request) -> Prepared:
    """Return patches centred on sites."""
    if len(scans) > 1 or request.step is not None or request.exclude is not None:
        raise ValueError(
            "sites are those of one scan, and take no step and no exclude: leave out the sites "
            "that are not wanted."
        )
    image = scans[0].image
    size = request.size
    reason = GIVEN
    cell = None
    if size is None:
        found = suggest(image)
        size, cell, reason = found.size, found.cell, found.reasons["size"]
    with warnings.catch_warnings():  # sites that are left out are among the doubts
        warnings.filterwarnings("ignore", "sites: ", UserWarning)
        grid = PatchGrid.at(scans[0], request.sites, size)
    settings = {
        "size": Choice(grid.patch_shape, reason),
        "sites": Choice(grid.count, "number of sites with a patch"),
        "dx_prior": Choice(0.1, "patches are centred on sites"),
    }
    return Prepared([grid], {"dx_prior": 0.1}, None, cell, settings)


def _check_alike(scans: Sequence[Scan]) -> None:
    """Raise an error unless scans have one kind and one pixel size."""
    if not scans:
        raise ValueError("scan is empty: pass one scan at least.")
    kinds = {one.cube is None for one in scans}
    sizes = {one.pixel_size for one in scans}
    if len(kinds) > 1 or len(sizes) > 1:
        listed = ", ".join(sorted(map(repr, scans)))
        raise ValueError(
            "scans for one model must be of one kind and one pixel size, so that patches are of "
            f"equal size, but here are {listed}; resample them first "
            "(skimage.transform.rescale), or analyse them one by one."
        )


def _check_step(scans: Sequence[Scan], step: int | tuple[int, int] | None) -> None:
    """Raise an error if a step leaves an image with one row or one column of patches."""
    steps = (0, 0) if step is None else as_pair(step, "step")
    for height, width in (scan.image.shape for scan in scans):
        if steps[0] >= height or steps[1] >= width:
            raise ValueError(
                f"step={step} px exceeds the image, {height} x {width} px, so that it holds one "
                "patch only along an axis; about a third of a patch is common."
            )


def _few(grids: Sequence[PatchGrid]) -> str:
    """Return why rasters hold too few patches for domains, if so; of 1 or 2, raise an error."""
    few = min(grids, key=lambda grid: grid.count)
    if few.count >= _FEWEST:
        return ""
    (height, width), (down, across) = few.patch_shape, few.step
    problem = (
        f"only {few.count} patches of {height} x {width} px fit at a step of {down} x {across} px,"
        f" and domains take {_FEWEST} at least. Choose a smaller step, or a larger image"
    )
    if few.count < 3:
        raise ValueError(f"size and step do not fit the image: {problem}.")
    return problem


def _left_out(mask: np.ndarray | None) -> str:
    return "nothing left out" if mask is None else f"{100 * (1 - mask.mean()):.2g} % left out"
