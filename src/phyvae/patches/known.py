"""Patches with known values such as classes: the input of a model."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from .._checks import as_real

__all__ = ["Patches", "as_known"]


@dataclass(frozen=True)
class Patches:
    """Patches, one row each, and the values that `PatchGrid.with_known` gave them, if any.

    Attributes
    ----------
    pixels
        Shape (n, *patch_shape).
    known
        Shape (n, values), NaN where unknown; ``None`` if the grid comes without known values.
    """

    pixels: Float[Tensor, "n *patch"]
    known: Float[Tensor, "n values"] | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Tensor) -> "Patches":
        return Patches(self.pixels[index], None if self.known is None else self.known[index])

    @property
    def flat(self) -> Float[Tensor, "n pixels"]:
        """The pixels of each patch in a row."""
        return self.pixels.flatten(1)

    def showing(self, pixels: Float[Tensor, "n *patch"]) -> "Patches":
        """Return other pixels with the same known values."""
        return replace(self, pixels=pixels)


def as_known(values: Any, shape: tuple[int, int]) -> Float[np.ndarray, "cells values"]:
    """Check the known values of a grid; return a row per cell, NaN where unknown."""
    array = as_real(values, "values", masked="missing")
    if array.shape[:2] != shape or array.ndim not in (2, 3):
        raise ValueError(
            f"values has shape {array.shape}, but the grid is {shape}; pass an array of "
            "shape (rows, cols) or (rows, cols, n)."
        )
    numbers = array.reshape(shape[0] * shape[1], -1).astype(np.float32)
    if np.isinf(numbers).any():
        raise ValueError("values holds Inf; NaN stands for unknown values.")
    if array.dtype.kind in "iu":
        if array.min() < -1:
            raise ValueError(
                f"values holds {array.min()}, but whole numbers are classes >= 0, or -1 where "
                "unknown; properties are floats: values.astype(float)."
            )
        numbers[numbers < 0] = np.nan
    return numbers
