"""A trained model on another scan: same patches, same intensities, same domains."""

from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ..domains.series import Series
from ..domains.wall_energy import DomainMeans, domain_means
from ..patches.crops import RasterCrops
from ..patches.grid import PatchGrid
from ..patches.masking import masked, specimen_of
from ..patches.registration import NoLatticeError
from ..refinement.refining import refine
from ..scans.cell import UnitCell
from ..scans.intensities import as_intensities, scaled
from ..scans.objects import opened, scan_of
from ..scans.resampling import at_pixel_size
from ..scans.scan import Scan
from .choices import Choice
from .doubting import doubts_on, evidence_of
from .preparing import Request, repaired_specimen
from .showing import Shown
from .suggesting import suggest

__all__ = ["Applied", "one_or_several"]

_ALIKE = 0.1  # by which lattice vectors of one lattice may differ in length
_OUTSIDE = 0.02  # of the pixels may exceed the intensities of training


def one_or_several(value: Any) -> Scan | Iterable[Any]:
    """Return the scan of what holds one; a list, an iterator or a stack is one of scans."""
    return value if isinstance(value, list | tuple | Iterator) else opened(value)


class Applied(Shown):
    """A result whose model and domains can be applied to another scan."""

    cell: UnitCell | None

    def _on(self, value: Any, *, resample: bool, progress: bool) -> dict[str, Any]:
        """Return the fields of the result for another scan, as far as they are other ones."""
        scan = at_pixel_size(_as_scan(value, self.scan), self.scan.pixel_size, resample=resample)
        grid, cell, doubts = self._patches(scan)
        count = len(self.maps)
        evidence = evidence_of(self.model.latent_maps(grid, progress=progress)[:count], grid)
        refined = refine(self.model, grid, samples=4, progress=progress)
        maps = refined.maps[:count].numpy()
        labels = self._labels(maps)
        number, here = (len(np.unique(one[one >= 0])) for one in (self.labels, labels))
        if evidence is not None and evidence.number != here:
            doubts.append(
                f"by the domains of {self.scan.name!r} there are {here}, and {evidence.number} "
                f"counted in this scan: {evidence.reason}"
            )
        reason = f"the domains of {self.scan.name!r}"
        return {
            "scan": scan,
            "grid": grid,
            "labels": labels,
            "maps": maps,
            "stds": refined.stds[:count].numpy(),
            "shifts": refined.shifts.numpy(),
            "evidence": evidence,
            "cell": cell,
            "settings": {**self.settings, "classes": Choice(number, reason)},
            "doubts": (
                *doubts,
                *doubts_on(scan, grid, cell, None, None, None, labels, None),
            ),
        }

    def _patches(self, scan: Scan) -> tuple[PatchGrid, UnitCell | None, list[str]]:
        """Return the patches of a scan, its unit cell, and what to doubt of them."""
        cell = None
        if scan.cube is not None:
            image, mask = scan.cube, np.isfinite(scan.cube).all(axis=-1)
        else:
            image, mask, cell = self._prepared(scan)
        grid, outside = self._cropped(image, mask, scan.pixel_size)
        doubts = []
        if outside > _OUTSIDE:
            low, high = self.grid.limits
            doubts.append(
                f"{100 * outside:.2g} % of the pixels are darker or brighter than the scan of "
                f"training, {low:.4g} to {high:.4g}: the model has not seen such patches"
            )
        if self.cell is not None and (
            cell is None or not np.allclose(cell.lengths, self.cell.lengths, rtol=_ALIKE)
        ):
            doubts.append(
                f"the lattice is another one: {_lengths(cell)}, in training {_lengths(self.cell)}"
            )
        return grid, cell, doubts

    def _prepared(self, scan: Scan) -> tuple[np.ndarray, np.ndarray | None, UnitCell | None]:
        """Return an image repaired, and flattened as in training, its mask and unit cell."""
        height, width = self.grid.patch_shape
        flatten = bool(self.settings["flatten"].value)
        try:
            found = suggest(scan.image, size=(height, width), step=self.grid.step, flatten=flatten)
        except NoLatticeError:
            return (*repaired_specimen(scan, Request()), None)
        return found.image, found.mask, found.cell

    def _cropped(
        self, image: np.ndarray, mask: np.ndarray | None, pixel_size: tuple[float, float] | None
    ) -> tuple[PatchGrid, float]:
        """Return patches in the scale of training, and the share of pixels beyond it."""
        mask = None if mask is None or mask.all() else mask
        size, step, (low, high) = self.grid.patch_shape, self.grid.step, self.grid.limits
        if image.ndim == 3:
            values, shown = masked(image, mask, "cube")
            values, specimen = as_intensities(values, "cube"), None
            known = values if shown is None else values[shown]
            crops = RasterCrops.of_spectra(values.shape, step)
        else:
            values, shown, known = specimen_of(image, mask)
            specimen, crops = shown, RasterCrops.over(values.shape, size, step)
        pixels = scaled(values, "robust", (low, high))
        crops = crops.showing(shown)
        grid = PatchGrid.of_crops(pixels, (low, high), crops, None, specimen, pixel_size)
        return grid, float(((known < low) | (known > high)).mean())

    @cached_property
    def _means(self) -> DomainMeans:
        """The domains of training, in values of the maps."""
        series, held = _listed(self.maps)
        return domain_means(series.values(), self.labels[held], series.walls(), self.signal)

    def _labels(self, maps: Float[np.ndarray, "channels rows cols"]) -> np.ndarray:
        """Return the labels of maps, which mean the same as in training."""
        series, held = _listed(maps)
        labels = np.full(maps.shape[1:], -1)
        if not self.signal.any():  # one domain
            labels[held] = 0
        else:
            labels[held] = self._means.labels(series.values(), series.walls())
        return labels


def _listed(
    maps: Float[np.ndarray, "channels rows cols"],
) -> tuple[Series, Bool[np.ndarray, "rows cols"]]:
    """Return maps as a list of the cells that hold a patch, and which do."""
    held: np.ndarray = np.isfinite(maps).all(axis=0)
    return Series([maps.astype(np.float64)], [held], [None]), held


def _as_scan(value: Any, first: Scan) -> Scan:
    """Return a scan of the kind of the first one."""
    scan = scan_of(value, "scan")
    lengths = [None if one.cube is None else one.cube.shape[-1] for one in (scan, first)]
    if lengths[0] != lengths[1]:
        here, there = (f"spectra of {n} points" if n else "an image" for n in lengths)
        raise ValueError(
            f"scan {scan.name!r} is {here}, but the model was trained on {there}; "
            "phyvae.find_domains(scan) trains one for it."
        )
    return scan


def _lengths(cell: UnitCell | None) -> str:
    if cell is None:
        return "none"
    return f"{cell.lengths[0]:.1f} x {cell.lengths[1]:.1f} px"
