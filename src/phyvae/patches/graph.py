"""A graph of neighbouring sites: it replaces the raster in physics losses and walls."""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from .._checks import as_integer, as_points, as_positive

__all__ = ["SiteGraph"]


@dataclass(frozen=True, eq=False)
class SiteGraph:
    r"""Graph of neighbouring sites with a weight for each pair.

    Parameters
    ----------
    sites
        Positions (y, x), px, shape (n, 2).
    edges
        Numbers of two neighbours, shape (m, 2), each pair once.
    weights
        Weight of each pair, shape (m,), >= 0. Those of `delaunay` are the length of the face
        between the sites' Voronoi cells over their distance (cotangent weights); with these,
        :math:`\sum_{ij} w_{ij} (z_j - z_i)^2` is :math:`\int |\nabla z|^2` for a `z` that is
        linear between sites. On a square raster they are 1, 0 for diagonals and 1/2 on the rim.

    Notes
    -----
    A physics loss sees ``values``, shape (channels, n), in place of a map; it is
    written with `differences`, `sums` and `slopes`; see `PhysicsLoss.on_graph`.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> sites = np.random.default_rng(0).uniform(0, 100, (50, 2))
    >>> graph = phyvae.SiteGraph.delaunay(sites)
    >>> values = torch.rand(2, len(graph))
    >>> bool(phyvae.TotalVariation().on_graph(values, graph) > 0)
    True
    """

    sites: Float[Tensor, "n 2"]
    edges: Int[Tensor, "m 2"]
    weights: Float[Tensor, " m"]

    @classmethod
    def delaunay(cls, sites: Any, longest: float | None = None) -> "SiteGraph":
        """Return the graph of the Delaunay triangulation.

        Parameters
        ----------
        sites
            Positions (y, x), px, shape (n, 2), n >= 4, not all on one line.
        longest
            Triangles with a wider circumscribed circle are cut off, px, > 0, so that no side is
            longer: at a ragged rim and across large holes they connect distant sites. The
            default is 2.5 times the median side, 1.8 times the widest circle of a square raster.
            A site all of whose triangles are cut off has no neighbour.
        """
        from scipy.spatial import Delaunay, QhullError

        points = as_points(sites)
        try:
            corners = Delaunay(points).simplices
        except QhullError:
            raise ValueError(
                f"sites: all {len(points)} lie on one line, so no triangle connects them; use "
                "SiteGraph.nearest(sites, k=2)."
            ) from None
        # Corner k of a triangle faces the side between the two others.
        sides = np.stack([corners[:, [1, 2]], corners[:, [2, 0]], corners[:, [0, 1]]], axis=1)
        lengths = np.hypot(*(points[sides[..., 1]] - points[sides[..., 0]]).transpose(2, 0, 1))
        limit = (
            2.5 * float(np.median(lengths))
            if longest is None
            else as_positive(longest, "longest", ", or None", unit=" px")
        )
        # Sites on one line but for rounding have a circle without end.
        circle = lengths.prod(1) / (2 * np.maximum(_areas(points[corners]), 1e-300))
        kept = circle <= limit
        first, second = points[sides[kept]].transpose(2, 0, 1, 3)
        opposite = points[corners[kept]]
        u, v = first - opposite, second - opposite
        cotangent = (u * v).sum(-1) / np.abs(u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0])
        pairs, which = np.unique(np.sort(sides[kept].reshape(-1, 2)), axis=0, return_inverse=True)
        weights = np.bincount(which.ravel(), cotangent.ravel() / 2, len(pairs))
        # Next to an obtuse triangle at the rim it is negative: the cells share no face there.
        weights = np.where(weights > 1e-9, weights, 0.0)
        return cls._of(points, pairs.reshape(-1, 2), weights)

    @classmethod
    def nearest(cls, sites: Any, k: int = 6) -> "SiteGraph":
        """Return the graph of the `k` nearest neighbours.

        Two sites are neighbours if either is among the nearest of the other, so that some sites
        have more than `k`. The weights of a site add up to about 4, as on a square raster.

        Parameters
        ----------
        sites
            Positions (y, x), px, shape (n, 2), n >= 4.
        k
            Neighbours of a site, 1 <= k < n.
        """
        from scipy.spatial import cKDTree

        points = as_points(sites)
        if as_integer(k, "k", 1) >= len(points):
            raise ValueError(f"k={k} neighbours must be fewer than the {len(points)} sites.")
        _, near = cKDTree(points).query(points, k + 1)
        pairs = np.stack([np.repeat(np.arange(len(points)), k + 1), near.ravel()], axis=1)
        pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]]), axis=0)
        degree = np.bincount(pairs.ravel(), minlength=len(points))
        return cls._of(points, pairs, (2 / degree[pairs]).sum(1))

    @classmethod
    def _of(cls, points: np.ndarray, pairs: np.ndarray, weights: np.ndarray) -> "SiteGraph":
        tensors = (torch.from_numpy(part) for part in (points, pairs.astype(np.int64), weights))
        return cls(*tensors)

    def __len__(self) -> int:
        return len(self.sites)

    def __repr__(self) -> str:
        return f"SiteGraph({len(self)} sites, {len(self.edges)} edges)"

    @property
    def lengths(self) -> Float[Tensor, " m"]:
        """Distance of each pair, px, shape (m,)."""
        ways = self.sites[self.edges[:, 1]] - self.sites[self.edges[:, 0]]
        lengths: Tensor = torch.linalg.vector_norm(ways, dim=1)
        return lengths

    @property
    def spacing(self) -> float:
        """Distance of neighbours, px: of `delaunay`, the root of the mean area of a site.

        Of `nearest`, the root of the neighbours' mean square distance; 0 without edges.
        """
        return math.sqrt(float((self.weights * self.lengths.square()).sum()) / (2 * len(self)))

    def to(self, device: torch.device | str) -> "SiteGraph":
        """Return the same graph on `device`."""
        return SiteGraph(*(x.to(device) for x in (self.sites, self.edges, self.weights)))

    def subgraph(self, index: Int[Tensor, " k"]) -> "SiteGraph":
        """Return the graph of some sites, renumbered in the order of `index`, all different.

        Pairs of which one site is not among them are left out.
        """
        index = index.to(self.edges.device)
        number = torch.full((len(self),), -1, device=index.device)
        number[index] = torch.arange(len(index), device=index.device)
        if int((number >= 0).sum()) < len(index):
            raise ValueError("index holds a site twice; pass each one once: index.unique().")
        pairs = number[self.edges]
        both = (pairs >= 0).all(1)
        return SiteGraph(self.sites[index], pairs[both], self.weights[both])

    def differences(self, values: Float[Tensor, "channels n"]) -> Float[Tensor, "channels m"]:
        """Return the step along each edge, from its first site to its second."""
        return values[:, self.edges[:, 1]] - values[:, self.edges[:, 0]]

    def sums(self, along: Float[Tensor, "channels m"]) -> Float[Tensor, "channels n"]:
        """Return the sum over the edges of each site, times their weights."""
        weighted = along * self.weights.to(along)
        total = along.new_zeros(len(along), len(self))
        for end in self.edges.unbind(1):
            total = total.index_add(1, end, weighted)
        return total

    def mean_square_gradient(
        self, values: Float[Tensor, "channels n"]
    ) -> Float[Tensor, " channels"]:
        r"""Return the mean over sites of :math:`\frac12 \sum_j w_{ij} (z_j - z_i)^2`."""
        return self.sums(self.differences(values).square()).mean(1) / 2

    def slopes(self, values: Float[Tensor, "channels n"]) -> Float[Tensor, "channels n 2"]:
        """Return the slope (along y, along x) at each site, per spacing of the sites.

        It is that of the weighted least-squares plane through the site and its neighbours; 0
        along a direction in which it has none.
        """
        steps = self.differences(values)[..., None] * self._plane[0].to(values)
        total = values.new_zeros(len(values), len(self), 2)
        for end in self.edges.unbind(1):
            total = total.index_add(1, end, steps)
        return torch.einsum("cni,nij->cnj", total, self._plane[1].to(values))

    @cached_property
    def _plane(self) -> tuple[Float[Tensor, "m 2"], Float[Tensor, "n 2 2"]]:
        """Weighted steps between sites, in spacings, and the inverse of their squares by site."""
        first, second = self.edges.unbind(1)
        ways = (self.sites[second] - self.sites[first]).double()
        weighted = ways * self.weights[:, None]
        squares = ways.new_zeros(len(self), 2, 2)
        outer = weighted[:, :, None] * ways[:, None, :]
        squares.index_add_(0, first, outer).index_add_(0, second, outer)
        spacing = self.spacing or 1.0
        inverse = torch.linalg.pinv(squares / spacing**2, rtol=1e-3, hermitian=True)
        return weighted / spacing, inverse


def _areas(triangles: Float[np.ndarray, "n 3 2"]) -> Float[np.ndarray, " n"]:
    (a, b, c) = triangles.transpose(1, 0, 2)
    return np.asarray(np.abs((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2)
