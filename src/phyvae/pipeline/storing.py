"""The file of a result: its model, and all other parts as JSON with arrays."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from torch import Tensor

from ..domains.evidence import DomainEvidence, NumberEvidence
from ..models import ShiftVAE
from ..models.interface import described_model
from ..patches.crops import RasterCrops, SiteCrops
from ..patches.graph import SiteGraph
from ..patches.grid import PatchGrid
from ..patches.sites import PlacedSites
from ..saving import sealed
from ..saving.contents import AnyPath, versions
from ..saving.structures import packed
from ..scans.cell import UnitCell
from ..scans.scan import Scan
from .choices import Choice

__all__ = ["CLASSES", "store"]

CLASSES = (
    *(Scan, UnitCell, DomainEvidence, NumberEvidence, Choice),
    *(RasterCrops, SiteCrops, PlacedSites, SiteGraph),
)
"""Types that a file may hold."""


def store(path: AnyPath, scan: Scan, grid: PatchGrid, model: ShiftVAE, **parts: Any) -> None:
    """Write a result to a file; the parts are the other fields of `Domains`."""
    tensors: dict[str, Tensor] = {}
    kept = {"scan": _with_plain_metadata(scan), "grid": _grid_parts(grid), **parts}
    record = {
        "versions": versions(),
        "model": described_model(model),
        "domains": {name: packed(value, tensors) for name, value in kept.items()},
    }
    sealed.write(path, sealed.seal(record, tensors | model.state_dict()))


def _grid_parts(grid: PatchGrid) -> dict[str, Any]:
    grid = grid.to("cpu")
    return {
        "image": grid.image,
        "limits": grid.limits,
        "crops": grid.crops,
        "placed": grid.placed,
        "specimen": grid.specimen,
        "pixel_size": grid.pixel_size,
    }


def _with_plain_metadata(scan: Scan) -> Scan:
    """Return a scan with the metadata that a file can hold, and a note of all that is left out."""
    metadata, lost = _plain(scan.metadata)
    if not lost:
        return replace(scan, metadata=metadata)
    note = f"metadata that were not stored: {', '.join(lost)}"
    return replace(scan, metadata=metadata, notes=(*scan.notes, note))


def _plain(metadata: Mapping[str, Any], inside: str = "") -> tuple[dict[str, Any], list[str]]:
    """Return the entries that JSON or an array can hold, and the names of the others."""
    kept: dict[str, Any] = {}
    lost = []
    for key, value in metadata.items():
        name = f"{inside}{key}"
        if isinstance(value, Mapping):
            kept[str(key)], others = _plain(value, f"{name}.")
            lost += others
            continue
        try:
            packed(value, {})
        except TypeError:
            lost.append(name)
        else:
            kept[str(key)] = value
    return kept, lost
