"""The grid of patches of an image: cut at regular steps, or centred on sites."""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .._checks import as_array, as_device
from ..scans.intensities import as_intensities, as_scan, limits_of, scaled
from .crops import RasterCrops, SiteCrops
from .graph import SiteGraph
from .known import Patches, as_known
from .sites import PlacedSites, place_sites
from .windows import Windows, windows_of

__all__ = ["PatchGrid"]


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
    _crops: RasterCrops | SiteCrops
    _placed: PlacedSites | None = None

    def __init__(
        self,
        image: Any,
        size: int | tuple[int, int],
        step: int | tuple[int, int] | None = None,
        *,
        percentiles: tuple[float, float] | None = (0.0, 100.0),
    ) -> None:
        array = as_scan(image)
        crops = RasterCrops.over(array.shape, size, step)
        self._set(array, percentiles, limits_of(array, percentiles), crops)

    def _set(
        self,
        array: np.ndarray,
        percentiles: tuple[float, float] | None,
        limits: tuple[float, float],
        crops: RasterCrops | SiteCrops,
    ) -> "PatchGrid":
        self._crops, self.limits = crops, limits
        self.shape, self.patch_shape, self.step = crops.shape, crops.patch_shape, crops.step
        self.image = scaled(array, percentiles, limits)
        return self

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
        array = as_intensities(cube, "cube")
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
        crops, limits = RasterCrops.of_spectra(array.shape, step), limits_of(array, percentiles)
        return cls.__new__(cls)._set(array, percentiles, limits, crops)

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
        array = as_scan(image)
        placed = place_sites(
            sites, array.shape, size, subpixel=subpixel, lattice=lattice, vectors=vectors
        )
        limits = limits_of(array, percentiles)
        grid = cls.__new__(cls)._set(array, percentiles, limits, placed.crops)
        grid._placed, grid.mask, grid.graph = placed, placed.mask, placed.graph
        return grid

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
        arrays = [as_scan(image, f"images[{k}]") for k, image in enumerate(images)]
        crops = [RasterCrops.over(array.shape, size, step) for array in arrays]
        limits = limits_of(np.concatenate([array.ravel() for array in arrays]), percentiles)
        return [
            cls.__new__(cls)._set(array, percentiles, limits, one)
            for array, one in zip(arrays, crops, strict=True)
        ]

    def __len__(self) -> int:
        return math.prod(self.shape)

    def __repr__(self) -> str:
        if self._placed is not None:
            return (
                f"PatchGrid.at({len(self.indices)} sites, shape={self.shape}, "
                f"patch_shape={self.patch_shape}, near_border={self.near_border}, "
                f"off_lattice={self.off_lattice})"
            )
        # Rounded down: only a grid that leaves nothing out shows 1.00.
        coverage = math.floor(100 * self.coverage + 1e-9) / 100
        return (
            f"PatchGrid(shape={self.shape}, patch_shape={self.patch_shape}, step={self.step}, "
            f"coverage={coverage:.2f})"
        )

    @property
    def indices(self) -> Int[Tensor, " n"]:
        """Flat grid indices of the cells that hold a patch, ascending."""
        return self._crops.indices

    @property
    def count(self) -> int:
        """Number of patches: of cells that hold one."""
        return len(self) if self.mask is None else int(self.mask.sum())

    @property
    def is_raster(self) -> bool:
        """Whether the patches lie at regular steps, and every cell holds one."""
        return self._placed is None

    @property
    def sites(self) -> Float[np.ndarray, "rows cols 2"]:
        """Site (y, x) in each cell, px, NaN where a cell is empty; of a raster, `centers`."""
        return self.centers if self._placed is None else self._placed.sites

    @property
    def cells(self) -> Int[np.ndarray, " n"]:
        """Flat index of each site's cell, in the order in which sites were given; -1: left out."""
        return np.arange(len(self)) if self._placed is None else self._placed.cells

    @property
    def vectors(self) -> Float[np.ndarray, "2 2"] | None:
        """Steps (y, x) from row to row and column to column, px; ``None`` without a lattice."""
        return np.diag(self.step).astype(float) if self._placed is None else self._placed.vectors

    @property
    def near_border(self) -> int:
        """Number of sites left out because no whole patch fits into the image."""
        return 0 if self._placed is None else self._placed.near_border

    @property
    def off_lattice(self) -> int:
        """Number of sites left out because they fit no cell, or another one fits it better."""
        return 0 if self._placed is None else self._placed.off_lattice

    @property
    def coverage(self) -> float:
        """Share of the image's pixels that lie in a patch, in (0, 1]."""
        return self._crops.coverage(tuple(self.image.shape))

    @property
    def centers(self) -> Float[np.ndarray, "rows cols 2"]:
        """Centre (y, x) of each patch in image pixels; the centre of the first pixel is (0, 0).

        NaN where a cell is empty.
        """
        return self._crops.centers

    @property
    def patches(self) -> Float[Tensor, "rows cols *patch"]:
        """All patches, shape (rows, cols, *patch_shape): on a raster a view of the image.

        Of sites a copy, with zeros in empty cells.
        """
        return self._crops.patches(self.image)

    @property
    def windows(self) -> Windows:
        """Windows of the patch size at every pixel where one fits, as a view of the image."""
        if len(self.patch_shape) == 1:
            raise ValueError("A spectrum image has no windows, only one spectrum per pixel.")
        return windows_of(self.image, self.patch_shape)

    def gather(self, index: Int[Tensor, " n"]) -> Float[Tensor, "n *patch"]:
        """Return copies of the patches at the flat grid indices, shape (n, *patch_shape).

        Index ``i * cols + j`` is the cell in row ``i`` and column ``j``; an empty one has zeros.
        """
        return self._crops.gather(self.image, index)

    def data(self, index: Int[Tensor, " n"], like: Tensor) -> Patches:
        """Return the patches at flat grid indices, with what is known of them, as `like` is."""
        known = None if self.known is None else self.known[index.to(self.device)].to(like)
        return Patches(self.gather(index).to(like), known)

    def of(self, image: Tensor) -> "PatchGrid":
        """Return the same patches, to the nearest pixel, of another image as it is."""
        other = copy.copy(self)
        other.image, other._crops = image, self._crops.at_whole_pixels()
        return other

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
        known = copy.copy(self)
        known.known = torch.from_numpy(as_known(values, self.shape)).to(self.device)
        return known

    @property
    def device(self) -> torch.device:
        """Where the image is, hence where patches are gathered."""
        return self.image.device

    def to(self, device: torch.device | str) -> "PatchGrid":
        """Return the same grid with its image, and what belongs to it, on `device`."""
        device = as_device(device)
        moved = copy.copy(self)
        moved.image, moved._crops = self.image.to(device), replace(self._crops)
        moved.known = None if self.known is None else self.known.to(device)
        moved.mask = None if self.mask is None else self.mask.to(device)
        moved.graph = None if self.graph is None else self.graph.to(device)
        return moved

    def tensors(self) -> dict[str, Tensor]:
        """Return all tensors that fix the patches, by name: image, mask, known values, corners."""
        named = {"image": self.image, "known": self.known, "mask": self.mask}
        if isinstance(self._crops, SiteCrops):
            named |= {"corners": self._crops.corners}
        return {name: tensor for name, tensor in named.items() if tensor is not None}

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
        array = as_array(labels, "labels")
        expected = tuple(self.image.shape[:2])
        if array.shape != expected:
            raise ValueError(
                f"labels has shape {array.shape}, but the image of this grid is {expected}; "
                "pass one value per image pixel."
            )
        pixel = np.floor(np.nan_to_num(self.centers) + 0.5).astype(int)
        sampled: np.ndarray = array[pixel[..., 0], pixel[..., 1]]
        if self.mask is None:
            return sampled
        if array.dtype.kind not in "iufc":
            raise TypeError(
                f"labels has dtype {array.dtype}, which has no value for a cell without a patch; "
                "pass integers (labels.astype(int): empty cells are -1) or floats (NaN)."
            )
        sampled = sampled.astype(np.int64) if array.dtype.kind in "iu" else sampled
        sampled[~self.mask.cpu().numpy()] = -1 if array.dtype.kind in "iu" else np.nan
        return sampled
