"""Masks of pixels: which show the specimen, and which patches and windows do so by half."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from .._checks import as_array, as_mask
from ..scans.faults import filled
from ..scans.intensities import as_scan
from ..scans.objects import image_of

__all__ = ["Mask", "masked", "mostly", "specimen_of"]

Mask = Bool[np.ndarray, "height width"]
_SHARE = 0.5  # of a patch's pixels


def specimen_of(
    image: Any, mask: Any, name: str = "image", mask_name: str = "mask"
) -> tuple[np.ndarray, Mask | None, np.ndarray]:
    """Return a checked scan, its mask, and the intensities of its specimen.

    Pixels that show no specimen are replaced by the mean of those around them.
    """
    image, specimen = masked(image_of(image, name), mask, name, mask_name)
    array = as_scan(image, name)
    if specimen is None:
        return array, None, array
    return filled(array.astype(np.float64), ~specimen), specimen, array[specimen]


def masked(image: Any, mask: Any, name: str, mask_name: str = "mask") -> tuple[Any, Mask | None]:
    """Return an image without the NaN that its mask hides, and the mask."""
    if mask is None:
        return image, None
    array = as_array(image, name)
    what = "True where a pixel shows the specimen: phyvae.survey(image).mask"
    specimen = as_mask(mask, array.shape[:2], what, mask_name)
    if not specimen.any():
        raise ValueError(
            f"{mask_name} is False at every pixel: no specimen is left; is it inverted?"
        )
    if array.dtype.kind == "f" and array.ndim > 1:
        hidden = ~specimen.reshape(specimen.shape + (1,) * (array.ndim - 2)) & ~np.isfinite(array)
        if hidden.any():
            array = np.where(hidden, np.nanmedian(array[specimen]), array)
    return array, specimen


def mostly(specimen: Mask, shape: tuple[int, ...]) -> Bool[Tensor, "ys xs"]:
    """Return at which pixels a window of a shape shows the specimen by half or more."""
    sums = np.pad(specimen.astype(np.int64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    height, width = shape
    count = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
    count = count + sums[:-height, :-width]
    return torch.from_numpy(count >= _SHARE * height * width)
