"""Files of scanning probe microscopes: Gwyddion, Igor (Asylum), Nanonis."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from .optional import imported
from .recording import Axis, Recording

__all__ = ["PROBES"]

# Entries of a header of Nanonis that its older versions do not write.
_NOT_ALWAYS = ("Delay before measuring (s)", "Experiment", "Start time", "End time", "User",
               "Comment")  # fmt: skip


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
