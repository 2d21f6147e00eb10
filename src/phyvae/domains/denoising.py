"""The bilateral filter of latent maps, on a raster or on sites."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from scipy.spatial import cKDTree
from torch import Tensor

from ..patches.graph import SiteGraph
from ..patches.layout import Layout
from ..physics import bilateral

__all__ = ["BilateralFilter", "denoised"]

_SITES = 2000  # filtered at once; each has some 700 neighbours within 3 widths


@torch.no_grad()
def denoised(
    maps: Float[np.ndarray, "channels rows cols"],
    denoise: float | str,
    patches: Bool[np.ndarray, "rows cols"],
    graph: SiteGraph | None,
) -> Float[np.ndarray, "channels rows cols"]:
    """Filter each map where there are `patches`.

    `denoise` is the width in value; "std" takes the standard deviation of each map.
    """
    width = None if isinstance(denoise, str) else float(denoise)
    layout = Layout(patches.shape, graph=graph)
    values = layout.values(torch.from_numpy(np.where(patches, maps, np.nan)))
    smooth = layout.evaluate(BilateralFilter(width), values).reshape(maps.shape).numpy()
    return np.where(patches, smooth, maps)


@dataclass(frozen=True)
class BilateralFilter:
    """The bilateral filter of maps, NaN where there is no patch.

    Attributes
    ----------
    sigma_color
        Width in value; ``None`` takes the standard deviation of each map.
    sigma_spatial
        Width in space, in cells or in spacings of the sites.
    """

    sigma_color: float | None
    sigma_spatial: float = 5.0

    def __call__(
        self, maps: Float[Tensor, "channels rows cols"]
    ) -> Float[Tensor, "channels rows cols"]:
        """Filter maps of a raster."""
        there = ~maps.isnan().any(0)
        mask = None if there.all() else there
        return bilateral(maps, self.sigma_color, self.sigma_spatial, mask=mask)

    def on_graph(
        self, values: Float[Tensor, "channels n"], graph: SiteGraph
    ) -> Float[Tensor, "channels n"]:
        """Filter values of sites, over the sites within 3 `sigma_spatial`."""
        if not len(graph.edges):
            raise ValueError("a stack of patches has no neighbours to smooth over: denoise=None.")
        there = ~values.isnan().any(0)
        sites = graph.sites.cpu()[there].numpy() / graph.spacing
        smooth = values.clone()
        smooth[:, there] = torch.from_numpy(self._of_sites(values[:, there].numpy(), sites))
        return smooth

    def _of_sites(
        self, values: Float[np.ndarray, "channels n"], sites: Float[np.ndarray, "n 2"]
    ) -> Float[np.ndarray, "channels n"]:
        """Return the filtered values; a part of the sites at a time bounds the memory."""
        color = values.std(axis=1)[:, None] if self.sigma_color is None else self.sigma_color
        tree, smooth = cKDTree(sites), values.copy()
        for part in np.array_split(np.arange(len(sites)), 1 + len(sites) // _SITES):
            near = cKDTree(sites[part]).sparse_distance_matrix(
                tree, 3 * self.sigma_spatial, output_type="coo_matrix"
            )
            i, j = part[near.row], near.col
            step = values[:, j] - values[:, i]
            weights = np.exp(
                -((near.data / self.sigma_spatial) ** 2) / 2 - (step / color) ** 2 / 2
            )
            for channel in range(len(values)):
                moved = np.bincount(near.row, weights[channel] * step[channel], len(part))
                total = np.bincount(near.row, weights[channel], len(part))
                smooth[channel, part] += moved / total
        return smooth
