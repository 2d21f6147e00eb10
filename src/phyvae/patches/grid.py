"""The patch grid: an image, and where its patches are cut."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor

from .._checks import brief
from ..scans.intensities import Percentiles, as_spectra, limits_of, scaled
from ..scans.objects import calibrated, cube_of, scans_of
from ..scans.scan import Scan
from .cropped import CroppedImage
from .crops import RasterCrops
from .masking import masked, specimen_of
from .sites import as_stack, mosaic_of, place_sites

__all__ = ["PatchGrid", "check_grid"]


class PatchGrid(CroppedImage):
    """Patches of an image at regular steps, one latent-map pixel each.

    Patch ``(i, j)`` has its top left corner at pixel ``(i * step, j * step)``. The patches are a
    strided view of the image, so a 2048 x 2048 image at step 1 opens at once and takes the memory
    of one image, not of four million patches.

    Parameters
    ----------
    image
        One scan, shape (height, width), any real dtype: an array or tensor, a `Scan` or the path
        of its file, or an object that holds one (HyperSpy, xarray, sidpy, h5py, zarr, PIL).
    size
        Patch height and width, px; one number for square patches. About two lattice constants,
        or a little more, works well.
    step
        Distance of neighbouring patches along rows and columns, px, >= 1; one number for both.
        The default is half the patch size. A step larger than the patch is allowed: the pixels
        between patches are then skipped, see `coverage`.
    percentiles
        The percentiles of the image that become 0 and 1. By default they are robust: the full
        range, but at most as far beyond percentiles 1 and 99 as these are apart, so that a hot
        pixel or a dead row is clipped, and hardly any pixel of an ordinary image. ``(0, 100)`` is
        the full range, ``None`` leaves the intensities as they are.
    mask
        True where a pixel shows the specimen, bool, shape (height, width), such as
        ``phyvae.survey(image).mask``. The other pixels are replaced by the mean of those around
        them, and set no range. A cell whose patch shows the specimen by less than half is empty:
        ``grid.mask`` is False there, maps are NaN, labels -1.

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
        Which cells hold a patch, bool, shape (rows, cols); ``None`` if all do.
    specimen : Tensor or None
        The mask of pixels, bool, shape (height, width), if one was given.
    graph : SiteGraph or None
        Graph of neighbouring patches, where sites have no lattice; else ``None``.
    pixel_size : tuple of float or None
        Height and width of a pixel, nm, if the image is a scan that has them; `step` times it is
        the size of a map's pixel, in which physics losses measure.
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
        fit into it; if ``step``, ``percentiles`` or ``mask`` make no sense.
    TypeError
        If the image is not real-valued.

    Warns
    -----
    IntensityRangeWarning
        If 2 % of the pixels hold three quarters of the image's range, or more: hot pixels, dead
        rows.

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

    def __init__(
        self,
        image: Any,
        size: int | tuple[int, int],
        step: int | tuple[int, int] | None = None,
        *,
        percentiles: Percentiles = "robust",
        mask: Any = None,
    ) -> None:
        image, pixel_size = calibrated(image)
        array, specimen, shown = specimen_of(image, mask)
        crops = RasterCrops.over(array.shape, size, step).showing(specimen)
        limits = limits_of(shown, percentiles)
        super().__init__(scaled(array, percentiles, limits), limits, crops, None, specimen)
        self.pixel_size = pixel_size

    @classmethod
    def from_spectra(
        cls,
        cube: Any,
        step: int | tuple[int, int] = 1,
        *,
        percentiles: Percentiles = "robust",
        mask: Any = None,
    ) -> "PatchGrid":
        """Return the grid of a spectrum image: one spectrum is one patch.

        The spectral axis of an array is the last one; of a spectrum image of HyperSpy, xarray or
        sidpy, or in a file, it is the one so named. Other axes of an array are not noticed unless
        the last one is very short: move the axis first, as in ``np.moveaxis(cube, 0, -1)`` for
        (length, rows, cols), and look at ``phyvae.plot_patches(grid)``.

        Parameters
        ----------
        cube
            Spectra on a raster (EELS, hysteresis loops), shape (rows, cols, length), real, at
            least 5 points long.
        step
            Take every ``step``-th pixel along rows and columns.
        percentiles
            As for an image, over the whole cube.
        mask
            True where a pixel holds a spectrum of the specimen, bool, shape (rows, cols); the
            others set no range, and their cells are empty.

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
        cube, pixel_size = calibrated(cube, "cube", spectra=True)
        cube, specimen = masked(cube_of(cube), mask, "cube")
        array = as_spectra(cube)
        crops = RasterCrops.of_spectra(array.shape, step).showing(specimen)
        limits = limits_of(array if specimen is None else array[specimen], percentiles)
        image = scaled(array, percentiles, limits)
        return cls.of_crops(image, limits, crops, pixel_size=pixel_size)

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
        percentiles: Percentiles = "robust",
        mask: Any = None,
    ) -> "PatchGrid":
        """Return the grid of patches centred on sites: atoms, unit cells.

        The sites are indexed on their lattice: each gets a row and a column by its neighbours, so
        that missing sites, drift and slow distortion do not matter. A cell of the grid in which
        no site lies is empty: ``grid.mask`` is False there, latent maps are NaN.

        Parameters
        ----------
        image, size, percentiles, mask
            As for a raster: sites whose patch shows the specimen by less than half are left out.
        sites
            Centres (y, x), px, shape (n, 2), n >= 4, such as `find_sites` returns. Swapped
            coordinates are noticed only if one falls out of the image: look at `plot_patches`.
        subpixel
            Interpolate the image (cubic splines, kept within its range), so that a patch is
            centred on its site exactly; else on the nearest pixel, up to half a pixel off.
        lattice
            ``False`` for sites without a lattice: the grid then is one row of patches, in the
            order of `sites`, and ``grid.graph`` holds the pairs of neighbours (see `SiteGraph`).
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
        image, pixel_size = calibrated(image)
        array, specimen, shown = specimen_of(image, mask)
        placed = place_sites(
            sites, array.shape, size, specimen, subpixel=subpixel, lattice=lattice, vectors=vectors
        )
        limits = limits_of(shown, percentiles)
        image = scaled(array, percentiles, limits)
        crops = placed.crops
        return cls.of_crops(image, limits, crops, placed, specimen, pixel_size)

    @classmethod
    def from_patches(cls, patches: Any, *, percentiles: Percentiles = "robust") -> "PatchGrid":
        """Return the grid of patches that are cut already: a row, in which none has neighbours.

        Models train on it without physics, or with a loss of values alone, such as
        `Sparsity`; maps have the shape (channels, 1, n). What compares neighbours, and
        `align`, which moves patches in their image, refuse it.

        Parameters
        ----------
        patches
            Stack of patches, shape (n, height, width) or (n, 1, height, width).
        percentiles
            As for an image, over all patches.

        Examples
        --------
        >>> import numpy as np
        >>> import phyvae
        >>> phyvae.PatchGrid.from_patches(np.random.default_rng(0).random((50, 24, 24)))
        PatchGrid.from_patches(50 patches, patch_shape=(24, 24))
        """
        stack = as_stack(patches)
        image, placed = mosaic_of(stack)
        limits = limits_of(stack, percentiles)
        return cls.of_crops(scaled(image, percentiles, limits), limits, placed.crops, placed)

    @classmethod
    def series(
        cls,
        images: Any,
        size: int | tuple[int, int],
        step: int | tuple[int, int] | None = None,
        *,
        percentiles: Percentiles = "robust",
        mask: Any = None,
    ) -> "list[PatchGrid]":
        """Return a grid for each of several images, with one common intensity scale.

        A stack, a time series: intensities then mean the same in all of them, as one training
        needs.

        Parameters
        ----------
        images
            Array (n, height, width), the file of a stack, or a sequence of images, which may
            differ in size.
        size, step
            As for one image.
        percentiles
            As for one image, over the pixels of all images together.
        mask
            For each image a mask of its pixels, as for one image, or ``None``.

        Examples
        --------
        >>> import numpy as np
        >>> import phyvae
        >>> frames = np.random.default_rng(0).random((3, 50, 40))
        >>> grids = phyvae.PatchGrid.series(frames, size=16)
        >>> len(grids), grids[0].limits == grids[2].limits
        (3, True)
        """
        found = scans_of(images)
        if isinstance(found, Scan):
            raise ValueError(
                f"images is one image, {found!r}, but must be (n, height, width) or a list of "
                "images; of one, make a list: [image]."
            )
        masks = [None] * len(found) if mask is None else mask
        if not isinstance(masks, Sequence | np.ndarray | Tensor) or len(masks) != len(found):
            raise ValueError(
                f"mask={brief(mask)} must be a list of {len(found)}, for each image a mask or "
                "None."
            )
        scans = [
            specimen_of(image, one, f"images[{k}]", f"mask[{k}]")
            for k, (image, one) in enumerate(zip(found, masks, strict=True))
        ]
        crops = [
            RasterCrops.over(array.shape, size, step).showing(specimen)
            for array, specimen, _ in scans
        ]
        limits = limits_of(np.concatenate([shown.ravel() for *_, shown in scans]), percentiles)
        return [
            cls.of_crops(
                scaled(array, percentiles, limits), limits, one, None, specimen, scan.pixel_size
            )
            for (array, specimen, _), one, scan in zip(scans, crops, found, strict=True)
        ]


def check_grid(grid: object, name: str = "grid") -> None:
    """Raise an error unless `grid` is one patch grid."""
    if isinstance(grid, list | tuple):
        raise TypeError(
            f"{name} is a {type(grid).__name__} of {len(grid)}, but here must be one PatchGrid; "
            "pass one after the other: [... for grid in grids]."
        )
    if not isinstance(grid, PatchGrid):
        raise TypeError(
            f"{name}={brief(grid)} must be a PatchGrid: PatchGrid(image, size=..., step=...)."
        )
