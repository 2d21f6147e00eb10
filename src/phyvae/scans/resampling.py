"""A scan at the pixel size of another one."""

from dataclasses import replace

import numpy as np

from .scan import Scan

__all__ = ["at_pixel_size"]

_SAME = 0.01  # by which pixel sizes may differ: a quarter of a pixel along a patch of 24


def at_pixel_size(scan: Scan, wanted: tuple[float, float] | None, *, resample: bool) -> Scan:
    """Return a scan that has a pixel size, resampled to it where that is allowed.

    Raises ValueError if the pixel size is another one, or one of both is not calibrated.
    """
    own = scan.pixel_size
    if own is None and wanted is None:
        return scan
    if own is not None and wanted is not None:
        if np.allclose(own, wanted, rtol=_SAME, atol=0):
            return scan
        if resample:
            return _resampled(scan, own, wanted)
        cure = "pass resample=True"
    else:
        cure = "if they are equal, give both: phyvae.Scan(image, pixel_size=(y, x)), nm"
    raise ValueError(
        f"scan {scan.name!r} has {_shown(own)}, but the model was trained on {_shown(wanted)}, "
        f"and patches must show equal lengths; {cure}."
    )


def _resampled(scan: Scan, own: tuple[float, float], wanted: tuple[float, float]) -> Scan:
    factor = (own[0] / wanted[0], own[1] / wanted[1])
    note = f"resampled from pixels of {own[0]:.4g} x {own[1]:.4g} nm"
    cube = None if scan.cube is None else _rescaled(scan.cube, factor)
    return replace(
        scan,
        image=_rescaled(scan.image, factor),
        cube=cube,
        pixel_size=wanted,
        notes=(*scan.notes, note),
    )


def _rescaled(values: np.ndarray, factor: tuple[float, float]) -> np.ndarray:
    """Return values at another number of pixels, smoothed before there are fewer; NaN stays."""
    from skimage.transform import rescale

    values = values.astype(np.float64)
    axis = None if values.ndim == 2 else -1
    gaps = ~np.isfinite(values)
    known = np.where(gaps, np.median(values[~gaps]), values) if gaps.any() else values
    scaled: np.ndarray = rescale(known, factor, anti_aliasing=True, channel_axis=axis)
    if gaps.any():
        share = rescale(gaps.astype(np.float64), factor, anti_aliasing=True, channel_axis=axis)
        scaled[share > 0.5] = np.nan
    return scaled


def _shown(pixel_size: tuple[float, float] | None) -> str:
    if pixel_size is None:
        return "no pixel size"
    return f"pixels of {pixel_size[0]:.4g} x {pixel_size[1]:.4g} nm"
