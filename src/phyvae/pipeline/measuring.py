"""What domains are, in lengths and images, and as other programs take them: part of `Domains`."""

import csv
import os
from functools import cached_property
from io import StringIO
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from .._checks import as_choice
from ..domains.cells import MeanCell, mean_cells
from ..domains.extents import domain_areas, domain_table
from ..domains.wall_kinds import Wall, walls_between
from ..patches.grid import PatchGrid
from ..saving.sealed import write
from ..scans.exporting import save_tiff, to_hyperspy, to_xarray
from ..scans.scan import Scan

__all__ = ["Measured"]


class Measured:
    """Measures of domains, and exports: the part of `Domains` that needs no model."""

    scan: Scan
    grid: PatchGrid
    labels: Int[np.ndarray, "rows cols"]
    maps: Float[np.ndarray, "channels rows cols"]
    shifts: Float[np.ndarray, "axes rows cols"]

    @cached_property
    def cells(self) -> tuple[MeanCell, ...]:
        """The mean patch of each domain, moved onto the lattice; see `phyvae.mean_cells`."""
        return mean_cells(self.grid, self.labels, self.shifts)

    @cached_property
    def walls(self) -> tuple[Wall, ...]:
        """Length and kind of each wall; see `phyvae.walls_between`."""
        return walls_between(self.grid, self.labels, pixel_size=self.scan.pixel_size)

    @cached_property
    def areas(self) -> dict[int, float]:
        """Area of each domain, nm², or px² without calibration; see `phyvae.domain_areas`."""
        return domain_areas(self.grid, self.labels, pixel_size=self.scan.pixel_size)

    def table(self) -> list[dict[str, Any]]:
        """Return a row for each domain, see `phyvae.domain_table`; pandas.DataFrame takes it."""
        return domain_table(
            self.grid, self.labels, self.maps, self.walls, pixel_size=self.scan.pixel_size
        )

    def to_csv(self, path: str | os.PathLike[str]) -> None:
        """Write the table of the domains, numbers to 6 digits; replace a file that is there.

        A column has the number that each domain has in the file of `save_tiff`.
        """
        rows = [
            {"domain": row["domain"], "value in labels.tif": row["domain"] + 1}
            | {
                name: float(f"{one:.6g}") if isinstance(one, float) else one
                for name, one in row.items()
            }
            for row in self.table()
        ]
        text = StringIO(newline="")
        writer = csv.DictWriter(text, rows[0] if rows else ["domain"])
        writer.writeheader()
        writer.writerows(rows)
        write(path, text.getvalue().encode())

    def labels_image(self) -> Int[np.ndarray, "height width"]:
        """Return the domain of each pixel of the scan: that of the patch that counts for it.

        In a raster these are the pixels up to half a step from the centre of a patch, so that
        they make up `areas`; at sites, those nearer to it than to others, up to half a patch.

        Returns
        -------
        ndarray
            int64, shape (height, width) of the scan; as in `labels`, -1 is none: the rim around
            the patches, and what shows no specimen.
        """
        grid, shape = self.grid, self.scan.image.shape
        if grid.is_raster:
            corners = grid.centers[0, 0] - np.divide(grid.step, 2)
            parts = zip(shape, corners, grid.step, grid.shape, strict=True)
            # Before the first and after the last cell is none: -1 is the index of the last one.
            index = [
                np.floor((np.arange(n) - corner) / step).clip(-1, cells).astype(int)
                for n, corner, step, cells in parts
            ]
            found = np.pad(self.labels, (0, 1), constant_values=-1)[np.ix_(*index)]
        else:
            held = np.isfinite(grid.centers).all(-1)
            pixels = np.moveaxis(np.indices(shape), 0, -1)
            reach = max(grid.patch_shape) / 2
            far, index = cKDTree(grid.centers[held]).query(pixels, distance_upper_bound=reach)
            found = np.append(self.labels[held], -1)[np.where(np.isfinite(far), index, -1)]
        return np.asarray(found, np.int64)

    def to_xarray(self, what: str = "labels") -> Any:
        """Return labels or maps as an xarray.DataArray, with coordinates in nm or px.

        Parameters
        ----------
        what
            ``"labels"``, shape (rows, cols), or ``"maps"``, (channels, rows, cols).
        """
        return to_xarray(*self._exported(what), unit=self.scan.unit, name=what)

    def to_hyperspy(self, what: str = "labels") -> Any:
        """Return labels or maps as a HyperSpy Signal2D, with axes in nm or px.

        Parameters
        ----------
        what
            ``"labels"`` or ``"maps"``, which are navigated by channel.
        """
        return to_hyperspy(*self._exported(what), unit=self.scan.unit, name=what)

    def save_tiff(self, path: str | os.PathLike[str]) -> None:
        """Write the domains of all pixels to a TIFF file whose scale ImageJ and napari show.

        They are those of `labels_image` plus 1: 0 is no domain, as in these programs. The name
        ends in ``.tif`` or ``.tiff``.
        """
        save_tiff(path, self.labels_image() + 1, self.scan.pixel_size)

    def _exported(self, what: str) -> tuple[np.ndarray, tuple[float, float], tuple[float, float]]:
        """Return an array on the grid, the size of its cells, and the place of its first one."""
        as_choice(what, "what", ("labels", "maps"))
        if not self.grid.is_raster:
            raise ValueError(
                "patches at sites lie on no raster with one step; found.labels_image() has their "
                "labels at the pixels of the scan."
            )
        (down, across), (height, width) = self.grid.step, self.scan.pixel_size or (1.0, 1.0)
        first = self.grid.centers[0, 0] * (height, width)
        size = down * height, across * width
        return getattr(self, what), size, (float(first[0]), float(first[1]))
