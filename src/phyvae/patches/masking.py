"""Masks of pixels: which show the specimen, and which patches and windows do so by half."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Bool
from torch import Tensor

from .._checks import as_array, as_mask
from ..scans.faults import filled

__all__ = ["as_specimen", "masked", "mostly", "without_rest"]

_SHARE = 0.5  # of a patch's pixels


def as_specimen(mask: Any, shape: tuple[int, ...]) -> Bool[np.ndarray, "height width"]:
    """Check that a mask has a bool for each pixel, and is True somewhere."""
    specimen = as_mask(
        mask, shape, "True where a pixel shows the specimen: phyvae.survey(image).mask"
    )
    if not specimen.any():
        raise ValueError("mask is False at every pixel: no specimen is left; is it inverted?")
    return specimen


def masked(
    image: Any, mask: Any, name: str
) -> tuple[Any, Bool[np.ndarray, "height width"] | None]:
    """Return an image without the NaN that its mask hides, and the mask."""
    if mask is None:
        return image, None
    array = as_array(image, name)
    specimen = as_specimen(mask, array.shape[:2])
    if array.dtype.kind == "f" and array.ndim > 1:
        hidden = ~specimen.reshape(specimen.shape + (1,) * (array.ndim - 2)) & ~np.isfinite(array)
        if hidden.any():
            array = np.where(hidden, np.nanmedian(array[specimen]), array)
    return array, specimen


def without_rest(array: np.ndarray, specimen: Bool[np.ndarray, "height width"]) -> np.ndarray:
    """Replace pixels that show no specimen by the mean of those around them."""
    return filled(array.astype(np.float64), ~specimen)


def mostly(
    specimen: Bool[np.ndarray, "height width"], shape: tuple[int, ...]
) -> Bool[Tensor, "ys xs"]:
    """Return at which pixels a window of a shape shows the specimen by half or more."""
    sums = np.pad(specimen.astype(np.int64), ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    height, width = shape
    count = sums[height:, width:] - sums[:-height, width:] - sums[height:, :-width]
    count = count + sums[:-height, :-width]
    return torch.from_numpy(count >= _SHARE * height * width)
