"""Several maps as one list of cells: scaled, smoothed, and their walls."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from scipy.spatial import cKDTree
from torch import Tensor

from ..patches.graph import SiteGraph
from ..patches.layout import Layout
from ..patches.neighbours import Neighbours, neighbours_of
from ..physics import bilateral
from ..scans.intensities import robust_limits

__all__ = ["BilateralFilter", "Series", "denoised"]

_SITES = 2000  # filtered at once; each has some 700 neighbours within 3 widths


@dataclass(frozen=True)
class Series:
    """Latent maps of images of any shapes, which have the same channels.

    maps: Of each image, shape (channels, rows, cols).
    patches: Of each image, which cells hold a patch, shape (rows, cols).
    graphs: Of each image, which sites are neighbours; ``None`` for a raster.
    """

    maps: list[Float[np.ndarray, "..."]]
    patches: list[Bool[np.ndarray, "..."]]
    graphs: list[SiteGraph | None]

    @property
    def channels(self) -> int:
        """Number of channels."""
        return len(self.maps[0])

    @property
    def cells(self) -> int:
        """Number of cells that hold a patch, in all images."""
        return int(sum(one.sum() for one in self.patches))

    def values(self) -> Float[np.ndarray, "channels n"]:
        """Return the values of all cells that hold a patch, one image after the other."""
        return self.listed(self.maps)

    def listed(self, maps: Iterable[Shaped[np.ndarray, "..."]]) -> Shaped[np.ndarray, "..."]:
        """Return values of maps, shape (..., rows, cols), at all cells that hold a patch."""
        parts = [one[..., patches] for one, patches in zip(maps, self.patches, strict=True)]
        return np.concatenate(parts, axis=-1)

    def laid_out(
        self, values: Shaped[np.ndarray, " n"], elsewhere: int
    ) -> list[Shaped[np.ndarray, "rows cols"]]:
        """Return the map of each image: the inverse of `listed`."""
        ends = np.cumsum([patches.sum() for patches in self.patches])[:-1]
        laid = [np.full(patches.shape, elsewhere, dtype=values.dtype) for patches in self.patches]
        for one, patches, part in zip(laid, self.patches, np.split(values, ends), strict=True):
            one[patches] = part
        return laid

    def walls(self) -> Neighbours:
        """Return the pairs of neighbours in all images, numbered as `values` lists the cells.

        Lengths are in cells of a raster, and in spacings of the sites of a graph. A map of one
        row or column without a graph may be a list of sites in any order: there, no cells are
        neighbours.
        """
        found, start = [], 0
        for patches, graph in zip(self.patches, self.graphs, strict=True):
            pairs = neighbours_of(patches.shape, patches, graph, diagonals=True)
            if graph is None and min(patches.shape) == 1:
                pairs = pairs.where(np.zeros(len(pairs), dtype=bool))
            number = start + np.cumsum(patches.ravel()) - 1
            unit = 1.0 if graph is None or not len(pairs) else float(np.median(pairs.lengths))
            ends = number[pairs.first], number[pairs.second]
            found.append((*ends, pairs.lengths / unit, pairs.weights / unit))
            start += int(patches.sum())
        first, second, lengths, weights = map(np.concatenate, zip(*found, strict=True))
        return Neighbours(first, second, lengths, weights, self.cells)

    def limits(self) -> Float[np.ndarray, "2 channels"]:
        """Return the least and largest value of each channel, without single cells far beyond.

        A thousandth of the cells, and two at least, set no limit: a domain has more.
        """
        rare = max(0.1, 250 / self.cells) if self.cells > 10 else 0.0
        return np.asarray(np.array([robust_limits(one, rare) for one in self.values()]).T)

    def normalised(self, channels: Bool[np.ndarray, " channels"]) -> "Series":
        """Return some channels, each scaled from its `limits` to [0, 1]; 0 where no patch is."""
        low, high = self.limits()[:, channels, None, None]
        scaled = [
            np.where(patches, (maps[channels].clip(low, high) - low) / (high - low), 0.0)
            for maps, patches in zip(self.maps, self.patches, strict=True)
        ]
        return Series(scaled, self.patches, self.graphs)

    def denoised(self, denoise: float | str) -> "Series":
        """Return the same images after a bilateral filter of each."""
        each = zip(self.maps, self.patches, self.graphs, strict=True)
        smooth = [denoised(maps, denoise, patches, graph) for maps, patches, graph in each]
        return Series(smooth, self.patches, self.graphs)


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

    sigma_color: Width in value; ``None`` takes the standard deviation of each map.
    sigma_spatial: Width in space, in cells or in spacings of the sites.
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
