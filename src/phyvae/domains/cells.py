"""The mean cell of each domain: its patches, moved onto the lattice by their shifts."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import map_coordinates
from scipy.spatial import cKDTree

from .._checks import as_real
from ..patches.crops import SiteCrops
from ..patches.grid import PatchGrid
from .lattices import domain_cell, on_lattice
from .on_grid import depths_of, labels_of

__all__ = ["MeanCell", "mean_cells"]

_SAME = 2.0  # px between the places of two patches that show one site
_KEPT = 0.25  # share of a domain's patches that is kept at least, the deepest ones
_MOST = 4000  # patches of a domain: more add time only
_AT_ONCE = 2**20  # pixels


@dataclass(frozen=True, eq=False, repr=False)
class MeanCell:
    """Mean of the patches of a domain, moved onto the lattice.

    Attributes
    ----------
    label : int
        The domain.
    mean, std : ndarray
        Mean and standard deviation of the patches in each pixel, in the units of the image that
        the grid was made of, shape (height, width), or (length,) for spectra. NaN without patches.
    count : int
        Number of different places in the image that were averaged. Patches moved onto one site
        count once.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(phyvae.phantoms.bfo((160, 160), seed=0).image, size=24, step=24)
    >>> (cell,) = phyvae.mean_cells(grid, np.zeros(grid.shape, int))
    >>> cell.label, cell.mean.shape, bool((cell.error < cell.std).all())
    (0, (24, 24), True)
    """

    label: int
    mean: Float[np.ndarray, "*patch"]
    std: Float[np.ndarray, "*patch"]
    count: int

    @property
    def error(self) -> Float[np.ndarray, "*patch"]:
        """Standard error of the mean, ``std / count ** 0.5``, but for the lattice's place."""
        return np.asarray(self.std / max(self.count, 1) ** 0.5)

    def __repr__(self) -> str:
        shape = " x ".join(map(str, self.mean.shape))
        return f"MeanCell({self.label}: {shape}, mean of {self.count})"


def mean_cells(grid: PatchGrid, labels: Any, shifts: Any = None) -> tuple[MeanCell, ...]:
    """Return the mean patch of each domain, moved onto the lattice.

    Every patch is cut anew from the image at its centre plus its shift, where its content is that
    of the decoder without shift, and interpolated by cubic splines. If the domain has a lattice,
    these places are corrected by the local phases of its waves, by half a cell at most, and moved
    to the brightest place of the cell, so that domains can be compared.
    Patches that see another domain, or cells without a patch, are left out, as long as a quarter
    of the domain's patches is left. So are those that would reach beyond the image. Of more than
    4000, every second one counts, or third, and so on.

    Parameters
    ----------
    grid
        The patches.
    labels
        Domains, shape (rows, cols), whole numbers, -1: no patch.
    shifts
        Displacement of each patch from its content, px, shape (2, rows, cols), down and to the
        right positive: ``model.shifts(grid)`` or ``refined.shifts``; (1, rows, cols) for spectra.
        ``None`` if the model has none: the patches are averaged where they are.

    Returns
    -------
    tuple of MeanCell
        One per label except -1, ascending.

    Raises
    ------
    ValueError
        If labels or shifts do not fit the grid.

    Notes
    -----
    Patches at equivalent places of the lattice may have shifts that differ by a lattice vector:
    their means are the same.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> y, x = np.mgrid[:60, :80]
    >>> grid = phyvae.PatchGrid(np.sin(2 * np.pi * x / 10), size=12, step=7)
    >>> to_crest = (2.5 - grid.centers[..., 1]) % 10  # px, from each patch to a crest
    >>> shifts = np.stack([np.zeros(grid.shape), to_crest])
    >>> (cell,) = phyvae.mean_cells(grid, np.zeros(grid.shape, int), shifts)
    >>> cell
    MeanCell(0: 12 x 12, mean of 49)
    >>> bool(np.allclose(cell.mean[0], np.cos(2 * np.pi * (np.arange(12) - 5.5) / 10), atol=0.01))
    True
    """
    domains, moves = _checked(grid, labels, shifts)
    depths = depths_of(grid, domains)
    side = max(grid.patch_shape) if len(grid.patch_shape) == 2 else 1
    clear = (side + max(grid.step)) / 2  # a wall lies half a step before the next domain
    chosen = {}
    for label in np.unique(domains[domains != -1]).tolist():
        inside = np.flatnonzero(domains == label)
        depth = np.minimum(depths[inside], clear)
        inside = inside[depth >= np.quantile(depth, 1 - _KEPT)]
        inside = inside[:: 1 + len(inside) // _MOST]
        if shifts is not None and len(grid.patch_shape) == 2:
            inside = _on_lattice(grid, domains, label, inside, moves)
            inside = inside[_fits(grid, _corners(grid, moves)[inside])]
        chosen[label] = inside
    cut, places = _cut(grid, None if shifts is None else moves), _corners(grid, moves)
    return tuple(
        _mean_cell(grid, label, inside, cut, places[inside]) for label, inside in chosen.items()
    )


def _checked(grid: PatchGrid, labels: Any, shifts: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return labels (rows, cols) and shifts (cells, axes)."""
    domains, axes = labels_of(grid, labels), len(grid.patch_shape)
    if shifts is None:
        return domains, np.zeros((domains.size, axes))
    if grid.is_stack:
        raise ValueError(
            "shifts move patches in their image, which a stack of patches comes without; leave "
            "them out."
        )
    moves = np.array(as_real(shifts, "shifts"), np.float64)
    if moves.shape != (axes, *grid.shape):
        raise ValueError(
            f"shifts has shape {moves.shape}, but must be {(axes, *grid.shape)}: "
            "model.shifts(grid) of the same grid."
        )
    bad = ~np.isfinite(moves).all(axis=0) & (domains != -1)
    if bad.any():
        raise ValueError(
            f"shifts of {bad.sum()} cells with a label are NaN or infinite; label them -1, or "
            "refine with more steps."
        )
    return domains, moves.reshape(axes, -1).T.copy()


def _on_lattice(
    grid: PatchGrid, domains: np.ndarray, label: int, cells: np.ndarray, moves: np.ndarray
) -> np.ndarray:
    """Correct the moves of some patches to equivalent places of the domain's lattice.

    Return the patches that have room for its waves; all, if none have or there is no lattice.
    """
    try:
        vectors = domain_cell(grid, domains, label)
    except ValueError:  # no lattice
        return cells
    places = grid.centers.reshape(-1, 2)[cells] + moves[cells]
    moved, fits = on_lattice(grid.image.double().cpu().numpy(), places, vectors)
    if not fits.any():
        return cells
    moves[cells] += moved - places
    return np.asarray(cells[fits])


def _corners(grid: PatchGrid, moves: np.ndarray) -> Float[np.ndarray, "cells 2"]:
    """Return where the moved patches have their corners in the image, px; spectra do not move."""
    centres = grid.centers.reshape(-1, 2)
    if len(grid.patch_shape) == 1:
        return centres
    corners: np.ndarray = centres + moves - (np.array(grid.patch_shape) - 1) / 2
    return corners


def _fits(grid: PatchGrid, corners: np.ndarray) -> np.ndarray:
    """Return which patches stay in the image."""
    last = np.subtract(grid.image.shape, grid.patch_shape)
    return np.asarray(np.all((corners >= 0) & (corners <= last), axis=1))


def _cut(grid: PatchGrid, moves: np.ndarray | None) -> Callable[[np.ndarray], np.ndarray]:
    """Return the function that cuts the patches of some cells, moved if there are moves."""
    if moves is None or len(grid.patch_shape) == 1:

        def unmoved(cells: np.ndarray) -> np.ndarray:
            patches = grid.gather(torch.from_numpy(cells)).double().cpu().numpy()
            return patches if moves is None else _along_spectra(patches, moves[cells])

        return unmoved
    corners = torch.from_numpy(_corners(grid, moves))
    filled = torch.from_numpy(_fits(grid, corners.numpy()))
    crops = SiteCrops(grid.shape, grid.patch_shape, grid.step, corners, filled, subpixel=True)
    return lambda cells: crops.gather(grid.image, torch.from_numpy(cells)).double().cpu().numpy()


def _along_spectra(patches: np.ndarray, moves: np.ndarray) -> np.ndarray:
    """Return spectra at their points plus the shift."""
    count, length = patches.shape
    places = np.stack(np.broadcast_arrays(np.arange(count)[:, None], np.arange(length) + moves))
    return np.asarray(map_coordinates(patches, places, order=1, mode="nearest"))


def _mean_cell(
    grid: PatchGrid,
    label: int,
    cells: np.ndarray,
    cut: Callable[[np.ndarray], np.ndarray],
    places: np.ndarray,
) -> MeanCell:
    """Return the weighted mean over patches: those of one place have weight 1 together."""
    if not len(cells):
        nothing = np.full(grid.patch_shape, np.nan)
        return MeanCell(label, nothing, nothing, 0)
    near = cKDTree(places).query_ball_point(places, _SAME, return_length=True)
    weights = 1 / near if len(grid.patch_shape) == 2 else np.ones(len(cells))
    total, squares, share = 0.0, 0.0, weights.sum()
    for part in np.array_split(
        np.arange(len(cells)), 1 + len(cells) * math.prod(grid.patch_shape) // _AT_ONCE
    ):
        patches = cut(cells[part])
        weight = weights[part].reshape(-1, *(1,) * len(grid.patch_shape))
        total = total + (weight * patches).sum(0)
        squares = squares + (weight * patches**2).sum(0)
    low, high = grid.limits
    mean = total / share
    variance = np.maximum(squares / share - mean**2, 0) * share / max(share - 1, 1)
    return MeanCell(label, low + (high - low) * mean, (high - low) * variance**0.5, round(share))
