"""The folder of a result: written in a hidden place, and put in its own at once."""

import csv
import shutil
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from ..plotting import plot_latent_maps, plot_segmentation
from ..plotting.panels import Panels
from ..scans.exporting import save_tiff
from .result import Domains
from .settings_file import settings_text

__all__ = ["FRAME", "is_replaceable", "put", "write_folder"]

FRAME = "frame_{:05d}"
"""Folder of a frame, in that of a stack."""
_SETTINGS = "settings.toml"


def write_folder(found: Domains, folder: Path) -> list[str]:
    """Write everything of a result into an empty folder; return what could not be, in words."""
    scan = found.scan
    found.save(folder / "scan.phyvae")
    title = f"phyvae {version('phyvae')}, {scan.name}: {found.answer}"
    text = settings_text(found.settings, title, answered=not found.problem)
    (folder / _SETTINGS).write_text(text, encoding="utf-8")
    np.savez_compressed(
        folder / "maps.npz",
        maps=found.maps,
        stds=found.stds,
        shifts=found.shifts,
        signal=found.signal,
        labels=found.labels,
        centers=found.grid.centers,
    )
    _write_labels(found, folder / "labels.tif")
    _write_table(found, folder / "domains.csv")
    _write_figures(found, folder)
    return _write_report(found, folder / "report.html")


def put(part: Path, target: Path) -> None:
    """Give a written folder its name; one that is there is replaced, and only then removed."""
    if not target.exists():
        part.rename(target)
        return
    old = part.with_name(f"{part.name}-old")
    target.rename(old)
    try:
        part.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old)


def is_replaceable(folder: Path) -> bool:
    """Return whether a folder holds results of phyvae alone, as far as can be seen, or nothing."""
    if not folder.is_dir():
        return False
    first = FRAME.format(0)
    return not any(folder.iterdir()) or any(
        (folder / name / _SETTINGS).is_file() for name in (".", first)
    )


def _write_labels(found: Domains, path: Path) -> None:
    """Write the label of the nearest patch at each pixel, 0 is none, with the pixel size."""
    labels = _at_pixels(found).astype(np.uint8 if found.classes < 255 else np.uint16)
    save_tiff(path, labels, found.scan.pixel_size)


def _at_pixels(found: Domains) -> np.ndarray:
    from scipy.spatial import cKDTree

    grid = found.grid
    held = found.labels >= 0
    shape = tuple(grid.image.shape[:2])
    if not held.any():
        return np.zeros(shape, np.int64)
    tree = cKDTree(grid.centers[held])
    patch = np.array(grid.patch_shape if len(grid.patch_shape) == 2 else (1, 1))
    pixels = np.indices(shape).reshape(2, -1).T
    _, nearest = tree.query(pixels, distance_upper_bound=float(np.hypot(*patch)))
    labels: np.ndarray = np.append(found.labels[held] + 1, 0)[nearest].reshape(shape)
    return labels


def _write_table(found: Domains, path: Path) -> None:
    """Write the number of patches of each domain, and its share."""
    held = found.labels[found.labels >= 0]
    labels, counts = np.unique(held, return_counts=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(["domain", "patches", "share"])
        for label, count in zip(labels, counts, strict=True):
            rows.writerow([int(label), int(count), f"{count / len(held):.6g}"])


def _write_figures(found: Domains, folder: Path) -> None:
    for name, figure in _figures(found):
        figure.savefig(folder / f"{name}.png", dpi=200)


def _figures(found: Domains) -> Iterator[tuple[str, Any]]:
    """Yield name and figure, closed after use: pyplot keeps every open one."""
    from matplotlib import pyplot

    grid = found.grid
    figures: list[tuple[str, Callable[[], Panels]]] = [
        ("maps", lambda: plot_latent_maps(found.maps, grid=grid))
    ]
    if found.classes and len(grid.patch_shape) == 2:
        figures.append(("domains", lambda: plot_segmentation(grid, found.labels)))
    for name, plot in figures:
        figure, _ = plot()
        yield name, figure
        pyplot.close(figure)


def _write_report(found: Domains, path: Path) -> list[str]:
    """Write the page, where the package for it is installed."""
    report = getattr(found, "report", None)
    try:
        if report is None:
            raise ImportError
        report(path)
    except ImportError:
        return ['no report.html: pip install "phyvae[report]"']
    return []
