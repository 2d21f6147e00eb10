"""A second opinion on domains: do descriptors without training divide the image alike?"""

import numpy as np
import numpy.typing as npt
from torch import Tensor

from .._checks import as_label_map
from ..domains.metrics import adjusted_rand_index
from ..domains.segmentation import segment
from ..models.untrained import quick_maps
from ..patches.crops import RasterCrops
from ..patches.grid import PatchGrid
from ..patches.registration import NoLatticeError

__all__ = ["second_opinion"]

_PATCHES = 5_000  # of which descriptors are computed, about


def second_opinion(labels: npt.ArrayLike | Tensor, grid: PatchGrid) -> dict[str, float]:
    """Return how well domains agree with those of maps that need no training.

    The two maps of each descriptor of `quick_maps` are segmented into as many domains. On grids of
    more than 10 000 patches, every second, third, ... row and column are compared.

    Parameters
    ----------
    labels
        Domains, such as those of a trained model, shape (rows, cols); -1 is no patch, and does
        not count.
    grid
        The patches.

    Returns
    -------
    dict
        The adjusted Rand index by the descriptor's name: "autocorrelation", "fourier" and
        "registered"; on sites "pca" instead of "registered"; of spectra "pca" alone. NaN where
        the image has no lattice to register on.

    Raises
    ------
    ValueError
        If `labels` are not on the grid's cells, or hold fewer than two domains.

    Notes
    -----
    Descriptors fail in different ways, so agreement with one of them is evidence for the domains.
    Disagreement is no evidence against them: "autocorrelation" and "fourier" do not separate a
    pattern from its inversion, and "registered" needs one lattice.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.nio_lsmo((300, 300), seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=12)
    >>> agreement = phyvae.second_opinion(grid.sample(phantom.domains), grid)
    >>> {kind: index > 0.7 for kind, index in agreement.items()}
    {'autocorrelation': True, 'fourier': True, 'registered': True}
    """
    found = as_label_map(labels)
    if found.shape != grid.shape:
        raise ValueError(
            f"labels of shape {found.shape} must have a label for each cell of the grid, "
            f"{grid.shape}."
        )
    held = found != -1
    if grid.mask is not None:
        held &= grid.mask.cpu().numpy()
    classes = len(np.unique(found[held]))
    if classes < 2:
        raise ValueError(
            f"labels hold {classes} domain(s), but an agreement takes two; is there more than "
            "one? phyvae.count_domains."
        )
    grid, every = _coarser(grid)
    found, held = found[every], held[every]
    return {kind: _agreement(found, held, grid, kind, classes) for kind in _kinds(grid)}


def _coarser(grid: PatchGrid) -> tuple[PatchGrid, tuple[slice, slice]]:
    """Return a grid of every second, third, ... row and column where there are many, and these."""
    apart = 1 if not grid.is_raster else max(1, round((len(grid) / _PATCHES) ** 0.5))
    every = np.s_[::apart, ::apart]
    if apart == 1:
        return grid, every
    filled = None if grid.mask is None else grid.mask[every]
    rows, cols = (-(-n // apart) for n in grid.shape)
    step = grid.step[0] * apart, grid.step[1] * apart
    crops = RasterCrops((rows, cols), grid.patch_shape, step, filled)
    return PatchGrid.of_crops(grid.image, grid.limits, crops), every


def _kinds(grid: PatchGrid) -> tuple[str, ...]:
    """Return the descriptors that suit a grid."""
    if len(grid.patch_shape) == 1 or grid.is_stack:
        return ("pca",)
    return ("autocorrelation", "fourier", "registered" if grid.is_raster else "pca")


def _agreement(
    labels: np.ndarray, held: np.ndarray, grid: PatchGrid, kind: str, classes: int
) -> float:
    """Return the agreement of labels with the domains of one descriptor."""
    try:
        maps = quick_maps(grid, kind)
    except NoLatticeError:
        return float("nan")
    other = segment(maps, classes, mask=held, graph=grid.graph)
    return adjusted_rand_index(np.where(held, labels, -1), other)
