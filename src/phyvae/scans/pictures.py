"""Pictures: PNG, JPEG, BMP and others, whose colours become luminance."""

from pathlib import Path
from typing import Any

import numpy as np

from .recording import Recording, plain

__all__ = ["from_picture", "luminance", "read_picture"]


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
