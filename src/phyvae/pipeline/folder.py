"""The folder of a result: written in a hidden place, and put in its own at once."""

import os
import shutil
from importlib.metadata import version
from pathlib import Path
from tempfile import mkdtemp

import numpy as np

from .result import Domains
from .settings_file import settings_text

__all__ = ["FRAME", "check_place", "is_replaceable", "put", "write_folder"]

FRAME = "frame_{:05d}"
"""Folder of a frame, in that of a stack."""
_SETTINGS = "settings.toml"


def write_folder(found: Domains, folder: Path) -> list[str]:
    """Write everything of a result into an empty folder; return what could not be, in words."""
    from matplotlib import pyplot as plt

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
    found.save_tiff(folder / "labels.tif")
    found.to_csv(folder / "domains.csv")
    figure, _ = found.plot()
    figure.savefig(folder / "domains.png", dpi=200)
    plt.close(figure)  # pyplot keeps every open one
    try:
        found.report(folder / "report.html")
    except ImportError as error:
        return [f"no report.html: {error}"]
    return []


def check_place(target: Path) -> None:
    """Make the folders above that of a result, and check that it can be written into them.

    Raises OSError if it cannot: better now than after the computation.
    """
    above = target.parent
    try:
        above.mkdir(parents=True, exist_ok=True)
        Path(mkdtemp(prefix=f".{target.name}.", dir=above)).rmdir()
    except OSError as error:
        why = "it is a file" if isinstance(error, FileExistsError) else error.strerror
        raise OSError(f"no folder can be made in {os.path.relpath(above)}: {why}") from None


def put(part: Path, target: Path, *, over: bool) -> None:
    """Give a written folder its name; over one that is there, which is removed only then.

    Raises FileExistsError if there is one, and it must not be replaced.
    """
    if not target.exists():
        part.rename(target)
        return
    if not over:
        raise FileExistsError(f"{target} exists; it was made meanwhile.")
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
