"""What of a result is not to be trusted, in sentences."""

import contextlib
import warnings
from collections.abc import Iterable, Iterator

import numpy as np
from torch import Tensor

from ..alignment.result import Alignment, AlignmentWarning
from ..domains.dividing import CONTRAST, RAMP
from ..domains.evidence import DomainEvidence, NumberEvidence, domain_evidence
from ..patches.grid import PatchGrid
from ..patches.moire import Moire
from ..scans.cell import UnitCell
from ..scans.scan import Scan
from ..training.best_state import LostMapsWarning
from ..training.collapse import CollapsedMapsWarning
from .opinion import second_opinion

__all__ = ["confirmed", "doubts_on", "doubts_on_patches", "evidence_of", "heard"]

_CLOSE = 0.7  # of the best score: numbers of domains between which the evidence hardly decides
_NEARLY = 0.85  # of the limits of a wall: two domains that fail by little
_UNLIKE = 0.5  # agreement, below which descriptors without training divide an image otherwise
_ALTERNATING = 0.5  # squared differences two sites apart, of those of next neighbours, at most
_PAIRS = 50  # sites: of noise the ratio is 1, with a deviation of 0.2
_MOST = 6  # domains that are looked for
_TOLD: dict[type[Warning], str] = {
    AlignmentWarning: "",  # in the alignment's own numbers
    LostMapsWarning: "training made the maps worse, so those of its best state before are shown, "
    "perhaps those of the start",
    CollapsedMapsWarning: "training left no map that stands out of its own uncertainty",
}
_TWO_LATTICES = "the image holds two lattices"


@contextlib.contextmanager
def heard() -> Iterator[list[str]]:
    """Collect the warnings of alignment and training as doubts; others go their way."""
    doubts: list[str] = []
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield doubts
    for one in caught:
        doubt = _TOLD.get(one.category)
        if doubt is None:
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
        elif doubt and doubt not in doubts:
            doubts.append(doubt)


def confirmed(doubts: Iterable[str], evidence: Iterable[DomainEvidence | None]) -> tuple[str, ...]:
    """Return doubts of alignment and training, but not of empty maps that hold domains.

    A map that is noise cell by cell may have walls that stand out of it.
    """
    hold = any(one is not None and one.number > 1 for one in evidence)
    return tuple(one for one in doubts if not (hold and one == _TOLD[CollapsedMapsWarning]))


def evidence_of(maps: Tensor, grid: PatchGrid) -> DomainEvidence | None:
    """Return the evidence for each number of domains; a list of sites has none."""
    if grid.graph is not None or 1 in grid.shape:
        return None
    most = max(1, min(_MOST, grid.count // 4))
    return domain_evidence(maps, most, grid=grid)


def doubts_on(
    scan: Scan,
    grid: PatchGrid,
    cell: UnitCell | None,
    start: Alignment | None,
    evidence: DomainEvidence | None,
    moire: Moire | None,
    labels: np.ndarray,
    asked: int | None,
) -> list[str]:
    """Return what to doubt of the domains of one scan."""
    classes = len(np.unique(labels[labels >= 0]))
    found = [*scan.notes]
    if scan.pixel_size is None:
        found.append("no calibration: lengths are in px")
    if cell is not None and cell.doubt and not (classes > 1 and _TWO_LATTICES in cell.doubt):
        found.append(f"the unit cell is doubtful: {cell.doubt}")
    if start is not None and not start.latents:
        found.append("nothing stands out of noise: the image may be one domain")
    if moire is not None:
        found += _on_moire(moire)
    if evidence is not None:
        found += _on_number(evidence, classes, asked)
    if classes > 1:
        found += _on_opinion(second_opinion(labels, grid))
    return found


def _on_moire(moire: Moire) -> list[str]:
    at = [k for k, share in enumerate(moire.share) if share > 0]
    if not at:
        return []
    names = ", ".join(f"z{k + 1}" for k in at)
    return [
        f"{names}: moiré of the step with the lattice, waves of {moire.period[at[0]]:.1f} cells, "
        f"left out of the domains; step={moire.step} avoids it"
    ]


def _on_number(evidence: DomainEvidence, classes: int, asked: int | None) -> list[str]:
    if asked is not None and asked != evidence.number:
        return [
            f"classes={asked} was asked for, and {evidence.number} counted: {evidence.reason}",
            *_on_fewer(classes, asked),
        ]
    if asked is None and len(evidence.ranking) > 1:
        two = evidence.ranking[1]
        if evidence.number == 1 and _nearly(two):
            return [f"two domains fail by little: {two.reason}. Look at those of classes=2"]
        found = _on_close(evidence)
        return [*found, *_on_fewer(classes, evidence.number)]
    return _on_fewer(classes, evidence.number)


def _nearly(two: NumberEvidence) -> bool:
    """Return whether two domains have walls that are nearly steps; steps may still be chance."""
    steps = two.contrast >= CONTRAST and two.ramp <= RAMP
    return not steps and two.contrast >= _NEARLY * CONTRAST and _NEARLY * two.ramp <= RAMP


def _on_close(evidence: DomainEvidence) -> list[str]:
    scores = {one.number: one.score for one in evidence.ranking[1:] if one.holds}
    own = scores.pop(evidence.number, 0.0)
    close = [f"{n} ({score:.1f})" for n, score in scores.items() if score >= _CLOSE * own]
    if not close:
        return []
    return [
        f"the number of domains is close: the edges at the walls of {' and '.join(close)} domains "
        f"stand out about as well as those of {evidence.number} ({own:.1f}); the largest such "
        "number is taken. Look at the others: classes=..."
    ]


def _on_fewer(classes: int, wanted: int) -> list[str]:
    if classes >= wanted:
        return []
    return [f"{wanted} domains were looked for, but only {classes} are worth their walls"]


def _on_opinion(agreement: dict[str, float]) -> list[str]:
    best = max(agreement, key=lambda kind: np.nan_to_num(agreement[kind], nan=-1.0))
    if not agreement[best] < _UNLIKE:
        return []
    return [
        "second opinion: maps without training divide the image otherwise; the best agreement is "
        f"{agreement[best]:.2f} ({best})"
    ]


def doubts_on_patches(grid: PatchGrid, cell: UnitCell | None, maps: np.ndarray) -> list[str]:
    """Return what to doubt of sites that are left out or of two kinds, and of small patches."""
    found = _on_small_patches(grid, cell)
    return found if grid.is_raster else found + _on_sites(grid) + _on_alternation(grid, maps)


def _on_small_patches(grid: PatchGrid, cell: UnitCell | None) -> list[str]:
    if cell is None or len(grid.patch_shape) == 1:
        return []
    longest = np.abs(cell.vectors).max(0)
    if (np.add(grid.patch_shape, 0.5) >= longest).all():
        return []
    height, width = grid.patch_shape
    return [
        f"patches of {height} x {width} px are smaller than the unit cell, "
        f"{cell.lengths[0]:.1f} x {cell.lengths[1]:.1f} px, and do not show it: "
        f"size={2 * round(max(cell.lengths))} would"
    ]


def _on_sites(grid: PatchGrid) -> list[str]:
    near, off = grid.near_border, grid.off_lattice
    if not near + off:
        return []
    reasons = {"too near the border for a whole patch": near, "on no cell of the lattice": off}
    named = ", ".join(f"{count} {reason}" for reason, count in reasons.items() if count)
    return [f"{near + off} of {grid.count + near + off} sites are left out: {named}"]


def _on_alternation(grid: PatchGrid, maps: np.ndarray) -> list[str]:
    at = [f"z{k + 1}" for k, one in enumerate(maps) if _alternates(one)]
    if grid.graph is not None or not at:
        return []
    return [
        f"{', '.join(at)}: neighbouring sites alternate, so they are of two kinds. Pass one kind: "
        "find_sites(image, spacing) with the lattice constant, or the brightest ones"
    ]


def _alternates(values: np.ndarray) -> bool:
    """Whether along an axis next neighbours differ far more than those two sites apart.

    Within domains, or in noise, they differ as much, or less; NaN has no value.
    """
    for along in (values, values.T):
        near, apart = along[1:] - along[:-1], along[2:] - along[:-2]
        near, apart = near[np.isfinite(near)], apart[np.isfinite(apart)]
        if apart.size >= _PAIRS and (apart**2).mean() < _ALTERNATING * (near**2).mean():
            return True
    return False
