"""How patches are cut from an image: at regular steps, or centred on sites."""

import math
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .._checks import as_pair
from .masking import Mask, mostly
from .windows import windows_of

__all__ = ["RasterCrops", "SiteCrops", "patch_shape_of"]


@dataclass(frozen=True, eq=False)
class RasterCrops:
    """Patches at regular steps, a strided view of the image.

    shape: (rows, cols) of the grid.
    patch_shape: (height, width) of a patch, px, or (length,) of a spectrum.
    step: Distance of neighbouring patches along rows and columns, px.
    filled: Which cells hold a patch, bool, shape (rows, cols); ``None`` if all do.
    """

    shape: tuple[int, int]
    patch_shape: tuple[int, ...]
    step: tuple[int, int]
    filled: Bool[Tensor, "rows cols"] | None = None

    @classmethod
    def over(cls, image_shape: tuple[int, ...], size: Any, step: Any) -> "RasterCrops":
        """Return as many patches as fit into an image; the default step is half a patch."""
        height, width = patch_shape_of(size, image_shape)
        if step is None:
            step = (max(1, height // 2), max(1, width // 2))
        steps = as_pair(step, "step")
        rows, cols = (image_shape[k] - (height, width)[k] for k in (0, 1))
        return cls((rows // steps[0] + 1, cols // steps[1] + 1), (height, width), steps)

    @classmethod
    def of_spectra(cls, cube_shape: tuple[int, ...], step: Any) -> "RasterCrops":
        """Return one patch for each spectrum, or for every `step`-th one."""
        rows, cols, length = cube_shape
        steps = as_pair(step, "step")
        return cls(((rows - 1) // steps[0] + 1, (cols - 1) // steps[1] + 1), (length,), steps)

    def showing(self, specimen: Mask | None) -> "RasterCrops":
        """Return the same patches, less those that show a specimen by less than a half.

        Raises ValueError if no patch is left.
        """
        if specimen is None:
            return self
        windows = mostly(specimen, self.area)
        filled = windows[:: self.step[0], :: self.step[1]]
        if not filled.any():
            raise ValueError(
                f"mask leaves no patch: none of {self.area[0]} x {self.area[1]} px shows the "
                "specimen by half; choose smaller patches, or look at the mask."
            )
        return self if filled.all() else replace(self, filled=filled)

    @property
    def area(self) -> tuple[int, int]:
        """(height, width) of a patch in the image, px: that of a spectrum is one pixel."""
        height, width = self.patch_shape if len(self.patch_shape) == 2 else (1, 1)
        return height, width

    @property
    def indices(self) -> Int[Tensor, " n"]:
        """Flat indices of the cells that hold a patch, ascending."""
        if self.filled is None:
            return torch.arange(math.prod(self.shape))
        return self.filled.flatten().nonzero()[:, 0]

    def patches(self, image: Float[Tensor, "..."]) -> Float[Tensor, "rows cols *patch"]:
        """Return all patches as a view of the image."""
        if len(self.patch_shape) == 1:
            return image[:: self.step[0], :: self.step[1]]
        (height, width), (dy, dx) = self.patch_shape, self.step
        return image.unfold(0, height, dy).unfold(1, width, dx)

    def gather(
        self, image: Float[Tensor, "..."], index: Int[Tensor, " n"]
    ) -> Float[Tensor, "n *patch"]:
        """Return copies of the patches at flat grid indices."""
        index = index.to(image.device)
        return self.patches(image)[index // self.shape[1], index % self.shape[1]]

    @property
    def centers(self) -> Float[np.ndarray, "rows cols 2"]:
        """Centre (y, x) of each patch, px."""
        y, x = (
            np.arange(n) * step + (size - 1) / 2
            for n, step, size in zip(self.shape, self.step, self.area, strict=True)
        )
        return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)

    def coverage(self, image_shape: tuple[int, ...]) -> float:
        """Return the share of an image's pixels that lie in a patch."""
        covered = [
            (n - 1) * min(step, size) + size
            for n, step, size in zip(self.shape, self.step, self.area, strict=True)
        ]
        return math.prod(covered) / math.prod(image_shape[:2])

    def at_whole_pixels(self) -> "RasterCrops":
        """Return the same patches: they lie at whole pixels."""
        return self


@dataclass(frozen=True, eq=False)
class SiteCrops:
    """Patches centred on sites, copied when they are asked for.

    shape, patch_shape, step: As for `RasterCrops`; `step` is the rounded spacing of the sites.
    corners: Corner (y, x) of the patch in each cell, px, float64, shape (rows * cols, 2); 0 if
        empty.
    filled: Which cells hold a patch, shape (rows * cols,).
    subpixel: Whether corners lie between pixels, and the image is interpolated by cubic splines.
    """

    shape: tuple[int, int]
    patch_shape: tuple[int, ...]
    step: tuple[int, int]
    corners: Float[Tensor, "cells 2"]
    filled: Bool[Tensor, " cells"]
    subpixel: bool = False
    _cache: dict[str, tuple[Tensor, Tensor]] = field(default_factory=dict, init=False, repr=False)

    @property
    def indices(self) -> Int[Tensor, " n"]:
        """Flat indices of the cells that hold a patch, ascending."""
        return self.filled.nonzero()[:, 0]

    def patches(self, image: Float[Tensor, "..."]) -> Float[Tensor, "rows cols *patch"]:
        """Return a copy of all patches, with zeros in empty cells."""
        every = self.gather(image, torch.arange(len(self.filled)))
        return every.reshape(*self.shape, *self.patch_shape)

    def gather(
        self, image: Float[Tensor, "..."], index: Int[Tensor, " n"]
    ) -> Float[Tensor, "n *patch"]:
        """Return copies of the patches at flat grid indices, zeros for empty cells."""
        index = index.cpu()
        filled = self.filled[index].to(image.device)[:, None, None]
        corners = self.corners[index]
        whole = corners.floor().long().to(image.device)
        if not self.subpixel:
            return windows_of(image, self.patch_shape)[whole[:, 0], whole[:, 1]] * filled
        height, width = self.patch_shape
        windows = windows_of(self._spline(image), (height + 3, width + 3))
        around = windows[whole[:, 0], whole[:, 1]]
        # All pixels of a patch lie equally far between pixels: four weights along either axis.
        y, x = _cubic((corners - corners.floor()).to(around)).unbind(1)
        lines = torch.stack([y[:, k, None, None] * around[:, k : k + height] for k in range(4)])
        across = lines.sum(0)
        patches = torch.stack([x[:, k, None, None] * across[..., k : k + width] for k in range(4)])
        # Splines overshoot at edges; a Bernoulli decoder needs [0, 1].
        return patches.sum(0).clamp(image.min(), image.max()) * filled

    def _spline(self, image: Float[Tensor, "height width"]) -> Float[Tensor, "tall wide"]:
        """Return the cubic B-spline coefficients of an image, mirrored past its border."""
        kept = self._cache.get("spline")
        if kept is None or kept[0] is not image:
            from scipy.ndimage import spline_filter

            values = spline_filter(image.double().cpu().numpy(), order=3, mode="mirror")
            padded = np.pad(values, ((1, 2), (1, 2)), mode="reflect")
            kept = (image, torch.from_numpy(padded).to(image.device, torch.float32))
            self._cache["spline"] = kept
        return kept[1]

    @property
    def centers(self) -> Float[np.ndarray, "rows cols 2"]:
        """Centre (y, x) of each patch, px, NaN where a cell is empty."""
        centers = self.corners.numpy() + (np.array(self.patch_shape) - 1) / 2
        centers[~self.filled.numpy()] = np.nan
        return centers.reshape(*self.shape, 2)

    def coverage(self, image_shape: tuple[int, ...]) -> float:
        """Return the share of an image's pixels that lie in a patch."""
        # Each patch adds 1 at its first corner and takes it back past its sides.
        edges = np.zeros(np.add(image_shape, 2), np.int64)
        corners = np.floor(self.corners[self.filled].numpy() + 0.5).astype(int)
        for sign, offset in ((1, (0, 0)), (-1, (1, 0)), (-1, (0, 1)), (1, (1, 1))):
            np.add.at(edges, tuple((corners + np.multiply(offset, self.patch_shape)).T), sign)
        covered = edges.cumsum(0).cumsum(1)[:-2, :-2] > 0
        return float(covered.mean())

    def at_whole_pixels(self) -> "SiteCrops":
        """Return the same patches, to the nearest pixel."""
        nearest = (self.corners + 0.5).floor()
        return SiteCrops(self.shape, self.patch_shape, self.step, nearest, self.filled)


def patch_shape_of(size: Any, image_shape: tuple[int, ...]) -> tuple[int, int]:
    """Check that patches of a size fit into an image; return their height and width."""
    height, width = as_pair(size, "size", minimum=2)
    if height > image_shape[0] or width > image_shape[1]:
        raise ValueError(
            f"size={size} px exceeds the image, {image_shape[0]} x {image_shape[1]} px; "
            "choose smaller patches."
        )
    return height, width


def _cubic(t: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2 4"]:
    """Return the weights of four neighbouring coefficients, at t in [0, 1) past the second."""
    s = 1 - t
    middle = (2 / 3 - t**2 * (1 - t / 2), 2 / 3 - s**2 * (1 - s / 2))
    return torch.stack([s**3 / 6, *middle, t**3 / 6], dim=2)
