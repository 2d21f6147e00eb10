"""Images of pictures' files and of NumPy's."""

from pathlib import Path
from typing import Any

import numpy as np

from .recording import Axis, Recording, plain

__all__ = ["from_picture", "luminance", "read_npy", "read_npz", "read_picture"]

_ABOUT = ("axis", "axis_unit", "pixel_size", "pixel_unit")


def luminance(colours: np.ndarray) -> tuple[np.ndarray, str]:
    """Return the intensities of colours on the last axis, and in words what was done."""
    if colours.shape[-1] not in (3, 4):
        return colours[..., 0], "second channel (opacity) left out"
    rgb = colours[..., :3]
    if (rgb == rgb[..., :1]).all():
        return np.ascontiguousarray(rgb[..., 0]), "grey stored as colour: one channel taken"
    # ITU-R BT.709, in the units of the file.
    values = rgb @ np.array([0.2126, 0.7152, 0.0722])
    return values, "colours became luminance (0.2126 R + 0.7152 G + 0.0722 B)"


def from_picture(picture: Any) -> Recording:
    """Return the recording of a PIL image; of an animation, its frames."""
    from PIL import ImageSequence

    if getattr(picture, "n_frames", 1) == 1:
        return plain(*_intensities(picture))
    frames = [_intensities(frame) for frame in ImageSequence.Iterator(picture)]
    return plain(np.stack([frame[0] for frame in frames]), *frames[0][1:])


def read_picture(path: Path) -> list[Recording]:
    """Read a picture; its dots per inch are those of a screen or a page, and no calibration."""
    from PIL import Image

    with Image.open(path) as picture:
        return [from_picture(picture)]


def _intensities(picture: Any) -> tuple[np.ndarray, *tuple[str, ...]]:
    if picture.mode in ("P", "PA", "CMYK", "YCbCr", "LAB", "HSV"):
        picture = picture.convert("RGB")
    values = np.asarray(picture)
    return (values,) if values.ndim == 2 else luminance(values)


def read_npy(path: Path) -> list[Recording]:
    """Read an array: an image, frames (n, height, width), or colours; a stack stays on disk."""
    return [_unnamed(np.load(path, mmap_mode="r", allow_pickle=False))]


def read_npz(path: Path) -> list[Recording]:
    """Read arrays as channels, with the calibration that the file has for all of them.

    `cube` is a spectrum image with the values `axis`, `axis_unit`; other arrays of two or more
    axes are images or stacks. `pixel_size` is one number or two, (y, x), in `pixel_unit`.
    """
    # NumPy leaves a truncated file open that it has opened itself.
    with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
        arrays = {name: file[name] for name in file.files}
    metadata = {name: value.item() for name, value in arrays.items() if value.ndim == 0}
    size = np.broadcast_to(arrays.get("pixel_size", np.nan), 2).astype(np.float64)
    unit = str(metadata.get("pixel_unit", ""))
    scales = [None if np.isnan(scale) else float(scale) for scale in size]
    position = Axis("y", unit, scales[0]), Axis("x", unit, scales[1])
    length = Axis(
        "spectral", str(metadata.get("axis_unit", "")), values=arrays.get("axis"), is_signal=True
    )
    channels = []
    for name, array in arrays.items():
        if name in _ABOUT or array.ndim < 2 or array.dtype.kind not in "buifc":
            continue
        recording = Recording(array, (*position, length)) if name == "cube" else _unnamed(array)
        axes = recording.axes if name == "cube" else (*recording.axes[:-2], *position)
        channels.append(Recording(recording.data, axes, name, metadata, recording.notes))
    return channels


def _unnamed(array: np.ndarray) -> Recording:
    if array.ndim == 3 and array.shape[2] in (3, 4) and array.shape[0] > 4:
        return plain(*luminance(array))
    if array.ndim != 3:
        # One image is read: its file can be replaced or removed.
        return plain(np.array(array))
    note = f"frames of {array.shape[1]} x {array.shape[2]} px along the first of three axes"
    return plain(array, note)
