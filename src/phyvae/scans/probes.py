"""Files of microscopes, read by the packages of the extra io."""

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .optional import imported
from .recording import Axis, Recording

__all__ = ["PLUGINS", "PROBES", "read_rosetta"]

# Entries of a header of Nanonis that its older versions do not write.
_NOT_ALWAYS = ("Delay before measuring (s)", "Experiment", "Start time", "End time", "User",
               "Comment")  # fmt: skip
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


def _read_gwy(path: Path) -> list[Recording]:
    container = imported("gwyfile", "reading .gwy files").load(str(path))
    found = []
    for key in sorted(key for key in container if key.endswith("/data")):
        field = container[key]
        unit = getattr(field.get("si_unit_xy"), "unitstr", "") or ""
        rows, cols = field["yres"], field["xres"]
        axes = Axis("y", unit, field["yreal"] / rows), Axis("x", unit, field["xreal"] / cols)
        title = str(container.get(f"{key}/title", key.strip("/").partition("/")[0]))
        found.append(Recording(np.reshape(field["data"], (rows, cols)), axes, title))
    return found


def _read_ibw(path: Path) -> list[Recording]:
    wave = imported("igor2.binarywave", "reading .ibw files").load(str(path))["wave"]
    data, header = wave["wData"], wave["wave_header"]
    metadata = {"note": bytes(wave.get("note", b"")).decode("latin-1")}
    steps = [*header.get("sfA", [header.get("hsA")] * 4)]
    units = [_text(unit) for unit in np.reshape(header.get("dimUnits", [b""] * 4), (4, -1))]
    axes = [Axis("", unit, step) for unit, step in zip(units, steps, strict=True)][: data.ndim]
    if data.ndim not in (2, 3):
        return [Recording(data, tuple(axes), "", metadata)]
    # Igor's first index is along x, its second one upwards.
    data = np.swapaxes(data, 0, 1)[::-1]
    axes[:2] = axes[1], axes[0]
    labels = _igor_labels(path, wave["bin_header"]) if data.ndim == 3 else []
    if not labels:
        axes[2:] = [replace(axis, is_signal=True) for axis in axes[2:]]
        return [Recording(data, tuple(axes), "", metadata)]
    return [
        Recording(data[..., k], tuple(axes[:2]), label, metadata) for k, label in enumerate(labels)
    ]


def _igor_labels(path: Path, sizes: Any) -> list[str]:
    """Return the names of layers; igor2 appends the ends of longer, former names."""
    before = ("wfmSize", "formulaSize", "noteSize", "dataEUnitsSize", "dimEUnitsSize")
    start = 64 + sum(int(np.sum(sizes.get(name, 0))) for name in before)
    lengths = [int(size) for size in sizes.get("dimLabelsSize", [0] * 4)]
    raw = path.read_bytes()[start + sum(lengths[:2]) :][: lengths[2]]
    # The first label is that of the dimension.
    return [_text(raw[k : k + 32]) for k in range(32, len(raw), 32)]


def _text(value: Any) -> str:
    """Return the text of bytes that end with a zero."""
    return bytes(value).partition(b"\0")[0].decode("latin-1")


def _read_sxm(path: Path) -> list[Recording]:
    file = imported("nanonispy2", "reading .sxm files").read.Scan(str(path))
    (width, height), (cols, rows) = file.header["scan_range"], file.header["scan_pixels"]
    axes = Axis("y", "m", float(height / rows)), Axis("x", "m", float(width / cols))
    down = file.header["scan_dir"].strip().lower() == "down"
    found = []
    for name, directions in file.signals.items():
        for direction, lines in directions.items():
            # Lines are stored in the order in which they, and their pixels, were scanned.
            lines = lines[:, ::-1] if direction == "backward" else lines
            image = lines if down else lines[::-1]
            found.append(Recording(image, axes, f"{name} {direction}", file.header))
    return found


def _read_3ds(path: Path) -> list[Recording]:
    reader = imported("nanonispy2", "reading .3ds files").read
    written = reader.NanonisFile(str(path)).header_raw
    missing = {key: "0" for key in _NOT_ALWAYS if f"{key}=" not in written}
    file = reader.Grid(str(path), header_override=missing)
    header = file.header
    (cols, rows), (width, height) = header["dim_px"], header["size_xy"]
    axes = Axis("y", "m", height / rows), Axis("x", "m", width / cols)
    sweep = str(header.get("sweep_signal", ""))
    unit = sweep.rpartition("(")[2].rstrip(")") if "(" in sweep else ""
    spectral = Axis(sweep, unit, values=file.signals["sweep_signal"], is_signal=True)
    # Of a grid that was stopped the reader fills the rest with zeros.
    bytes_each = 4 * file.signals["params"].shape[2]
    bytes_each += 4 * int(header["num_channels"]) * int(header["num_sweep_signal"])
    count = (path.stat().st_size - file.byte_offset) // bytes_each
    empty = (np.arange(rows * cols) >= count).reshape(rows, cols)[::-1]
    found = []
    for name in [*header["channels"], "topo"]:
        data = np.array(file.signals[name][::-1], np.float32)  # recorded upwards
        data[empty] = np.nan
        each = axes if name == "topo" else (*axes, spectral)
        found.append(Recording(data, each, name, header))
    return found


PROBES: dict[str, Callable[[Path], list[Recording]]] = {
    "gwy": _read_gwy,
    "ibw": _read_ibw,
    "sxm": _read_sxm,
    "3ds": _read_3ds,
}


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
