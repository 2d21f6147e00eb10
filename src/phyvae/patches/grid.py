"""A grid of patches over an image, seen through strides: no patch is ever copied.

Of patches on sites, which no stride reaches, `site_grid` has the grid.
"""

import copy
import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .._checks import as_device
from ..scans.intensities import checked, limits_of, scaled
from .graph import SiteGraph
from .known import Patches

__all__ = ["PatchGrid", "pair"]


class PatchGrid:
    """Patches of an image at regular steps, one latent-map pixel each.

    Patch ``(i, j)`` has its top left corner at pixel ``(i * step, j * step)``. The patches are a
    strided view of the image, so a 2048 x 2048 image at step 1 opens at once and takes the memory
    of one image, not of four million patches.

    Parameters
    ----------
    image
        One scan, shape (height, width), any real dtype, NumPy array or tensor.
    size
        Patch height and width, px; one number for square patches. About two lattice constants,
        or a little more, works well.
    step
        Distance of neighbouring patches along rows and columns, px, >= 1; one number for both.
        The default is half the patch size. A step larger than the patch is allowed: the pixels
        between patches are then skipped, as `coverage` says.
    percentiles
        The percentiles of the image that become 0 and 1. The default (0, 100) is the full range,
        so nothing is clipped; narrower ones saturate the tails (useful against hot pixels).
        ``None`` leaves the intensities as they are.

    Attributes
    ----------
    image : Tensor
        The scaled image, float32, shape (height, width); for spectra (rows, cols, length).
    shape : tuple of int
        (rows, cols) of the grid, hence of every latent map.
    patch_shape : tuple of int
        (height, width) of a patch, px, or (length,) of a spectrum.
    step : tuple of int
        Step along rows and columns, px.
    mask : Tensor or None
        Which cells hold a patch, bool, shape (rows, cols); ``None`` on a raster: all do.
    graph : SiteGraph or None
        Which patches are neighbours, where sites have no lattice; else ``None``.
    limits : tuple of float
        Intensities of the original image that became 0 and 1.
    coverage : float
        Share of the image's pixels that lie in a patch, in (0, 1]. Pixels are left out at the
        lower and right rim, where no whole patch fits, and between patches if `step` exceeds
        `size`.

    Raises
    ------
    ValueError
        If the image is not two-dimensional, holds NaN or Inf, or is constant; if a patch does not
        fit into it; if ``step`` or ``percentiles`` make no sense.
    TypeError
        If the image is not real-valued.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> image = np.random.default_rng(0).random((100, 80))
    >>> grid = phyvae.PatchGrid(image, size=24, step=8)
    >>> grid
    PatchGrid(shape=(10, 8), patch_shape=(24, 24), step=(8, 8), coverage=0.96)
    >>> grid.patches.shape
    torch.Size([10, 8, 24, 24])
    """

    image: Float[Tensor, "..."]
    shape: tuple[int, int]
    patch_shape: tuple[int, ...]
    step: tuple[int, int]
    limits: tuple[float, float]
    mask: Bool[Tensor, "rows cols"] | None = None
    graph: SiteGraph | None = None
    known: Float[Tensor, "cells values"] | None = None

    def __init__(
        self,
        image: Any,
        size: int | tuple[int, int],
        step: int | tuple[int, int] | None = None,
        *,
        percentiles: tuple[float, float] | None = (0.0, 100.0),
    ) -> None:
        array = checked(image, "image")
        if array.ndim != 2:
            raise ValueError(
                f"image has shape {array.shape}, but a scan is (height, width). Take one channel "
                "of a colour image, one frame of a stack; a spectrum image (rows, cols, length) "
                "goes to PatchGrid.from_spectra."
            )
        height, width = pair(size, "size", minimum=2)
        if height > array.shape[0] or width > array.shape[1]:
            raise ValueError(
                f"size={size} px exceeds the image, {array.shape[0]} x {array.shape[1]} px; "
                "choose smaller patches."
            )
        self.step = (
            (max(1, height // 2), max(1, width // 2)) if step is None else pair(step, "step")
        )
        self.patch_shape = (height, width)
        self.shape = (
            (array.shape[0] - height) // self.step[0] + 1,
            (array.shape[1] - width) // self.step[1] + 1,
        )
        self.limits = limits_of(array, percentiles)
        self.image = scaled(array, percentiles, self.limits)

    @classmethod
    def from_spectra(
        cls,
        cube: Any,
        step: int | tuple[int, int] = 1,
        *,
        percentiles: tuple[float, float] | None = (0.0, 100.0),
    ) -> "PatchGrid":
        """Return the grid of a spectrum image: one spectrum is one patch.

        The spectral axis is the last one. Nothing in the numbers tells an image axis from a
        spectral one, so a cube with other axes passes unseen unless its last axis is very short:
        move the axis first, as in ``np.moveaxis(cube, 0, -1)`` for (length, rows, cols), and look
        at ``phyvae.plot_patches(grid)``.

        Parameters
        ----------
        cube
            Spectra on a raster (EELS, hysteresis loops), shape (rows, cols, length), real, at
            least 5 points long.
        step
            Take every ``step``-th pixel along rows and columns.
        percentiles
            As for an image, over the whole cube.

        Raises
        ------
        ValueError
            If the cube has other axes or a last axis of fewer than 5 points, as a colour image
            has; else as for an image.

        Examples
        --------
        >>> import numpy as np
        >>> import phyvae
        >>> cube = np.random.default_rng(0).random((20, 30, 64))
        >>> phyvae.PatchGrid.from_spectra(cube)
        PatchGrid(shape=(20, 30), patch_shape=(64,), step=(1, 1), coverage=1.00)
        """
        array = checked(cube, "cube")
        if array.ndim != 3:
            raise ValueError(
                f"cube has shape {array.shape}, but a spectrum image is (rows, cols, length)."
            )
        if array.shape[2] < 5:
            raise ValueError(
                f"cube has shape {array.shape}, but spectra of {array.shape[2]} point(s) have no "
                "shape to learn. Of a colour image, take one channel or the mean to "
                "PatchGrid(image[..., 0], size=...); else move the spectral axis to the end: "
                "np.moveaxis(cube, axis, -1)."
            )
        self = cls.__new__(cls)
        self.step = pair(step, "step")
        self.patch_shape = (array.shape[2],)
        self.shape = (
            (array.shape[0] - 1) // self.step[0] + 1,
            (array.shape[1] - 1) // self.step[1] + 1,
        )
        self.limits = limits_of(array, percentiles)
        self.image = scaled(array, percentiles, self.limits)
        return self

    @classmethod
    def at(
        cls,
        image: Any,
        sites: Any,
        size: int | tuple[int, int],
        *,
        subpixel: bool = False,
        lattice: bool = True,
        vectors: Any = None,
        percentiles: tuple[float, float] | None = (0.0, 100.0),
    ) -> "PatchGrid":
        """Return the grid of patches centred on sites: atoms, unit cells.

        The sites are indexed on their lattice: each gets a row and a column by its neighbours, so
        that missing sites, drift and slow distortion do not matter. A cell of the grid in which
        no site lies is empty: ``grid.mask`` is False there, latent maps are NaN.

        Parameters
        ----------
        image, size, percentiles
            As for a raster.
        sites
            Centres (y, x), px, shape (n, 2), n >= 4, such as `find_sites` returns. Swapped
            coordinates cannot be told unless one falls out of the image: look at `plot_patches`.
        subpixel
            Interpolate the image (cubic splines, kept within its range), so that a patch is
            centred on its site exactly; else on the nearest pixel, up to half a pixel off.
        lattice
            ``False`` for sites without a lattice: the grid then is one row of patches, in the
            order of `sites`, and ``grid.graph`` says which are neighbours (see `SiteGraph`).
        vectors
            Steps ((y, x) from row to row, (y, x) from column to column), px; by default those
            that repeat most, rows as far downwards and columns as far to the right as they go.

        Returns
        -------
        PatchGrid
            With ``indices``, the flat indices of cells that hold a patch; ``cells``, the flat
            index of each site's cell, -1 for those left out; ``near_border`` and
            ``off_lattice``, how many were left out since no whole patch fits into the image, and
            since they fit no cell (or another one fits it better); ``sites``, shape (rows, cols,
            2), and ``vectors``. ``centers``, unlike ``sites``, are those of the pixels cropped.
            ``step`` is the length of the vectors, rounded.

        Raises
        ------
        ValueError
            If sites are not finite, lie outside the image or coincide; if fewer than 4 leave
            room for a patch, or fewer than half fit one lattice; else as for a raster.

        Notes
        -----
        Rows and columns follow the lattice: of a rotated or hexagonal one they are oblique, and
        the corners of the grid hold empty cells. Two grains have two lattices: sites of the other
        one are left out, or fit by chance. Around a dislocation no rows and columns are right
        everywhere: a cut remains, where neighbours in the image are none in the grid.

        Examples
        --------
        >>> import phyvae
        >>> phantom = phyvae.phantoms.bfo(seed=0)
        >>> grid = phyvae.PatchGrid.at(phantom.image, phantom.sites, size=24)
        >>> grid.shape, len(grid.indices), grid.near_border
        ((46, 46), 2116, 93)
        """
        from .site_grid import SiteGrid  # it is a PatchGrid itself

        return SiteGrid(
            image,
            sites,
            size,
            subpixel=subpixel,
            lattice=lattice,
            vectors=vectors,
            percentiles=percentiles,
        )

    @classmethod
    def series(
        cls,
        images: Any,
        size: int | tuple[int, int],
        step: int | tuple[int, int] | None = None,
        *,
        percentiles: tuple[float, float] | None = (0.0, 100.0),
    ) -> "list[PatchGrid]":
        """Return a grid for each of several images, with one common intensity scale.

        A stack, a time series: intensities then mean the same in all of them, as one training
        needs.

        Parameters
        ----------
        images
            Array (n, height, width), or a sequence of images, which may differ in size.
        size, step
            As for one image.
        percentiles
            As for one image, over the pixels of all images together.

        Examples
        --------
        >>> import numpy as np
        >>> import phyvae
        >>> frames = np.random.default_rng(0).random((3, 50, 40))
        >>> grids = phyvae.PatchGrid.series(frames, size=16)
        >>> len(grids), grids[0].limits == grids[2].limits
        (3, True)
        """
        if not isinstance(images, Sequence | np.ndarray | Tensor) or isinstance(images, str):
            raise TypeError(
                f"images of type {type(images).__name__} must be an array (n, height, width) or a "
                "list of images (height, width)."
            )
        if len(images) == 0 or (isinstance(images, np.ndarray | Tensor) and images.ndim != 3):
            shape = tuple(getattr(images, "shape", (0,)))
            raise ValueError(
                f"images has shape {shape}, but must be (n, height, width), n >= 1; one image is "
                "image[None]."
            )
        arrays = [checked(image, f"images[{k}]") for k, image in enumerate(images)]
        grids = [cls(array, size, step, percentiles=None) for array in arrays]
        limits = limits_of(np.concatenate([array.ravel() for array in arrays]), percentiles)
        for grid, array in zip(grids, arrays, strict=True):
            grid.image, grid.limits = scaled(array, percentiles, limits), limits
        return grids

    def __len__(self) -> int:
        return math.prod(self.shape)

    @property
    def indices(self) -> Int[Tensor, " n"]:
        """Flat grid indices of the cells that hold a patch, ascending."""
        return torch.arange(len(self))

    def __repr__(self) -> str:
        # Rounded down: only a grid that leaves nothing out shows 1.00.
        coverage = math.floor(100 * self.coverage + 1e-9) / 100
        return (
            f"PatchGrid(shape={self.shape}, patch_shape={self.patch_shape}, step={self.step}, "
            f"coverage={coverage:.2f})"
        )

    @property
    def coverage(self) -> float:
        """Share of the image's pixels that lie in a patch, in (0, 1]."""
        patch = self.patch_shape if len(self.patch_shape) == 2 else (1, 1)
        seen = [
            (n - 1) * min(step, size) + size
            for n, step, size in zip(self.shape, self.step, patch, strict=True)
        ]
        return math.prod(seen) / math.prod(self.image.shape[:2])

    @property
    def is_raster(self) -> bool:
        """Whether the patches lie at regular steps, and every cell holds one."""
        return self.mask is None and self.graph is None

    @property
    def count(self) -> int:
        """Number of patches: of cells that hold one."""
        return len(self) if self.mask is None else int(self.mask.sum())

    def with_known(self, values: Any) -> "PatchGrid":
        """Return the same grid with what is known of each patch beside its pixels.

        Models that use it are pyroVED's: classes or properties for an ``iVAE`` with ``c_dim``,
        some of the classes for an ``ssiVAE``, some of the properties for an ``ss_reg_iVAE``, the
        spectrum of each patch for a ``VED``.

        Parameters
        ----------
        values
            Shape (rows, cols) or (rows, cols, n). Whole numbers are classes, -1 where unknown;
            of other numbers, NaN is unknown.

        Examples
        --------
        >>> import numpy as np
        >>> import phyvae
        >>> image = np.random.default_rng(0).random((100, 80))
        >>> grid = phyvae.PatchGrid(image, size=24, step=8)
        >>> classes = np.full(grid.shape, -1)
        >>> classes[0, :3] = 0, 1, 1
        >>> grid.with_known(classes).known[:4]
        tensor([[0.],
                [1.],
                [1.],
                [nan]])
        """
        array = np.asarray(values.cpu() if isinstance(values, Tensor) else values)
        if array.shape[:2] != self.shape or array.ndim not in (2, 3):
            raise ValueError(
                f"values has shape {array.shape}, but the grid is {self.shape}; pass an array of "
                "shape (rows, cols) or (rows, cols, n)."
            )
        if array.dtype.kind not in "buif":
            raise TypeError(f"values has dtype {array.dtype}, but must be real.")
        numbers = array.reshape(len(self), -1).astype(np.float32)
        if np.isinf(numbers).any():
            raise ValueError("values holds Inf; NaN stands for what is unknown.")
        if array.dtype.kind in "iu":
            if array.min() < -1:
                raise ValueError(
                    f"values holds {array.min()}, but whole numbers are classes >= 0, or -1 where "
                    "unknown; properties are floats: values.astype(float)."
                )
            numbers[numbers < 0] = np.nan
        known = copy.copy(self)
        known.known = torch.from_numpy(numbers).to(self.device)
        return known

    def of(self, image: Tensor) -> "PatchGrid":
        """Return the same patches, to the nearest pixel, of another image as it is."""
        other = copy.copy(self)
        other.image = image
        return other

    def data(self, index: Int[Tensor, " n"], like: Tensor) -> Patches:
        """Return the patches at flat grid indices, with what is known of them, as `like` is."""
        known = None if self.known is None else self.known[index.to(self.device)].to(like)
        return Patches(self.gather(index).to(like), known)

    @property
    def device(self) -> torch.device:
        """Where the image is, hence where patches are gathered."""
        return self.image.device

    def to(self, device: torch.device | str) -> "PatchGrid":
        """Return the same grid with its image on `device`."""
        device = as_device(device)
        moved = copy.copy(self)
        moved.image = self.image.to(device)
        moved.known = None if self.known is None else self.known.to(device)
        return moved

    @property
    def patches(self) -> Float[Tensor, "rows cols *patch"]:
        """All patches as a view of the image, shape (rows, cols, *patch_shape)."""
        if len(self.patch_shape) == 1:
            return self.image[:: self.step[0], :: self.step[1]]
        (height, width), (dy, dx) = self.patch_shape, self.step
        return self.image.unfold(0, height, dy).unfold(1, width, dx)

    @property
    def windows(self) -> Float[Tensor, "ys xs height width"]:
        """Windows of the patch size at every pixel where one fits, as a view of the image."""
        if len(self.patch_shape) == 1:
            raise ValueError("A spectrum image has no windows, only one spectrum per pixel.")
        return self.image.unfold(0, self.patch_shape[0], 1).unfold(1, self.patch_shape[1], 1)

    def gather(self, index: Int[Tensor, " n"]) -> Float[Tensor, "n *patch"]:
        """Return copies of the patches at the flat grid indices, shape (n, *patch_shape).

        Index ``i * cols + j`` is the patch in row ``i`` and column ``j``.
        """
        index = index.to(self.device)
        return self.patches[index // self.shape[1], index % self.shape[1]]

    @property
    def centers(self) -> Float[np.ndarray, "rows cols 2"]:
        """Centre (y, x) of each patch in image pixels; the centre of the first pixel is (0, 0)."""
        offsets = (0.0, 0.0) if len(self.patch_shape) == 1 else _middle(self.patch_shape)
        y, x = (
            np.arange(n) * step + offset
            for n, step, offset in zip(self.shape, self.step, offsets, strict=True)
        )
        return np.stack(np.meshgrid(y, x, indexing="ij"), axis=-1)

    def sample(self, labels: Any) -> np.ndarray:
        """Return the value of an image-sized array at the centre of each patch.

        Parameters
        ----------
        labels
            Any per-pixel quantity (true domains, another channel), shape (height, width).

        Returns
        -------
        ndarray
            Shape (rows, cols), dtype of `labels`. Where a centre falls between pixels (even patch
            sizes), the pixel below and to the right is taken. Where `PatchGrid.at` leaves a cell
            empty, integers are -1 and floats NaN; bools are refused.

        Examples
        --------
        >>> import numpy as np
        >>> import phyvae
        >>> phantom = phyvae.phantoms.bfo(seed=0)
        >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=12)
        >>> grid.sample(phantom.domains).shape == grid.shape
        True
        """
        array = np.asarray(labels.cpu() if isinstance(labels, Tensor) else labels)
        return self._at_centers(array, self.centers)

    def _at_centers(self, array: np.ndarray, centers: np.ndarray) -> np.ndarray:
        expected = tuple(self.image.shape[:2])
        if array.shape != expected:
            raise ValueError(
                f"labels has shape {array.shape}, but the image of this grid is {expected}; "
                "pass one value per image pixel."
            )
        pixel = np.floor(centers + 0.5).astype(int)
        sampled: np.ndarray = array[pixel[..., 0], pixel[..., 1]]
        return sampled


def _middle(patch_shape: tuple[int, ...]) -> tuple[float, ...]:
    return tuple((n - 1) / 2 for n in patch_shape)


def pair(value: Any, name: str, minimum: int = 1) -> tuple[int, int]:
    """Return one number as two, checked."""
    try:
        numbers = value if isinstance(value, tuple | list) else (value,) * 2
        if any(isinstance(n, bool) for n in numbers):
            raise TypeError
        y, x = (operator.index(n) for n in numbers)
    except (TypeError, ValueError):
        raise ValueError(
            f"{name}={value!r} must be an integer or a pair of integers, px."
        ) from None
    if min(y, x) < minimum:
        raise ValueError(f"{name}={value!r} must be at least {minimum} px.")
    return y, x
