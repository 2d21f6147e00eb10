"""Several maps as one list of cells: scaled, smoothed, and their walls."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Shaped
from scipy.spatial import cKDTree

from ..patches.graph import SiteGraph
from ..patches.neighbours import Neighbours, neighbours_of
from ..physics import bilateral
from ..scans.intensities import robust_limits

__all__ = ["Series", "bilateral_over"]

_WIDTH = 5.0  # in space, of the bilateral filter, in cells or spacings of the sites
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
        return np.array([robust_limits(one, rare) for one in self.values()]).T

    def normalised(self, channels: Bool[np.ndarray, " channels"]) -> "Series":
        """Return some channels, each scaled from its `limits` to [0, 1]; 0 where no patch is."""
        low, high = self.limits()[:, channels, None, None]
        scaled = [
            np.where(patches, (maps[channels].clip(low, high) - low) / (high - low), 0.0)
            for maps, patches in zip(self.maps, self.patches, strict=True)
        ]
        return Series(scaled, self.patches, self.graphs)

    @torch.no_grad()
    def denoised(self, denoise: float | str) -> "Series":
        """Return the same images after a bilateral filter of each.

        `denoise` is the width in value; "std" takes the standard deviation of each map. The width
        in space is 5 cells, or spacings of the sites.
        """
        width, smooth = None if isinstance(denoise, str) else float(denoise), []
        for maps, there, graph in zip(self.maps, self.patches, self.graphs, strict=True):
            if graph is None:
                mask = None if there.all() else torch.from_numpy(there)
                found = bilateral(torch.from_numpy(maps), width, _WIDTH, mask=mask).numpy()
                smooth.append(np.where(there, found, maps))
                continue
            if not len(graph.edges):
                raise ValueError(
                    "a stack of patches has no neighbours to smooth over: denoise=None."
                )
            smooth.append(maps.copy())
            sites = graph.sites.cpu().numpy()[there[0]] / graph.spacing
            smooth[-1][:, there] = bilateral_over(maps[:, there], sites, width)
        return Series(smooth, self.patches, self.graphs)


def bilateral_over(
    values: Float[np.ndarray, "channels n"], sites: Float[np.ndarray, "n 2"], width: float | None
) -> Float[np.ndarray, "channels n"]:
    """Return filtered values of sites, in spacings; by parts, which bounds the memory."""
    color = values.std(axis=1)[:, None] if width is None else width
    tree, smooth = cKDTree(sites), values.copy()
    for part in np.array_split(np.arange(len(sites)), 1 + len(sites) // _SITES):
        near = cKDTree(sites[part]).sparse_distance_matrix(
            tree, 3 * _WIDTH, output_type="coo_matrix"
        )
        step = values[:, near.col] - values[:, part[near.row]]
        weights = np.exp(-((near.data / _WIDTH) ** 2) / 2 - (step / color) ** 2 / 2)
        for channel in range(len(values)):
            moved = np.bincount(near.row, weights[channel] * step[channel], len(part))
            total = np.bincount(near.row, weights[channel], len(part))
            smooth[channel, part] += moved / total
    return smooth
