"""Domains of a scan: maps, labels, what was chosen, and what to doubt."""

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from tqdm.auto import tqdm

from .._checks import as_flag
from ..compute.progress import silent
from ..domains.evidence import DomainEvidence
from ..models import ShiftVAE
from ..patches.grid import PatchGrid
from ..saving.contents import AnyPath
from ..scans.cell import UnitCell
from ..scans.scan import Scan
from .applying import Applied, one_or_several
from .choices import Choice
from .storing import store

__all__ = ["Domains"]


@dataclass(frozen=True, eq=False, repr=False)
class Domains(Applied):
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
        Reasons not to trust the result, in sentences.
    problem : str
        Why the question cannot be answered; empty if it can.

    Examples
    --------
    See `phyvae.find_domains` for an image with domains. This one has no lattice, and no answer:

    >>> import numpy as np
    >>> import phyvae
    >>> noise = np.random.default_rng(0).random((48, 48))
    >>> found = phyvae.find_domains(noise, progress=False)
    >>> found.classes, found.problem
    (0, 'the image shows no lattice ...')
    >>> found.settings["train"].value, found.settings["train"].reason
    (True, 'default')
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
        """The answer in a sentence: how many domains, and why; ``evidence.reason`` is longer."""
        if self.problem:
            return f"cannot be answered, because {self.problem}"
        named = "one domain" if self.classes == 1 else f"{self.classes} domains"
        reason, evidence = self.settings["classes"].reason, self.evidence
        if evidence is not None and evidence.number == self.classes > 1:
            own = evidence.ranking[self.classes - 1]
            if reason == evidence.reason and np.isfinite([own.contrast, own.score]).all():
                reason = (
                    f"edges at their walls are {own.contrast:.0f} times those around, and "
                    f"{own.score:.0f} standard deviations above chance"
                )
        return f"{named}: {reason}"

    def apply(self, scan: Any, *, resample: bool = False, progress: bool = True) -> Any:
        """Find the same domains in another scan, by the model as it is.

        Patches, scale of intensities and domains are those of this result: a label is the same
        domain in both.

        Parameters
        ----------
        scan
            One scan of the same pixel size, as for `find_domains`. Of a list, a stack or an
            iterator of scans, results are yielded one by one, in constant memory.
        resample
            Whether to bring a scan of another pixel size to that of this result's.
        progress
            Whether to show progress bars.

        Returns
        -------
        Domains
            An iterator of them for several scans. ``evidence`` and ``doubts`` are those of the
            new scan.

        Raises
        ------
        ValueError
            If pixel sizes differ, or this result has no domains, or patches at sites: those are
            the sites of one scan.

        Examples
        --------
        >>> import phyvae
        >>> first, later = (phyvae.phantoms.nio_lsmo((160, 160), seed=k).image for k in (0, 1))
        >>> found = phyvae.find_domains(first, train=False, progress=False)
        >>> found.apply(later, progress=False).labels.shape == found.labels.shape
        True
        """
        as_flag(resample, "resample")
        as_flag(progress, "progress")
        if self.problem or not self.grid.is_raster:
            problem = "no domains" if self.problem else "patches at sites, which one scan has"
            raise ValueError(f"found.apply: this result has {problem}; find_domains(scan) anew.")
        scans = one_or_several(scan)
        if isinstance(scans, Scan):
            return replace(self, **self._on(scans, resample=resample, progress=progress))
        frames = tqdm(scans, desc="frames", unit="frame", disable=silent(progress))
        return (
            replace(self, **self._on(one, resample=resample, progress=False)) for one in frames
        )

    def save(self, path: AnyPath) -> None:
        """Write everything of the result to one file, see `phyvae.load_domains`.

        Entries of ``scan.metadata`` that neither JSON nor an array can hold are left out, and
        named in ``scan.notes`` of the loaded result. `phyvae.load_model` reads the model alone.

        Parameters
        ----------
        path
            The file, such as ``"scan.phyvae"``; one that is there is replaced.
        """
        store(path, **{one.name: getattr(self, one.name) for one in fields(self)})

    def __repr__(self) -> str:
        listed = "".join(f"\n  doubt: {one}" for one in self.doubts)
        rows, cols = self.grid.shape
        return f"Domains({self.scan.name!r}, {rows} x {cols} patches; {self.answer}){listed}"
