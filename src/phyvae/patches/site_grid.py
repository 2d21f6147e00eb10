"""A grid of patches centred on sites: laid out by their lattice, or in a row with a graph."""

import copy
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from .._checks import as_array, brief
from ..scans.intensities import checked, limits_of, scaled
from .graph import SiteGraph
from .grid import PatchGrid, pair
from .indexing import index_sites, lattice_vectors, straightened

__all__ = ["SiteGrid"]


class SiteGrid(PatchGrid):
    """What `PatchGrid.at` returns: patches are cropped when they are asked for."""

    mask: Bool[Tensor, "rows cols"] | None
    graph: SiteGraph | None

    def __init__(
        self,
        image: Any,
        sites: Any,
        size: int | tuple[int, int],
        *,
        subpixel: Any,
        lattice: Any,
        vectors: Any,
        percentiles: tuple[float, float] | None,
    ) -> None:
        array = checked(image, "image")
        if array.ndim != 2:
            raise ValueError(f"image has shape {array.shape}, but a scan is (height, width).")
        self.patch_shape = pair(size, "size", minimum=2)
        room = np.array(array.shape) - self.patch_shape
        if room.min() < 0:
            raise ValueError(
                f"size={size} px exceeds the image, {array.shape[0]} x {array.shape[1]} px; "
                "choose smaller patches."
            )
        for name, switch in (("subpixel", subpixel), ("lattice", lattice)):
            if not isinstance(switch, bool):
                raise TypeError(f"{name}={brief(switch)} must be True or False.")
        given = _checked_sites(sites, array.shape)
        self.limits = limits_of(array, percentiles)
        self.image = scaled(array, percentiles, self.limits)
        self.subpixel: bool = subpixel

        corners = given - (np.array(self.patch_shape) - 1) / 2
        corners = corners if subpixel else np.floor(corners + 0.5)
        whole: np.ndarray = np.all((corners >= 0) & (corners <= room), axis=1)
        on_lattice = self._lay_out(given, whole, lattice, vectors)
        self.near_border = int((on_lattice & ~whole).sum())
        self.off_lattice = int((~on_lattice).sum())

        kept = self.cells >= 0
        at_cells = np.full((len(self), 2), np.nan)
        at_cells[self.cells[kept]] = given[kept]
        self.sites = at_cells.reshape(*self.shape, 2)
        self._corners = torch.zeros(len(self), 2, dtype=torch.float64)
        self._corners[self.cells[kept]] = torch.from_numpy(corners[kept])
        self._filled = torch.zeros(len(self), dtype=torch.bool)
        self._filled[self.cells[kept]] = True
        self.mask = self._filled.reshape(self.shape) if lattice else None
        self.graph = None if lattice else SiteGraph.delaunay(given[kept])
        self._spline: tuple[Tensor, Tensor] | None = None

    def _lay_out(
        self, given: np.ndarray, whole: np.ndarray, lattice: bool, vectors: Any
    ) -> Bool[np.ndarray, " n"]:
        """Set shape, step, vectors and the cell of each site; return which sites fit."""
        if int(whole.sum()) < 4:
            raise ValueError(
                f"sites has {len(given)} sites, and only {whole.sum()} of them lie far enough "
                f"from the border for whole patches of {self.patch_shape} px; at least 4 must. "
                "Choose smaller patches."
            )
        self.cells: Int[np.ndarray, " n"] = np.full(len(given), -1)
        if not lattice:
            if vectors is not None:
                raise ValueError("vectors are those of a lattice; leave them out, or lattice.")
            self.vectors = None
            self.shape = (1, int(whole.sum()))
            self.cells[whole] = np.arange(self.shape[1])
            spacing = max(1, round(_spacing(given)))
            self.step = (spacing, spacing)
            return np.ones(len(given), bool)
        # In reading order, so that the order in which sites are given does not matter.
        order = np.lexsort(given.T[::-1])
        ordered = given[order]
        self.vectors = lattice_vectors(ordered) if vectors is None else _checked_vectors(vectors)
        index, fits = np.empty((len(given), 2), np.int64), np.empty(len(given), bool)
        index[order], fits[order] = index_sites(ordered, self.vectors)
        kept = fits & whole
        if 2 * fits.sum() < len(given) or kept.sum() < 4:
            raise ValueError(
                f"sites: only {fits.sum()} of {len(given)} fit one lattice, with the vectors "
                f"{_rounded(self.vectors)} px (y, x); give the right ones, as in vectors=((12, "
                "0), (0, 12)), index one grain at a time, or pass lattice=False."
            )
        if vectors is None:
            index[fits], self.vectors = straightened(given[fits], index[fits])
        index -= index[kept].min(0)
        rows, cols = (int(n) + 1 for n in index[kept].max(0))
        if rows * cols > 100 * len(given):
            raise ValueError(
                f"sites: {kept.sum()} of them would lie in {rows} x {cols} cells, nearly all "
                f"empty, with the vectors {_rounded(self.vectors)} px (y, x); give others."
            )
        self.shape = (rows, cols)
        self.cells[kept] = index[kept] @ (cols, 1)
        self.step = tuple(max(1, round(float(np.hypot(*v)))) for v in self.vectors)  # type: ignore[assignment]
        return fits

    @property
    def indices(self) -> Int[Tensor, " n"]:
        """Flat grid indices of the cells that hold a patch, ascending."""
        return self._filled.nonzero()[:, 0]

    @property
    def coverage(self) -> float:
        """Share of the image's pixels that lie in a patch, in (0, 1]."""
        # Each patch adds 1 at its first corner and takes it back past its sides.
        edges = np.zeros(np.add(self.image.shape, 2), np.int64)
        corners = np.floor(self._corners[self._filled].numpy() + 0.5).astype(int)
        for sign, offset in ((1, (0, 0)), (-1, (1, 0)), (-1, (0, 1)), (1, (1, 1))):
            np.add.at(edges, tuple((corners + np.multiply(offset, self.patch_shape)).T), sign)
        covered = edges.cumsum(0).cumsum(1)[:-2, :-2] > 0
        return float(covered.mean())

    def __repr__(self) -> str:
        return (
            f"PatchGrid.at({len(self.indices)} sites, shape={self.shape}, "
            f"patch_shape={self.patch_shape}, near_border={self.near_border}, "
            f"off_lattice={self.off_lattice})"
        )

    def to(self, device: torch.device | str) -> "SiteGrid":
        """Return the same grid with its image, mask and graph on `device`."""
        moved = copy.copy(self)
        moved.image, moved._spline = self.image.to(device), None
        moved.known = None if self.known is None else self.known.to(device)
        moved.mask = None if self.mask is None else self.mask.to(device)
        moved.graph = None if self.graph is None else self.graph.to(device)
        return moved

    def of(self, image: Tensor) -> "SiteGrid":
        """Return the same patches, to the nearest pixel, of another image as it is."""
        other = copy.copy(self)
        other.image, other.subpixel = image, False
        other._corners = (self._corners + 0.5).floor()
        return other

    @property
    def patches(self) -> Float[Tensor, "rows cols *patch"]:
        """All patches, shape (rows, cols, *patch_shape): a copy, with zeros in empty cells."""
        return self.gather(torch.arange(len(self))).reshape(*self.shape, *self.patch_shape)

    def gather(self, index: Int[Tensor, " n"]) -> Float[Tensor, "n *patch"]:
        """Return copies of the patches at the flat grid indices, shape (n, *patch_shape).

        Index ``i * cols + j`` is the cell in row ``i`` and column ``j``; an empty one has zeros.
        """
        index = index.cpu()
        corners, filled = self._corners[index], self._filled[index].to(self.device)
        whole = corners.floor().long().to(self.device)
        if not self.subpixel:
            patches = self.windows[whole[:, 0], whole[:, 1]]
            return patches * filled[:, None, None]
        coefficients = self._coefficients()
        height, width = self.patch_shape
        windows = coefficients.unfold(0, height + 3, 1).unfold(1, width + 3, 1)
        around = windows[whole[:, 0], whole[:, 1]]
        # All pixels of a patch lie equally far between pixels: four weights along either axis.
        y, x = _cubic((corners - corners.floor()).to(around)).unbind(1)
        lines = torch.stack([y[:, k, None, None] * around[:, k : k + height] for k in range(4)])
        across = lines.sum(0)
        patches = torch.stack([x[:, k, None, None] * across[..., k : k + width] for k in range(4)])
        # Splines overshoot at edges; a Bernoulli decoder needs [0, 1].
        within = patches.sum(0).clamp(self.image.min(), self.image.max())
        return within * filled[:, None, None]

    def _coefficients(self) -> Float[Tensor, "tall wide"]:
        """Return the cubic B-spline coefficients of the image, mirrored past its border."""
        if self._spline is None or self._spline[0] is not self.image:
            from scipy.ndimage import spline_filter

            values = spline_filter(self.image.double().cpu().numpy(), order=3, mode="mirror")
            padded = np.pad(values, ((1, 2), (1, 2)), mode="reflect")
            coefficients = torch.from_numpy(padded).to(self.device, torch.float32)
            self._spline = (self.image, coefficients)
        return self._spline[1]

    @property
    def centers(self) -> Float[np.ndarray, "rows cols 2"]:
        """Centre (y, x) of each patch in image pixels, NaN where a cell is empty."""
        centers = self._corners.numpy() + (np.array(self.patch_shape) - 1) / 2
        centers[~self._filled.numpy()] = np.nan
        return centers.reshape(*self.shape, 2)

    def sample(self, labels: Any) -> np.ndarray:
        """Return the value of an image-sized array at the centre of each patch.

        Empty cells of integers are -1, those of real or complex numbers NaN.
        """
        array = as_array(labels)
        array = array if array.dtype.kind in "fc" else self._whole_numbers(array)
        sampled = self._at_centers(array, np.nan_to_num(self.centers))
        if self.mask is not None:
            sampled[~self.mask.cpu().numpy()] = np.nan if array.dtype.kind in "fc" else -1
        return sampled

    def _whole_numbers(self, array: np.ndarray) -> np.ndarray:
        if self.mask is None:
            return array
        if array.dtype.kind not in "iu":
            raise TypeError(
                f"labels has dtype {array.dtype}, which has no value for a cell without a patch; "
                "pass integers (labels.astype(int): empty cells are -1) or floats (NaN)."
            )
        return array.astype(np.int64)


def _cubic(t: Float[Tensor, "n 2"]) -> Float[Tensor, "n 2 4"]:
    """Return the weights of four neighbouring coefficients, at t in [0, 1) past the second."""
    s = 1 - t
    middle = (2 / 3 - t**2 * (1 - t / 2), 2 / 3 - s**2 * (1 - s / 2))
    return torch.stack([s**3 / 6, *middle, t**3 / 6], dim=2)


def _checked_sites(sites: Any, shape: tuple[int, ...]) -> Float[np.ndarray, "n 2"]:
    """Return sites as float64 that are finite, inside the image, at least 4 and all different."""
    array = as_array(sites, "sites")
    if array.dtype.kind not in "fiu":
        raise TypeError(f"sites={brief(sites)} must be real numbers, shape (n, 2): (y, x), px.")
    if array.ndim != 2 or array.shape[1] != 2:
        raise ValueError(f"sites has shape {array.shape}, but must be (n, 2): (y, x) of each, px.")
    if len(array) < 4:
        raise ValueError(f"sites has {len(array)} site(s), but a lattice or a graph takes 4.")
    array = array.astype(np.float64)
    if not np.isfinite(array).all():
        first = int(np.argwhere(~np.isfinite(array))[0, 0])
        raise ValueError(
            f"sites[{first}] = {_rounded(array[first])} is not finite; drop such sites: "
            "sites[np.isfinite(sites).all(1)]."
        )
    # A column on the rim may be fitted a little beyond it; it then counts as near the border.
    outside = ((array < -1) | (array > np.array(shape))).any(1)
    if outside.any():
        first = int(outside.argmax())
        others = _others(int(outside.sum()) - 1, ", as do {} more")
        raise ValueError(
            f"sites[{first}] = {_rounded(array[first])} px (y, x) lies outside the image, "
            f"{shape[0]} x {shape[1]} px{others}; if yours are (x, y), pass sites[:, ::-1]."
        )
    from scipy.spatial import cKDTree

    near = cKDTree(array).query_pairs(0.01)
    if near:
        i, j = min(near)
        raise ValueError(
            f"sites[{i}] and sites[{j}] are the same, {_rounded(array[i])} px (y, x)"
            f"{_others(len(near) - 1, ', as are {} more pairs')}; keep one of each: "
            "np.unique(sites, axis=0)."
        )
    return array


def _checked_vectors(vectors: Any) -> Float[np.ndarray, "2 2"]:
    array = as_array(vectors, "vectors")
    if array.shape != (2, 2) or array.dtype.kind not in "fiu" or not np.isfinite(array).all():
        raise ValueError(
            f"vectors={brief(vectors)} must be ((y, x) from row to row, (y, x) from column to "
            "column), px, such as ((12, 0), (0, 12))."
        )
    array = array.astype(np.float64)
    area = abs(float(np.linalg.det(array)))
    if area < 0.05 * float(np.prod(np.hypot(*array.T))) or area == 0:
        raise ValueError(f"vectors={_rounded(array)} px (y, x) are parallel; a lattice takes two.")
    return array


def _spacing(sites: Float[np.ndarray, "n 2"]) -> float:
    """Return the median distance of a site to its nearest neighbour, px."""
    from scipy.spatial import cKDTree

    return float(np.median(cKDTree(sites).query(sites, 2)[0][:, 1]))


def _others(count: int, text: str) -> str:
    return text.format(count) if count else ""


def _rounded(values: np.ndarray) -> Any:
    return np.round(values, 2).tolist()
