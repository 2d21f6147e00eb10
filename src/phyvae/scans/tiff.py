"""TIFF files: ImageJ, OME, DigitalMicrograph and plain ones, through tifffile."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np

from .pictures import luminance
from .recording import Axis, Recording, nanometres

__all__ = ["read_tiff"]

_DM_UNITS = {"x": 65003, "y": 65004}
_DM_SCALES = {"x": 65009, "y": 65010}
_RESOLUTIONS = {"x": "XResolution", "y": "YResolution"}
_PRINTED = 10e3  # nm: pixels as large or larger are those of a screen (72 dpi) or a page (600 dpi)

Calibration = dict[str, tuple[float, str]]  # step and unit by axis


def read_tiff(path: Path) -> list[Recording]:
    """Read each series of a file, or each of its channels; an uncompressed stack stays on disk."""
    import tifffile

    with tifffile.TiffFile(path) as file:
        metadata = _metadata(file)
        images = _ome_images(file)
        found: list[Recording] = []
        for k, series in enumerate(file.series):
            image = images[k] if k < len(images) else {}
            scales = image or _calibration(file, series.keyframe.tags)
            names = _channel_names(file, k)
            is_stack = len(series.shape) > 2 and series.dataoffset is not None
            data = tifffile.memmap(path, series=k, mode="r") if is_stack else series.asarray()
            found += _channels(data, series.axes, scales, names, metadata)
    return found


def _channels(
    data: np.ndarray, axes: str, scales: Calibration, names: list[str], metadata: dict[str, Any]
) -> Iterator[Recording]:
    """Yield the channels of a series; axes are tifffile's letters, S of samples, C of channels."""
    notes: tuple[str, ...] = ()
    if "S" in axes:
        data, note = luminance(np.moveaxis(data, axes.index("S"), -1))
        axes, notes = axes.replace("S", ""), (note,)
    if "C" not in axes:
        yield Recording(data, _named(axes, scales), "", metadata, notes)
        return
    place = axes.index("C")
    rest = _named(axes.replace("C", ""), scales)
    for k in range(data.shape[place]):
        name = names[k] if k < len(names) and names[k] else f"channel {k}"
        one = data[(slice(None),) * place + (k,)]
        # One image is read: its file can be replaced or removed.
        yield Recording(one if one.ndim > 2 else np.array(one), rest, name, metadata, notes)


def _named(letters: str, scales: Calibration) -> tuple[Axis, ...]:
    """Return axes; those that are no rows or columns count frames."""
    named = []
    for letter in letters.lower():
        scale, unit = scales.get(letter, (None, ""))
        named.append(Axis(letter if letter in "yx" else "frame", unit, scale))
    return tuple(named)


def _calibration(file: Any, tags: Any) -> Calibration:
    """Return steps in the units of ImageJ, DigitalMicrograph, or per cm or inch."""
    found: Calibration = {}
    unit = str((file.imagej_metadata or {}).get("unit", ""))
    base = {2: "inch", 3: "cm"}.get(_value(tags, "ResolutionUnit"), "")
    for axis, name in _RESOLUTIONS.items():
        if _DM_SCALES[axis] in tags:
            found[axis] = float(_value(tags, _DM_SCALES[axis])), _text(tags, _DM_UNITS[axis])
            continue
        numerator, denominator = _value(tags, name) or (0, 0)
        if not numerator:
            continue
        step = denominator / numerator
        given = unit if file.is_imagej else base
        printed = given in ("inch", "cm") and step * (nanometres(given) or 0) >= _PRINTED
        if given and not printed:
            found[axis] = step, given
    return found


def _ome_images(file: Any) -> list[Calibration]:
    """Return the calibration of each image of OME metadata."""
    return [
        {
            axis: (float(pixels[key]), pixels.get(f"{key}Unit", "µm"))
            for axis, key in (("x", "PhysicalSizeX"), ("y", "PhysicalSizeY"))
            if key in pixels
        }
        for pixels in (element.attrib for element in _elements(file, "Pixels"))
    ]


def _channel_names(file: Any, k: int) -> list[str]:
    return [
        str(element.get("Name", ""))
        for image in _elements(file, "Pixels")[k : k + 1]
        for element in image.iter()
        if element.tag.endswith("}Channel")
    ]


def _elements(file: Any, name: str) -> list[Any]:
    if not file.is_ome:
        return []
    root = ElementTree.fromstring(file.ome_metadata)
    return [element for element in root.iter() if element.tag.endswith(f"}}{name}")]


def _metadata(file: Any) -> dict[str, Any]:
    """Return the texts of the first page, and ImageJ's."""
    known = {tag.name: tag.value for tag in file.pages[0].tags if isinstance(tag.value, str)}
    return known | (file.imagej_metadata or {})


def _value(tags: Any, key: str | int) -> Any:
    tag = tags.get(key)
    return None if tag is None else tag.value


def _text(tags: Any, key: int) -> str:
    value = _value(tags, key)
    return value if isinstance(value, str) else ""
