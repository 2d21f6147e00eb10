"""The bilateral filter of latent maps, on a raster or on sites."""

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree

from ..patches.graph import SiteGraph
from ..physics import bilateral

__all__ = ["denoised"]

_WIDTH = 5.0  # of the bilateral filter, cells
_SITES = 2000  # each has some 700 neighbours within 3 widths


@torch.no_grad()
def denoised(
    maps: Float[np.ndarray, "channels rows cols"],
    denoise: float | str,
    patches: Bool[np.ndarray, "rows cols"],
    graph: SiteGraph | None,
) -> Float[np.ndarray, "channels rows cols"]:
    """Filter each map, with its own standard deviation as width in value for "std"."""
    sigma_color = None if isinstance(denoise, str) else float(denoise)
    if graph is not None:
        there = patches[0]
        smooth = maps.copy()
        sites = graph.sites.cpu().numpy()[there] / graph.spacing
        smooth[:, 0, there] = _bilateral_of_sites(maps[:, 0, there], sites, sigma_color, _WIDTH)
        return smooth
    mask = None if patches.all() else torch.from_numpy(patches)
    filtered: np.ndarray = bilateral(
        torch.from_numpy(maps), sigma_color, _WIDTH, mask=mask
    ).numpy()
    return filtered


def _bilateral_of_sites(
    values: Float[np.ndarray, "channels n"],
    sites: Float[np.ndarray, "n 2"],
    sigma_color: float | None,
    sigma_spatial: float,
) -> Float[np.ndarray, "channels n"]:
    """Return the bilateral filter over the sites within 3 `sigma_spatial`, a part at a time."""
    color = values.std(axis=1)[:, None] if sigma_color is None else sigma_color
    tree, smooth = cKDTree(sites), values.copy()
    for part in np.array_split(np.arange(len(sites)), 1 + len(sites) // _SITES):
        near = cKDTree(sites[part]).sparse_distance_matrix(
            tree, 3 * sigma_spatial, output_type="coo_matrix"
        )
        i, j = part[near.row], near.col
        step = values[:, j] - values[:, i]
        weights = np.exp(-((near.data / sigma_spatial) ** 2) / 2 - (step / color) ** 2 / 2)
        for channel in range(len(values)):
            moved = np.bincount(near.row, weights[channel] * step[channel], len(part))
            total = np.bincount(near.row, weights[channel], len(part))
            smooth[channel, part] += moved / total
    return smooth
