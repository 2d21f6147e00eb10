"""Files of electron microscopes, through RosettaSciIO."""

import logging
from pathlib import Path
from typing import Any

import numpy as np

from .optional import imported
from .recording import Axis, Recording

__all__ = ["PLUGINS", "read_rosetta"]

PLUGINS = {
    "dm3": "digitalmicrograph",
    "dm4": "digitalmicrograph",
    "emd": "emd",
    "mrc": "mrc",
    "hspy": "hspy",
    "zspy": "zspy",
    "ser": "tia",
    "emi": "tia",
    "prz": "pantarhei",
    "nxs": "nexus",
    "blo": "blockfile",
}
_PICKLED = "prz files pickle their metadata, which is not loaded: no pixel size"


def read_rosetta(path: Path) -> list[Recording]:
    """Read all signals of a file as channels."""
    suffix = path.suffix[1:].lower()
    reader = imported(f"rsciio.{PLUGINS[suffix]}", f"reading .{suffix} files")
    notes = (_PICKLED,) if suffix == "prz" else ()
    log = logging.getLogger("rsciio")
    level = log.level
    log.setLevel(logging.ERROR)  # its warnings are for those who write readers
    try:
        signals = reader.file_reader(str(path))
    finally:
        log.setLevel(level)
    return [_recording(signal, notes) for signal in signals]


def _recording(signal: dict[str, Any], notes: tuple[str, ...]) -> Recording:
    data = signal["data"]
    axes = signal["axes"]
    if all("index_in_array" in axis for axis in axes):
        axes = sorted(axes, key=lambda axis: axis["index_in_array"])
    title = signal.get("metadata", {}).get("General", {}).get("title") or ""
    return Recording(
        data if isinstance(data, np.ndarray) else np.asarray(data),
        tuple(_axis(axis) for axis in axes),
        str(title),
        signal.get("original_metadata", {}),
        notes,
    )


def _axis(axis: dict[str, Any]) -> Axis:
    name, unit = axis.get("name"), axis.get("units")
    return Axis(
        name if isinstance(name, str) else "",
        unit if isinstance(unit, str) else "",
        None if axis.get("scale") is None else float(axis["scale"]),
        float(axis.get("offset") or 0.0),
        axis.get("axis"),
        not axis.get("navigate", False),
    )
