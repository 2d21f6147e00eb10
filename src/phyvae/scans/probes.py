"""Files of scanning probe microscopes: Gwyddion, Igor (Asylum), Nanonis."""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from .optional import imported
from .recording import Axis, Recording

__all__ = ["PROBES"]


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
    if data.ndim not in (2, 3):
        return [Recording(data, tuple(Axis() for _ in data.shape), "", metadata)]
    units = [bytes(unit).strip(b"\0").decode("latin-1") for unit in
             np.asarray(header.get("dimUnits", [b""] * 4))]  # fmt: skip
    steps = header.get("sfA", [None] * 4)
    axes = Axis("y", units[1], steps[1]), Axis("x", units[0], steps[0])
    labels = [bytes(label).decode("latin-1") for label in (wave.get("labels") or [[]] * 3)[2]][1:]
    # Igor's first index is along x, its second one upwards.
    layers = np.moveaxis(data, -1, 0) if data.ndim == 3 else data[None]
    return [
        Recording(layer.T[::-1], axes, labels[k] if k < len(labels) else f"layer {k}", metadata)
        for k, layer in enumerate(layers)
    ]


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
    file = imported("nanonispy2", "reading .3ds files").read.Grid(str(path))
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
    missing = (np.arange(rows * cols) >= count).reshape(rows, cols)[::-1]
    found = []
    for name in [*header["channels"], "topo"]:
        data = np.array(file.signals[name][::-1], np.float32)  # recorded upwards
        data[missing] = np.nan
        each = axes if name == "topo" else (*axes, spectral)
        found.append(Recording(data, each, name, header))
    return found


PROBES: dict[str, Callable[[Path], list[Recording]]] = {
    "gwy": _read_gwy,
    "ibw": _read_ibw,
    "sxm": _read_sxm,
    "3ds": _read_3ds,
}
