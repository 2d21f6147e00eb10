"""Labels that belong to a patch grid, and their depth in a domain."""

from typing import Any

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial import cKDTree

from .._checks import as_label_map
from ..patches.grid import PatchGrid

__all__ = ["check_places", "depths_of", "labels_of"]


def labels_of(grid: PatchGrid, labels: Any) -> Int[np.ndarray, "rows cols"]:
    """Check that labels are those of a grid; cells without a patch become -1."""
    domains = as_label_map(labels)
    if domains.shape != grid.shape:
        raise ValueError(
            f"labels has shape {domains.shape}, but the grid has {grid.shape}; pass the labels of "
            "its maps."
        )
    if grid.mask is None:
        return domains
    return np.asarray(np.where(grid.mask.cpu().numpy(), domains, -1))


def check_places(grid: PatchGrid) -> None:
    """Raise an error if the patches of a grid have no places."""
    if grid.is_stack:
        raise ValueError(
            "a stack of patches has no places, so its domains have neither areas nor walls; count "
            "its patches: np.bincount(labels.ravel())."
        )


def depths_of(
    grid: PatchGrid, domains: Int[np.ndarray, "rows cols"]
) -> Float[np.ndarray, " cells"]:
    """Return the distance of each patch from the next one of another domain or without one, px."""
    centres, flat = grid.centers.reshape(-1, 2), domains.ravel()
    depths, there = np.full(len(centres), np.inf), np.isfinite(centres).all(1)
    for label in np.unique(flat[flat != -1]):
        own, others = flat == label, there & (flat != label)
        if others.any():
            depths[own] = cKDTree(centres[others]).query(centres[own])[0]
    return depths
