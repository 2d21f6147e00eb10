"""Settings of a patch grid, and of the model for it, that follow from the image's unit cell."""

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from .._checks import as_flag, as_pair
from ..domains.evidence import domain_evidence
from ..patches.grid import PatchGrid
from ..patches.moire import aliases_of
from ..patches.registration import NoLatticeError
from ..scans.background import LocalMeans, local_means
from ..scans.cell import UnitCell
from ..scans.objects import calibrated
from ..scans.scan import Scan
from ..scans.surveying import Survey, survey
from .choices import GIVEN

__all__ = ["Suggestion", "suggest"]

_CELLS = 2.0  # along a patch
_PART = 6  # of the image's side: larger patches show few objects
_UNEVEN = 0.1  # contrasts within a patch: a weaker background does no harm
_DOMAINS = 3  # of brightness
_ALTERNATES = 0.05  # cycles per step that an alternation is off its 0.5
_MOIRE = 0.15  # cycles per step: slower than seven cells of the map looks like domains


@dataclass(frozen=True, eq=False)
class Suggestion:
    """Settings that fit an image, each with its reason; see `suggest`.

    Attributes
    ----------
    size, step : tuple of int
        Patch (height, width) and distance of patches (down, across), px.
    dx_prior : tuple of float
        Standard deviation of the shifts (y, x), in half patch sizes, for `ShiftVAE`.
    reach : tuple of int
        Largest displacement (y, x), px, for `align`.
    image : ndarray
        The image, repaired, and without its background where `flattened`; shape (height, width).
    mask : ndarray or None
        True where a pixel shows the specimen; ``None`` if all do.
    flattened : bool
        Whether a slow background was subtracted.
    cell : UnitCell
        The unit cell that all of this follows from.
    reasons : dict
        Why, in words, by the name of the choice.
    pixel_size : tuple of float or None
        Height and width of the image's pixels, nm, if they are known.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo((160, 160), lattice=12.0, seed=0)
    >>> found = phyvae.suggest(phantom.image)
    >>> found.size, found.reasons["size"]
    ((24, 24), '2 unit cells of 12.0 x 12.0 px')
    >>> found.grid(step=12).step
    (12, 12)
    """

    size: tuple[int, int]
    step: tuple[int, int]
    dx_prior: tuple[float, float]
    reach: tuple[int, int]
    image: Float[np.ndarray, "height width"]
    mask: Bool[np.ndarray, "height width"] | None
    flattened: bool
    cell: UnitCell
    reasons: Mapping[str, str]
    pixel_size: tuple[float, float] | None = None

    def grid(self, step: int | tuple[int, int] | None = None) -> PatchGrid:
        """Return the grid of patches of these settings, or of another step."""
        scan = Scan(self.image, pixel_size=self.pixel_size)
        return PatchGrid(scan, self.size, step or self.step, mask=self.mask)

    def __repr__(self) -> str:
        dx_prior = ", ".join(f"{one:.2f}" for one in self.dx_prior)
        return (
            f"Suggestion(size={self.size}, step={self.step}, dx_prior=({dx_prior}), "
            f"reach={self.reach}, flattened={self.flattened})"
        )


def suggest(
    image: Any,
    *,
    size: int | tuple[int, int] | None = None,
    step: int | tuple[int, int] | None = None,
    flatten: bool | None = None,
    exclude: Any = None,
) -> Suggestion:
    """Return patch size, step, shift prior and reach for an image, from its unit cell.

    A patch holds two cells either way, or fewer where it would exceed a sixth of the image, but
    one at least. A cell that is longer one way makes patches longer that way. The step is about a
    third of the patch, chosen so that it and the lattice make no moiré that is slow, or
    alternates from cell to cell. The prior of shifts
    is 0.29 cells wide, and `align` reaches three quarters of a cell.

    A slow background, such as topography or drift, is subtracted, and the mean with it: the
    polynomial of order six that fits the means over two cells best. It stays where it is weaker
    than a tenth of the contrast about these means, and where domains that differ in brightness
    explain more of them than its terms up to order four.

    Parameters
    ----------
    image
        One scan, shape (height, width), any real dtype, at least 32 px either way. Values that
        are NaN are no specimen.
    size, step
        Patch and step, px, where they are known; the other settings then follow from them.
    flatten
        Whether to subtract the background; ``None`` leaves it to the image.
    exclude
        True where a pixel shows no specimen, in addition to what `survey` finds, bool, shape
        (height, width).

    Returns
    -------
    Suggestion
        ``suggestion.grid()`` is the grid, without what `survey` finds to be no specimen.

    Raises
    ------
    NoLatticeError
        If the image has no unit cell, see `unit_cell`; a ValueError.

    Examples
    --------
    >>> import phyvae
    >>> found = phyvae.suggest(phyvae.phantoms.bfo(lattice=12.0, seed=0).image)
    >>> found.size, found.reach
    ((24, 24), (9, 9))
    >>> found.grid().patch_shape
    (24, 24)
    """
    image, pixel_size = calibrated(image)
    found = survey(image, exclude=exclude)
    if found.cell is None:
        raise NoLatticeError(
            "image shows no lattice, so its patches have no natural size; choose one by hand: "
            "PatchGrid(image, size=...)."
        )
    extent = _extent(found.cell.vectors)
    sides = np.array(found.repaired.shape)
    cells = float(np.clip((sides / _PART / extent).min(), 1.0, _CELLS))
    natural = np.minimum(np.maximum(np.round(cells * extent).astype(int), 4), sides)
    patch = natural if size is None else np.array(as_pair(size, "size", 2))
    chosen, moire = _step(patch, found.cell.vectors, step)
    prior = 0.29 * extent / (patch / 2)
    reach = np.maximum(np.minimum(np.round(0.75 * extent).astype(int), patch - 1), 1)
    flat, flattened, why = _flat(found, (int(natural[0]), int(natural[1])), flatten)
    masked = not found.mask.all()
    given = GIVEN if size is not None else ""
    most = f", as more would exceed a {_PART}th of the image" if cells < _CELLS else ""
    cell = found.cell
    reasons = {
        "cell": f"{cell.lengths[0]:.1f} x {cell.lengths[1]:.1f} px"
        + (f", doubtful: {cell.doubt}" if cell.doubt else ""),
        "size": given or f"{cells:.2g} unit cells of {extent[0]:.1f} x {extent[1]:.1f} px{most}",
        "step": ("given; its" if step is not None else "about a third of the patch, whose")
        + f" moiré with the lattice has {moire:.2f} cycles per cell of the map",
        "dx_prior": "0.29 unit cells, in half patch sizes",
        "reach": "three quarters of a unit cell",
        "flatten": why,
        "mask": _left_out(found),
    }
    return Suggestion(
        (int(patch[0]), int(patch[1])),
        chosen,
        (float(prior[0]), float(prior[1])),
        (int(reach[0]), int(reach[1])),
        flat,
        found.mask if masked else None,
        flattened,
        cell,
        reasons,
        pixel_size,
    )


def _left_out(found: Survey) -> str:
    """Return which pixels are no specimen, in words."""
    shares = {
        "residue": found.residue.mean(),
        "vacuum": found.vacuum.mean(),
        "faults, not recorded or excluded": (~(found.mask | found.residue | found.vacuum)).mean(),
    }
    named = [f"{100 * share:.2g} % {name}" for name, share in shares.items() if share]
    return "; ".join(named) or "all show it"


def _extent(vectors: Float[np.ndarray, "2 2"]) -> Float[np.ndarray, "2"]:
    """Return how far a cell extends down and across, px; one number where they are similar.

    The cell is that of all points nearest to a lattice point, which does not depend on the basis.
    An upright rectangle extends by its sides.
    """
    share = (np.arange(20) + 0.5) / 20
    points = np.stack(np.meshgrid(share, share), -1).reshape(-1, 1, 2) @ vectors
    around = np.mgrid[-1:3, -1:3].reshape(2, -1).T @ vectors
    offsets = points - around
    nearest = (offsets**2).sum(-1).argmin(1)
    cell = offsets[np.arange(len(offsets)), nearest]
    extent: np.ndarray = (12 * cell.var(0)) ** 0.5
    if extent.max() < 1.3 * extent.min():
        extent = np.full(2, np.prod(extent) ** 0.5)
    return extent


def _step(
    size: np.ndarray, vectors: Float[np.ndarray, "2 2"], given: int | tuple[int, int] | None
) -> tuple[tuple[int, int], float]:
    """Return the step nearest to a third of the size without moiré to be seen, and its frequency.

    A slow moiré looks like domains; one that alternates from cell to cell is not seen by losses of
    central differences.
    """
    planes = np.array([(1, 0), (0, 1), (1, 1), (1, -1)]) @ np.linalg.inv(vectors).T
    ranges = [range(max(1, int(0.25 * n)), int(np.ceil(0.42 * n)) + 1) for n in size]
    if given is not None:
        ranges = [range(n, n + 1) for n in as_pair(given, "step")]
    ranked = []
    for step in itertools.product(*ranges):
        folded = np.abs(aliases_of(planes, np.array(step)))
        moire = float(np.hypot(*folded.T).min())
        alternates = bool((folded > 0.5 - _ALTERNATES).any())
        off = float(np.abs(np.array(step) / (size / 3) - 1).sum())
        ranked.append((min(moire, _MOIRE), not alternates, -off, step, moire))
    *_, (down, across), moire = max(ranked)
    return (down, across), moire


def _flat(
    found: Survey, size: tuple[int, int], given: bool | None
) -> tuple[Float[np.ndarray, "height width"], bool, str]:
    """Return the image, without its background where that is to go, whether it is, and why."""
    if given is not None and not as_flag(given, "flatten"):
        return found.repaired, False, GIVEN
    means = local_means(found.repaired, found.mask, size)
    flattened, why = (True, GIVEN) if given else _is_to_go(means)
    return (found.repaired - means.background() if flattened else found.repaired), flattened, why


def _is_to_go(means: LocalMeans) -> tuple[bool, str]:
    """Return whether a background does harm and is no domains of brightness, and why."""
    known = means.known
    uneven = float(means.smooth[known].std()) if known.any() else 0.0
    if not uneven > _UNEVEN * means.contrast:
        ratio = uneven / means.contrast if means.contrast else 0.0
        return False, f"the background varies by {ratio:.2f} of the contrast within a patch"
    slow = _explained(means.level[known], means.slow[known])
    domains = domain_evidence(np.where(known, means.level, 0.0), _DOMAINS, mask=known)
    shown = domains.labels >= 0
    level, labels = means.level[shown], domains.labels[shown]
    steps = (np.bincount(labels, level) / np.bincount(labels))[labels]
    stepped = max(0.0, _explained(level, steps))  # of one domain, 0 but for rounding
    several = f"{domains.number} domains" if domains.number > 1 else "1 domain"
    return slow > stepped, (
        f"a slow background explains {slow:.2f} of the variance of the local mean, "
        f"{several} of brightness {stepped:.2f}"
    )


def _explained(values: np.ndarray, fitted: np.ndarray) -> float:
    """Return the share of the variance of values that a fit to them explains."""
    return 1 - float((values - fitted).var() / values.var())
