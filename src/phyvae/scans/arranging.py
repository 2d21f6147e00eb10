"""Recordings brought to scans: axes in order, pixel sizes in nm, stacks as frames."""

from dataclasses import replace
from typing import Any

import numpy as np

from .._checks import as_real
from .recording import Axis, Recording
from .scan import Scan

__all__ = ["CURE", "arrange", "real_of"]

CURE = "; pass the magnitude, the phase or the real part of complex data"


def real_of(values: Any, name: str) -> np.ndarray:
    """Return a real array, NaN where masked; of a memory map nothing is read."""
    return as_real(values, name, CURE, masked=np.nan)


def arrange(recording: Recording, name: str, *, spectra: bool = False) -> Scan | list[Scan]:
    """Return the scan of a recording, or a scan for each frame of a stack.

    recording: Numbers with two axes, or three: of these one is spectral, or counts frames.
    name: Name of the scan, and of errors.
    spectra: Take the third axis for spectral, whatever it is; without names, the last one.

    Raises ValueError if it has another number of axes, is empty or in reciprocal space, or has
    axes of unknown kind; TypeError if it is not real.
    """
    recording = _without_single(recording)
    axes, shape = recording.axes, np.shape(recording.data)
    if 0 in shape:
        raise ValueError(f"{name} is empty, shape {shape}.")
    if len(axes) == 3:
        third = _third(axes, name, spectra)
        inner = [k for k in range(3) if k != third]
        is_spectral = spectra or _is_spectral(axes[third], name)
    elif len(axes) == 2 and _is_image(*axes):
        third, inner, is_spectral = -1, [0, 1], False
    else:
        raise ValueError(_of_other_axes(len(axes), shape, name))
    if axes[inner[0]].is_across or axes[inner[1]].is_downwards:
        inner.reverse()
    reciprocal = [axes[k].unit for k in inner if axes[k].kind == "reciprocal"]
    if reciprocal:
        raise ValueError(
            f"{name} has axes in {reciprocal[0]}: a diffraction pattern or transform, and no "
            "scan of a specimen; choose an image in real space."
        )
    scan = _calibrated(recording, [axes[k] for k in inner], name)
    data = real_of(recording.data, name)
    if third < 0:
        return replace(scan, image=np.transpose(data, inner))
    if is_spectral:
        cube = np.transpose(data, [*inner, third])
        values = axes[third].at(cube.shape[2])
        return replace(
            scan,
            image=cube.mean(2, dtype=np.float64),
            cube=cube,
            axis=None if values is None or values.shape != cube.shape[2:] else values,
            axis_unit=axes[third].unit,
        )
    frames = np.transpose(data, [third, *inner])
    return [replace(scan, image=frames[k], name=f"{name}[{k}]") for k in range(len(frames))]


def _without_single(recording: Recording) -> Recording:
    """Drop axes of length one, but those of a position, while there are more than two."""
    shape, kept = np.shape(recording.data), list(range(len(recording.axes)))
    for k in list(kept):
        if len(kept) > 2 and shape[k] == 1 and recording.axes[k].kind != "length":
            kept.remove(k)
    if len(kept) == len(shape):
        return recording
    data = recording.data.reshape([shape[k] for k in kept])
    return replace(recording, data=data, axes=tuple(recording.axes[k] for k in kept))


def _is_image(first: Axis, second: Axis) -> bool:
    along = {first.kind, second.kind} & {"spectral", "frame"}
    return not along and first.is_signal == second.is_signal


def _third(axes: tuple[Axis, ...], name: str, spectra: bool) -> int:
    """Return which of three axes is no axis of the image."""
    for chosen in (
        [k for k in range(3) if axes[k].kind in ("spectral", "frame")],
        [k for k in range(3) if [axis.is_signal for axis in axes].count(axes[k].is_signal) == 1],
        [k for k in range(3) if axes[k].kind not in ("length", "reciprocal")],
    ):
        if len(chosen) == 1:
            return chosen[0]
    if all(axis.kind == "" for axis in axes):
        return 2 if spectra else 0
    names = ", ".join(repr(axis.name) for axis in axes)
    raise ValueError(
        f"{name} has the axes {names}, of which two must be y and x, and one spectral or frames; "
        'name them so: "y", "x", and "energy" or "time".'
    )


def _is_spectral(axis: Axis, name: str) -> bool:
    if axis.kind in ("spectral", "frame"):
        return axis.kind == "spectral"
    if axis.is_signal is None and axis.name:
        raise ValueError(
            f"{name}: whether the axis {axis.name!r} is spectral or counts frames is unknown; "
            'name it "energy", "bias" or "channel" of spectra, "time" or "frame" of a stack.'
        )
    return bool(axis.is_signal)


def _of_other_axes(count: int, shape: tuple[int, ...], name: str) -> str:
    if count > 3:
        return (
            f"{name} has shape {shape}, but must be one image, a stack of images or a spectrum "
            "image. Of four-dimensional data make an image with a virtual detector: sum each "
            "pattern over the pixels of a detector, data[:, :, detector].sum(-1), where detector "
            "is a bool array of a pattern's shape; of several stacks take one."
        )
    what = ("one number", "one spectrum", "a line of spectra or curves")[count]
    return f"{name} is {what}, shape {shape}, and no image; spectra must lie on a raster."


def _calibrated(recording: Recording, axes: list[Axis], name: str) -> Scan:
    """Return a scan without its image."""
    (down, why_down), (across, why_across) = (axis.step() for axis in axes)
    notes, why = recording.notes, why_down or why_across
    if why:
        notes = (*notes, f"no pixel size: {why}")
    size = None if down is None or across is None else (down, across)
    return Scan(
        np.empty((0, 0)),
        size,
        name=name,
        channel=recording.channel,
        metadata=recording.metadata,
        notes=notes,
    )
