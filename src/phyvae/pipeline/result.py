"""Domains of a scan: maps, labels, what was chosen, and what to doubt."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int

from ..domains.evidence import DomainEvidence
from ..models import ShiftVAE
from ..patches.grid import PatchGrid
from ..scans.cell import UnitCell
from ..scans.scan import Scan
from .choices import Choice
from .showing import Shown

__all__ = ["Domains"]


@dataclass(frozen=True, eq=False, repr=False)
class Domains(Shown):
    """The domains of a scan; see `phyvae.find_domains`.

    Attributes
    ----------
    scan : Scan
        The scan.
    grid : PatchGrid
        Its patches.
    model : ShiftVAE
        The trained model.
    labels : ndarray
        Domain of each patch, from 0, shape (rows, cols); -1 where there is no specimen, and
        everywhere if the question could not be answered.
    maps, stds : ndarray
        Latent maps and their standard deviations, shape (channels, rows, cols); NaN without a
        patch.
    shifts : ndarray
        Where in the patch the lattice sits, px, shape (2, rows, cols); of spectra
        (1, rows, cols).
    signal : ndarray
        Share of each map's variance that is no noise, shape (channels,); 0 of moiré.
    evidence : DomainEvidence or None
        Evidence for each number of domains; ``None`` at sites without a lattice.
    cell : UnitCell or None
        Unit cell of the image, if it has one.
    settings : dict
        Every choice that was made, with its reason: ``found.settings["size"].value`` and
        ``.reason``.
    doubts : tuple of str
        What is not to be trusted, in sentences.
    problem : str
        Why the question cannot be answered; empty if it can.
    """

    scan: Scan
    grid: PatchGrid
    model: ShiftVAE
    labels: Int[np.ndarray, "rows cols"]
    maps: Float[np.ndarray, "channels rows cols"]
    stds: Float[np.ndarray, "channels rows cols"]
    shifts: Float[np.ndarray, "axes rows cols"]
    signal: Float[np.ndarray, " channels"]
    evidence: DomainEvidence | None
    cell: UnitCell | None
    settings: Mapping[str, Choice]
    doubts: tuple[str, ...]
    problem: str = ""

    @cached_property
    def classes(self) -> int:
        """Number of domains; 0 if the question could not be answered."""
        return len(np.unique(self.labels[self.labels >= 0]))

    @property
    def answer(self) -> str:
        """The answer in a sentence: how many domains, and why."""
        if self.problem:
            return f"cannot be answered, because {self.problem}"
        reason = self.settings["classes"].reason
        return f"{'one domain' if self.classes == 1 else f'{self.classes} domains'}: {reason}"

    def __repr__(self) -> str:
        listed = "".join(f"\n  doubt: {one}" for one in self.doubts)
        rows, cols = self.grid.shape
        return f"Domains({self.scan.name!r}, {rows} x {cols} patches; {self.answer}){listed}"
