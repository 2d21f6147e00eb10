"""Sites laid out as a grid: on the rows and columns of their lattice, or in a row with a graph."""

import math
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from .._checks import as_flag, as_points, as_vectors, brief
from ..scans.intensities import as_intensities
from ..scans.objects import scans_of
from .crops import SiteCrops, patch_shape_of
from .graph import SiteGraph
from .indexing import index_sites, lattice_vectors, straightened
from .masking import Mask, mostly

__all__ = ["PlacedSites", "as_stack", "mosaic_of", "place_sites"]

_MOST = 0.9  # of the sites; if fewer have a cell, a warning is given


@dataclass(frozen=True, eq=False)
class PlacedSites:
    """Sites in the cells of a grid.

    crops: The patches centred on them.
    sites: Site (y, x) in each cell, px, shape (rows, cols, 2); NaN where a cell is empty.
    cells: Flat index of each site's cell, shape (n,); -1 for sites left out.
    vectors: Steps (y, x) from row to row and from column to column, px; ``None`` without a
        lattice.
    graph: Which sites are neighbours, without a lattice; else ``None``.
    near_border: Number of sites left out because no whole patch fits into the image.
    off_lattice: Number of sites left out because they fit no cell, or another one fits it better.
    """

    crops: SiteCrops
    sites: Float[np.ndarray, "rows cols 2"]
    cells: Int[np.ndarray, " n"]
    vectors: Float[np.ndarray, "2 2"] | None
    graph: SiteGraph | None
    near_border: int
    off_lattice: int

    @property
    def mask(self) -> Bool[Tensor, "rows cols"] | None:
        """Which cells hold a patch; ``None`` without a lattice: all do."""
        return self.crops.filled.reshape(self.crops.shape) if self.graph is None else None


def place_sites(
    sites: Any,
    image_shape: tuple[int, ...],
    size: Any,
    specimen: Mask | None = None,
    *,
    subpixel: Any,
    lattice: Any,
    vectors: Any,
) -> PlacedSites:
    """Return sites in the cells of a grid; see `PatchGrid.at`."""
    patch_shape = patch_shape_of(size, image_shape)
    between, indexed = as_flag(subpixel, "subpixel"), as_flag(lattice, "lattice")
    given = _checked_sites(sites, image_shape)
    corners = given - (np.array(patch_shape) - 1) / 2
    corners = corners if between else np.floor(corners + 0.5)
    room = np.array(image_shape) - patch_shape
    inside: np.ndarray = np.all((corners >= 0) & (corners <= room), axis=1)
    whole = inside.copy()
    if specimen is not None:
        pixels = np.floor(corners[inside] + 0.5).astype(int)
        whole[inside] = mostly(specimen, patch_shape).numpy()[tuple(pixels.T)]
    if int(whole.sum()) < 4:
        shown = "" if specimen is None else " that show the specimen by half"
        raise ValueError(
            f"sites has {len(given)} sites, and only {whole.sum()} of them lie far enough "
            f"from the border for whole patches of {patch_shape} px{shown}; at least 4 must. "
            "Choose smaller patches."
        )
    cells = _on_lattice(given, whole, vectors) if indexed else _in_a_row(given, whole, vectors)

    kept, count = cells.numbers >= 0, cells.shape[0] * cells.shape[1]
    at_cells = np.full((count, 2), np.nan)
    at_cells[cells.numbers[kept]] = given[kept]
    all_corners = torch.zeros(count, 2, dtype=torch.float64)
    all_corners[cells.numbers[kept]] = torch.from_numpy(corners[kept])
    filled = torch.zeros(count, dtype=torch.bool)
    filled[cells.numbers[kept]] = True
    return PlacedSites(
        SiteCrops(cells.shape, patch_shape, cells.step, all_corners, filled, between),
        at_cells.reshape(*cells.shape, 2),
        cells.numbers,
        cells.vectors,
        None if indexed else _graph_of(given[kept]),
        near_border=int((cells.fits & ~inside).sum()),
        off_lattice=int((~cells.fits).sum()),
    )


@dataclass(frozen=True, eq=False)
class _Cells:
    """Which cell each site has, -1 for none, and which sites fit a cell."""

    shape: tuple[int, int]
    step: tuple[int, int]
    numbers: Int[np.ndarray, " n"]
    fits: Bool[np.ndarray, " n"]
    vectors: Float[np.ndarray, "2 2"] | None


def _in_a_row(
    given: Float[np.ndarray, "n 2"], whole: Bool[np.ndarray, " n"], vectors: Any
) -> _Cells:
    """Put the sites with a whole patch in one row, in their order."""
    if vectors is not None:
        raise ValueError("vectors are those of a lattice; leave them out, or lattice=False.")
    numbers = np.where(whole, np.cumsum(whole) - 1, -1)
    spacing = max(1, round(_spacing(given)))
    everywhere = np.ones(len(given), bool)
    return _Cells((1, int(whole.sum())), (spacing, spacing), numbers, everywhere, None)


def _graph_of(sites: Float[np.ndarray, "n 2"]) -> SiteGraph:
    """Return the graph of triangles, or of nearest neighbours along a line, which has none."""
    from scipy.spatial import QhullError

    try:
        graph = SiteGraph.delaunay(sites)
    except (ValueError, QhullError):
        return SiteGraph.nearest(sites, k=2)
    return graph if len(graph.edges) else SiteGraph.nearest(sites, k=2)


def _on_lattice(
    given: Float[np.ndarray, "n 2"], whole: Bool[np.ndarray, " n"], vectors: Any
) -> _Cells:
    """Put the sites with a whole patch in the row and column that they have on their lattice."""
    # In reading order, so that the order in which sites are given does not matter.
    order = np.lexsort(given.T[::-1])
    ordered = given[order]
    axes = lattice_vectors(ordered) if vectors is None else as_vectors(vectors, "vectors")
    index, fits = np.empty((len(given), 2), np.int64), np.empty(len(given), bool)
    index[order], fits[order] = index_sites(ordered, axes)
    kept = fits & whole
    if 2 * fits.sum() < len(given) or kept.sum() < 4:
        raise ValueError(
            f"sites: only {fits.sum()} of {len(given)} fit one lattice, with the vectors "
            f"{_rounded(axes)} px (y, x); give the right ones, as in vectors=((12, "
            "0), (0, 12)), index one grain at a time, or pass lattice=False."
        )
    if fits.mean() < _MOST:
        warnings.warn(
            f"sites: {(~fits).sum()} of {len(given)} fit no cell of the lattice with the vectors "
            f"{_rounded(axes)} px (y, x), and are left out; index one grain at a time, or pass "
            "lattice=False.",
            UserWarning,
            stacklevel=4,
        )
    if vectors is None:
        index[fits], axes = straightened(given[fits], index[fits])
    index -= index[kept].min(0)
    rows, cols = (int(n) + 1 for n in index[kept].max(0))
    if rows * cols > 100 * len(given):
        raise ValueError(
            f"sites: {kept.sum()} of them would lie in {rows} x {cols} cells, nearly all "
            f"empty, with the vectors {_rounded(axes)} px (y, x); give others."
        )
    numbers = np.where(kept, index @ (cols, 1), -1)
    down, across = (max(1, round(float(np.hypot(*vector)))) for vector in axes)
    return _Cells((rows, cols), (down, across), numbers, fits, axes)


def _checked_sites(sites: Any, shape: tuple[int, ...]) -> Float[np.ndarray, "n 2"]:
    """Check that sites are finite, inside the image, at least 4 and all different."""
    from scipy.spatial import cKDTree

    array = as_points(sites)
    # A column on the rim may be fitted a little beyond it; it then counts as near the border.
    outside = ((array < -1) | (array > np.array(shape))).any(1)
    if outside.any():
        first = int(outside.argmax())
        others = _others(int(outside.sum()) - 1, ", as do {} more")
        raise ValueError(
            f"sites[{first}] = {_rounded(array[first])} px (y, x) lies outside the image, "
            f"{shape[0]} x {shape[1]} px{others}; if yours are (x, y), pass sites[:, ::-1]."
        )
    near = cKDTree(array).query_pairs(0.01)
    if near:
        i, j = min(near)
        raise ValueError(
            f"sites[{i}] and sites[{j}] are the same, {_rounded(array[i])} px (y, x)"
            f"{_others(len(near) - 1, ', as are {} more pairs')}; keep one of each: "
            "np.unique(sites, axis=0)."
        )
    return array


def _spacing(sites: Float[np.ndarray, "n 2"]) -> float:
    """Return the median distance of a site to its nearest neighbour, px."""
    from scipy.spatial import cKDTree

    return float(np.median(cKDTree(sites).query(sites, 2)[0][:, 1]))


def _others(count: int, text: str) -> str:
    return text.format(count) if count else ""


def _rounded(values: np.ndarray) -> Any:
    return np.round(values, 2).tolist()


def as_stack(patches: Any) -> Shaped[np.ndarray, "n height width"]:
    """Check that patches are real, finite and of one size; an axis of one channel is left out."""
    if getattr(patches, "ndim", 0) == 4 and patches.shape[1] == 1:
        patches = patches[:, 0]
    found = scans_of(patches, "patches") if getattr(patches, "ndim", 3) == 3 else None
    shapes = {one.image.shape for one in found} if isinstance(found, list) else set()
    if not isinstance(found, list) or len(shapes) > 1 or min(shapes.pop()) < 2:
        raise ValueError(
            f"patches={brief(patches)} must be a stack of one size, (n, height, width), each at "
            "least 2 px; an image goes to PatchGrid(image, size=...), spectra to "
            "PatchGrid.from_spectra."
        )
    return as_intensities(np.stack([one.image for one in found]), "patches")


def mosaic_of(
    stack: Shaped[np.ndarray, "n height width"],
) -> tuple[Float[np.ndarray, "tall wide"], PlacedSites]:
    """Return a nearly square image with the patches row by row, and where they lie in it."""
    count, height, width = stack.shape
    across = max(1, round(math.sqrt(count * height / width)))
    down = math.ceil(count / across)
    tiles = np.full((down * across, height, width), stack.min(), np.float64)
    tiles[:count] = stack
    rows = tiles.reshape(down, across, height, width).swapaxes(1, 2)
    cells, size = np.arange(count), (height, width)
    corners = np.stack(np.divmod(cells, across), axis=1) * np.array(size, np.float64)
    sites = corners + (np.array(size) - 1) / 2
    nothing = torch.empty(0, 2, dtype=torch.int64)
    graph = SiteGraph(torch.from_numpy(sites), nothing, torch.empty(0, dtype=torch.float64))
    filled = torch.ones(count, dtype=torch.bool)
    crops = SiteCrops((1, count), size, size, torch.from_numpy(corners), filled)
    placed = PlacedSites(crops, sites[None], cells, None, graph, near_border=0, off_lattice=0)
    return rows.reshape(down * height, across * width), placed
