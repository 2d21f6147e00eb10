"""Reading files: from the file of a microscope to a scan."""

import os
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from .._checks import brief, is_integer
from .arranging import arrange
from .pictures import read_npy, read_npz, read_picture
from .probes import PLUGINS, PROBES, read_rosetta
from .recording import Recording
from .scan import Scan
from .tiff import read_tiff

__all__ = ["read", "read_as"]

_READERS: dict[str, Callable[[Path], list[Recording]]] = (
    {"npy": read_npy, "npz": read_npz, "tif": read_tiff, "tiff": read_tiff}
    | dict.fromkeys(("png", "jpg", "jpeg", "bmp", "gif", "webp"), read_picture)
    | dict.fromkeys(PLUGINS, read_rosetta)
    | PROBES
)
_LISTED = 8  # names of channels in a note
_TIFF = "TIFF", ("tif", "tiff")
_SIGNATURES: dict[bytes, tuple[str, tuple[str, ...]]] = {  # kinds of files, and their suffixes
    b"\x89PNG": ("PNG", ("png",)),
    b"\xff\xd8\xff": ("JPEG", ("jpg", "jpeg")),
    b"II*\0": _TIFF,
    b"MM\0*": _TIFF,
    b"\x93NUMPY": ("npy", ("npy",)),
    b"PK\3\4": ("zip or npz", ("npz",)),
    b"\x89HDF": ("HDF5", ("emd", "hspy", "nxs")),
    b"GWYP": ("gwy", ("gwy",)),
    b"GWYO": ("Gwyddion 1", ()),
    b"%PDF": ("PDF", ()),
}


def read(path: str | os.PathLike[str], channel: str | int | None = None) -> Scan | list[Scan]:
    """Read a scan from the file of a microscope, with its calibration.

    NumPy, TIFF and pictures are read as they are; files of electron and probe microscopes (dm3,
    dm4, emd, mrc, hspy, zspy, ser, emi, prz, nxs, blo; gwy, ibw, sxm, 3ds) take
    ``python -m pip install ".[io]"`` in a clone of phyvae.

    Parameters
    ----------
    path
        The file.
    channel
        Name or index of the channel of a file with several; by default the first one that is an
        image or a spectrum image.

    Returns
    -------
    Scan or list of Scan
        Of a stack a scan for each frame, named ``"movie.tif[3]"``; frames of npy, mrc and
        uncompressed TIFF files stay on disk until they are used.

    Raises
    ------
    FileNotFoundError, IsADirectoryError
        If there is no such file.
    ValueError
        If the file is damaged, empty or of another kind, or holds no image of a specimen: one
        spectrum, diffraction patterns, four-dimensional data; if it has no such channel.
    ImportError
        If the package for its format is not installed.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> import phyvae
    >>> path = Path(tempfile.mkdtemp()) / "scan.npz"
    >>> np.savez(path, image=np.eye(64), pixel_size=15.6, pixel_unit="pm")
    >>> phyvae.read(path)
    Scan('scan.npz', channel 'image', 64 x 64 px, pixel 0.0156 x 0.0156 nm)
    """
    return read_as(path, channel)


def read_as(
    path: Any, channel: Any = None, *, spectra: bool = False, name: str = "path"
) -> Scan | list[Scan]:
    """Read a file; see `read`, and `arrange` for spectra. The name is that of the argument."""
    file = _existing(path, name)
    recordings = _named(_recordings(file))
    names = tuple(one.channel for one in recordings)
    if channel is not None:
        chosen = _index(channel, names, file.name)
        return _described(arrange(recordings[chosen], file.name, spectra=spectra), names, chosen)
    first: Exception | None = None
    for k, recording in enumerate(recordings):
        try:
            found = arrange(recording, file.name, spectra=spectra)
        except (TypeError, ValueError) as error:
            first = first or error
        else:
            return _described(found, names, k)
    raise first or ValueError(f"{file.name} holds no image.")


def _existing(path: Any, name: str) -> Path:
    if not isinstance(path, str | os.PathLike) or not isinstance(os.fspath(path), str):
        raise TypeError(f"{name}={brief(path)} must be the path of a file.")
    file = Path(path).expanduser()
    if not os.fspath(path) or not file.exists():
        raise FileNotFoundError(f"{name}={os.fspath(path)!r}: there is no such file.")
    if file.is_dir() and file.suffix != ".zspy":
        raise IsADirectoryError(f"{name}={os.fspath(path)!r} is a folder; name a file in it.")
    return file


def _recordings(file: Path) -> list[Recording]:
    """Return the channels of a file."""
    suffix = file.suffix[1:].lower()
    if not suffix:
        raise ValueError(
            f"{file.name} has no suffix, by which its kind is known; rename it, such as "
            f"{file.name.strip('.')}.tif. These are read: {', '.join(_READERS)}."
        )
    if suffix not in _READERS:
        raise ValueError(
            f"{file.name} has a suffix that is not read; these are: {', '.join(_READERS)}. Load "
            "it with the program or package of its microscope, and pass the array."
        )
    if file.is_file() and file.stat().st_size == 0:
        raise ValueError(f"{file.name} is empty: 0 bytes.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _READERS[suffix](file)
    except (ImportError, MemoryError, PermissionError):
        raise
    except Exception as error:  # readers raise whatever they meet in a damaged file
        why = _why(file, suffix, str(error))
        raise ValueError(f"{file.name} cannot be read as {suffix}: {why}.") from None


def _why(file: Path, suffix: str, error: str) -> str:
    """Return why a file cannot be read, by its first bytes and by what NumPy has to object."""
    if suffix in ("npy", "npz") and ("Python objects" in error or "Object arrays" in error):
        return (
            "it holds Python objects, which can run any code; save an array of numbers, "
            "array.astype(float)"
        )
    start = b""
    if file.is_file():
        with file.open("rb") as opened:
            start = opened.read(8)
    for sign, (kind, suffixes) in _SIGNATURES.items():
        if start.startswith(sign) and suffix not in suffixes:
            return f"it begins as a {kind} file"
        if start.startswith(sign):
            return "it is truncated or damaged"
    return "it is damaged or of another kind"


def _named(recordings: list[Recording]) -> list[Recording]:
    """Give each of several channels a name of its own."""
    if len(recordings) < 2:
        return recordings
    named: list[Recording] = []
    for k, recording in enumerate(recordings):
        name = recording.channel or str(k)
        same = sum(one.channel.partition(" (")[0] == name for one in named)
        named.append(replace(recording, channel=f"{name} ({same + 1})" if same else name))
    return named


def _index(channel: Any, names: tuple[str, ...], file: str) -> int:
    if isinstance(channel, str) and channel in names:
        return names.index(channel)
    if is_integer(channel) and 0 <= channel < len(names):
        return int(channel)
    listed = ", ".join(map(repr, names))
    raise ValueError(
        f"channel={brief(channel)} is not one of {file}: {listed}, or 0 to {len(names) - 1}."
    )


def _described(found: Scan | list[Scan], names: tuple[str, ...], k: int) -> Scan | list[Scan]:
    """Add the list of channels to scans."""
    if isinstance(found, list):
        return [_with_channels(scan, names, k) for scan in found]
    return _with_channels(found, names, k)


def _with_channels(scan: Scan, names: tuple[str, ...], k: int) -> Scan:
    if len(names) == 1:
        return replace(scan, channels=names if names[0] else ())
    others = [repr(name) for i, name in enumerate(names) if i != k]
    rest = f" and {len(others) - _LISTED} more" if len(others) > _LISTED else ""
    note = f"channel {names[k]!r}; the file also holds {', '.join(others[:_LISTED])}{rest}"
    return replace(scan, channels=names, notes=(*scan.notes, note))
