"""An image with its patches: gather them, sample at their centres, move them to a device."""

import copy
import math
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .._checks import as_array, as_device
from .crops import RasterCrops, SiteCrops
from .graph import SiteGraph
from .known import Patches, as_known
from .masking import Mask, mostly
from .sites import PlacedSites
from .windows import Windows, windows_of

__all__ = ["CroppedImage"]

Grid = TypeVar("Grid", bound="CroppedImage")


class CroppedImage:
    """An image with its patches, on a raster or on sites: the base of `PatchGrid`.

    Parameters
    ----------
    image
        The scaled image, float32, shape (height, width); for spectra (rows, cols, length).
    limits
        Intensities of the original image that became 0 and 1.
    crops
        Where the patches are.
    placed
        The sites that they are centred on; ``None`` for a raster.
    specimen
        True where a pixel shows the specimen; ``None`` without a mask of pixels.
    """

    image: Float[Tensor, "..."]
    shape: tuple[int, int]
    patch_shape: tuple[int, ...]
    step: tuple[int, int]
    limits: tuple[float, float]
    mask: Bool[Tensor, "rows cols"] | None
    graph: SiteGraph | None
    known: Float[Tensor, "cells values"] | None
    specimen: Bool[Tensor, "height width"] | None
    sites: Float[np.ndarray, "rows cols 2"]
    vectors: Float[np.ndarray, "2 2"] | None
    cells: Int[np.ndarray, " n"]
    near_border: int
    off_lattice: int
    pixel_size: tuple[float, float] | None = None
    """Height and width of a pixel of the image, nm, if they are known."""

    def __init__(
        self,
        image: Float[Tensor, "..."],
        limits: tuple[float, float],
        crops: RasterCrops | SiteCrops,
        placed: PlacedSites | None = None,
        specimen: Mask | None = None,
    ) -> None:
        self.image, self.limits, self._crops = image, limits, crops
        self.shape, self.patch_shape, self.step = crops.shape, crops.patch_shape, crops.step
        self.mask = self.graph = self.known = None
        self.specimen = None if specimen is None else torch.from_numpy(specimen)
        self.is_raster = placed is None
        if isinstance(crops, RasterCrops):
            self.mask = crops.filled
        if placed is not None:
            self.mask, self.graph = placed.mask, placed.graph
            self.sites, self.cells, self.vectors = placed.sites, placed.cells, placed.vectors
            self.near_border, self.off_lattice = placed.near_border, placed.off_lattice

    @classmethod
    def of_crops(
        cls: type[Grid],
        image: Float[Tensor, "..."],
        limits: tuple[float, float],
        crops: RasterCrops | SiteCrops,
        placed: PlacedSites | None = None,
        specimen: Mask | None = None,
        pixel_size: tuple[float, float] | None = None,
    ) -> Grid:
        """Return the grid of a scaled image and of crops; the arguments are the base's."""
        grid = cls.__new__(cls)
        CroppedImage.__init__(grid, image, limits, crops, placed, specimen)
        grid.pixel_size = pixel_size
        return grid

    @property
    def crops(self) -> RasterCrops | SiteCrops:
        """Where the patches are."""
        return self._crops

    @property
    def placed(self) -> PlacedSites | None:
        """The sites that patches are centred on; ``None`` for a raster."""
        if self.is_raster or not isinstance(self._crops, SiteCrops):
            return None
        return PlacedSites(
            self._crops,
            self.sites,
            self.cells,
            self.vectors,
            self.graph,
            self.near_border,
            self.off_lattice,
        )

    @property
    def is_stack(self) -> bool:
        """Whether the patches come without an image, so that none has neighbours."""
        return self.graph is not None and len(self.graph.edges) == 0

    def __len__(self) -> int:
        return math.prod(self.shape)

    def __repr__(self) -> str:
        if self.is_stack:
            return f"PatchGrid.from_patches({len(self)} patches, patch_shape={self.patch_shape})"
        if not self.is_raster:
            return (
                f"PatchGrid.at({len(self.indices)} sites, shape={self.shape}, "
                f"patch_shape={self.patch_shape}, near_border={self.near_border}, "
                f"off_lattice={self.off_lattice})"
            )
        # Rounded down: only a grid that leaves nothing out shows 1.00.
        coverage = math.floor(100 * self.coverage + 1e-9) / 100
        count = "" if self.mask is None else f", {self.count} patches"
        return (
            f"PatchGrid(shape={self.shape}, patch_shape={self.patch_shape}, step={self.step}, "
            f"coverage={coverage:.2f}{count})"
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
    def coverage(self) -> float:
        """Share of the image's pixels that lie in a patch, in (0, 1]."""
        return self._crops.coverage(tuple(self.image.shape))

    @property
    def centers(self) -> Float[np.ndarray, "rows cols 2"]:
        """Centre (y, x) of each patch in image pixels; the centre of the first pixel is (0, 0).

        NaN where a site is missing.
        """
        return self._crops.centers

    @property
    def patches(self) -> Float[Tensor, "rows cols *patch"]:
        """All patches, shape (rows, cols, *patch_shape): on a raster a view of the image.

        Of sites a copy, with zeros where one is missing.
        """
        return self._crops.patches(self.image)

    @property
    def windows(self) -> Windows:
        """Windows of the patch size at every pixel where one fits, as a view of the image."""
        if len(self.patch_shape) == 1:
            raise ValueError("A spectrum image has no windows, only one spectrum per pixel.")
        if self.is_stack:
            raise ValueError(
                "a stack of patches has no other windows: pass the image that they were cut from, "
                "PatchGrid(image, size=...) or PatchGrid.at(image, sites, size)."
            )
        return windows_of(self.image, self.patch_shape)

    @property
    def shown_windows(self) -> Bool[Tensor, "ys xs"] | None:
        """At which pixels a window shows the specimen by half; ``None`` without a pixel mask."""
        if self.specimen is None:
            return None
        return mostly(self.specimen.cpu().numpy(), self.patch_shape).to(self.device)

    def gather(self, index: Int[Tensor, " n"]) -> Float[Tensor, "n *patch"]:
        """Return copies of the patches at the flat grid indices, shape (n, *patch_shape).

        Index ``i * cols + j`` is the cell in row ``i`` and column ``j``; a missing site has zeros.
        """
        return self._crops.gather(self.image, index)

    def data(self, index: Int[Tensor, " n"], like: Tensor) -> Patches:
        """Return the patches at flat grid indices and their known values, cast to `like`."""
        known = None if self.known is None else self.known[index.to(self.device)].to(like)
        return Patches(self.gather(index).to(like), known)

    def of(self: Grid, image: Tensor) -> Grid:
        """Return the grid of another image of the same shape, not scaled, cut at whole pixels."""
        other = copy.copy(self)
        other.image, other._crops = image, self._crops.at_whole_pixels()
        return other

    def with_known(self: Grid, values: Any) -> Grid:
        """Return the same grid with values that are known of each patch, such as its class.

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
        """Device of the image, on which patches are gathered."""
        return self.image.device

    def to(self: Grid, device: torch.device | str) -> Grid:
        """Return the same grid with all its tensors on `device`."""
        device = as_device(device)
        moved = copy.copy(self)
        moved.image, moved._crops = self.image.to(device), replace(self._crops)
        moved.known = None if self.known is None else self.known.to(device)
        moved.mask = None if self.mask is None else self.mask.to(device)
        moved.specimen = None if self.specimen is None else self.specimen.to(device)
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
            sizes), the pixel below and to the right is taken. Where a cell is empty, integers are
            -1 and floats NaN; bools are refused.

        Examples
        --------
        >>> import numpy as np
        >>> import phyvae
        >>> phantom = phyvae.phantoms.bfo(seed=0)
        >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=12)
        >>> grid.sample(phantom.domains).shape == grid.shape
        True
        """
        array = as_array(labels, "labels", "missing")
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
