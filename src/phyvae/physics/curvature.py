"""Curvature of domain walls in latent maps: straight walls are free."""

import math

import torch
from torch import Tensor

from .._checks import as_nonnegative, sides_of
from ..patches.graph import SiteGraph
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .checking import check_neighbours
from .finite import length, ratio
from .masking import Cells, Maps, Scalar, Values, eroded
from .standardising import scaled, standardise_values

__all__ = ["Curvature"]

_SLIGHT = 1e-3  # slope in standard deviations a map pixel, below which there is no wall to bend


class Curvature(PhysicsLoss):
    r"""Mean curvature of the walls, :math:`|\kappa| = |\nabla \cdot (\nabla z / |\nabla z|)|`.

    .. math:: \Psi = \frac{\sum |\nabla z|\,|\kappa|}{\sum |\nabla z|}

    of the standardised map (mean 0, standard deviation 1 per channel), after a Gaussian filter;
    the sums run over inner cells and channels. A straight wall is nearly free in any direction, a
    circle of radius R costs 1/R. So :math:`\Psi` has the unit of 1/length: 1/map pixel, or 1/nm
    with a `pixel_size`. The length of walls is free here: add a `TotalVariation`.

    Parameters
    ----------
    smoothing
        Standard deviation of the Gaussian filter, map pixels, or nm if there is a `pixel_size`;
        >= 0. A wall of one cell's width is a staircase, whose steps are no curvature: 2 map
        pixels (the default, ``None``) hide them.
    pixel_size
        Height and width of a pixel of the scan, nm, or one number for both. Lengths then are in
        nm: a grid has its step, and a map by itself is taken for a scan.

    References
    ----------
    Chan, Kang & Shen (2002), Euler's elastica and curvature-based inpainting,
    https://doi.org/10.1137/S0036139901390088. There the square of the curvature is summed.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> y, x = torch.meshgrid(torch.arange(40.0), torch.arange(40.0), indexing="ij")
    >>> disc = (torch.hypot(y - 20, x - 20) < 10).float()
    >>> wall = (y - 20 < 0.4 * (x - 20)).float()
    >>> loss = phyvae.Curvature()
    >>> round(float(loss(disc[None])), 1), bool(loss(wall[None]) < 0.03)
    (0.1, True)
    """

    def __init__(
        self,
        smoothing: float | None = None,
        *,
        pixel_size: float | tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        sides_of(pixel_size)
        if smoothing is not None:
            as_nonnegative(smoothing, "smoothing", "; 0 is off, None 2 map pixels")
        self.smoothing, self.pixel_size = smoothing, pixel_size

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the mean curvature; with a mask, of cells whose eight neighbours all count."""
        check_neighbours(maps, 3, "a curvature")
        z, counts = scaled(maps, mask)
        size, (height, width) = pixel.measured(self.pixel_size)
        sigma = self._sigma(size)
        if sigma > 0:
            z = _smooth(z, counts, (sigma / height, sigma / width))
        inner = eroded(counts)
        middle = z[:, 1:-1, 1:-1]
        up, down, left, right = z[:, :-2, 1:-1], z[:, 2:, 1:-1], z[:, 1:-1, :-2], z[:, 1:-1, 2:]
        y, x = (down - up) / (2 * height), (right - left) / (2 * width)
        yy, xx = (down - 2 * middle + up) / height**2, (right - 2 * middle + left) / width**2
        yx = z[:, 2:, 2:] - z[:, 2:, :-2] - z[:, :-2, 2:] + z[:, :-2, :-2]
        return _mean(y, x, yy, yx / (4 * height * width), xx, inner) / size

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the mean curvature at the sites; their spacing is the map pixel.

        The filter is a diffusion along the edges. Slopes come from planes through the neighbours,
        and their slopes are the second derivatives. Disorder of the sites bends walls: among
        sites scattered at random, a straight one costs as much as a circle of 9 spacings' radius
        (of 15 with ``smoothing=4``), on a square lattice as one of 50.
        """
        z = standardise_values(values, graph)
        size = MapPixel.of_sites(graph).measured(self.pixel_size)[0]
        sigma = self._sigma(size)
        if sigma > 0:
            z = _diffused(z, graph, sigma)
        y, x = graph.slopes(z).unbind(-1)
        (yy, yx), (xy, xx) = (graph.slopes(slope).unbind(-1) for slope in (y, x))
        return _mean(y, x, yy, (yx + xy) / 2, xx, torch.ones_like(y, dtype=torch.bool)) / size

    def _sigma(self, size: float) -> float:
        """Return the width of the Gaussian filter in map pixels, of this size."""
        return 2.0 if self.smoothing is None else self.smoothing / size

    def __repr__(self) -> str:
        return f"Curvature(smoothing={self.smoothing}, pixel_size={self.pixel_size})"


def _mean(y: Tensor, x: Tensor, yy: Tensor, yx: Tensor, xx: Tensor, inner: Tensor) -> Scalar:
    """Return the mean curvature of first and second derivatives, cell by cell."""
    bending = (yy * x.square() - 2 * yx * y * x + xx * y.square()).abs()
    bending = bending / (y.square() + x.square() + _SLIGHT**2)  # |∇z| |κ|
    slope = length(torch.stack([y, x]), dim=0)
    total = torch.where(inner, slope, 0.0).sum()
    bent = torch.where(inner, bending, 0.0).sum()
    return ratio(bent, total)


def _smooth(z: Maps, counts: Cells, sigmas: tuple[float, float]) -> Maps:
    """Return the Gaussian mean of the cells that count."""
    weight = counts.to(z)[None]
    for dim, sigma in zip((-2, -1), sigmas, strict=True):
        z, weight = _spread(z, sigma, dim), _spread(weight, sigma, dim)
    return ratio(z, weight)


def _diffused(z: Values, graph: SiteGraph, sigma: float) -> Values:
    """Return values spread along the edges as by a Gaussian filter, `sigma` in spacings.

    A step moves each value by a share of the way to the weighted mean of its neighbours, which
    spreads it by 2 `share` / `degree` spacings squared along each axis.
    """
    degree = graph.sums(torch.ones_like(z[:1, :1]).expand(1, len(graph.edges)))
    typical = float(degree.mean())
    steps = max(1, math.ceil(sigma**2 * typical))
    share = sigma**2 * typical / (2 * steps)
    for _ in range(steps):
        total = z.new_zeros(z.shape)
        for here, there in (graph.edges.unbind(1), graph.edges.flip(1).unbind(1)):
            total = total.index_add(1, here, z[:, there] * graph.weights.to(z))
        mean = torch.where(degree > 0, total / degree.clamp(min=1e-9), z)
        z = z + share * (mean - z)
    return z


def _spread(z: Maps, sigma: float, dim: int) -> Maps:
    """Return the sum over neighbours along an axis with Gaussian weights; 0 beyond the map."""
    size, radius = z.shape[dim], math.ceil(3 * sigma)
    total = z
    for k in range(1, min(radius, size - 1) + 1):
        weight, none = math.exp(-((k / sigma) ** 2) / 2), torch.zeros_like(z.narrow(dim, 0, k))
        after = torch.cat([z.narrow(dim, k, size - k), none], dim)
        before = torch.cat([none, z.narrow(dim, 0, size - k)], dim)
        total = total + weight * (after + before)
    return total
