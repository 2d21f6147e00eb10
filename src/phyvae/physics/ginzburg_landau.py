"""Ginzburg-Landau energy of latent maps: variants at given levels, walls of a given width."""

import itertools
import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import as_choice, as_number, brief
from ..patches.graph import SiteGraph
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .checking import check_channels, check_length, check_neighbours
from .gradients import mean_square_gradient
from .masking import Cells, Maps, Scalar, Values, mean_over
from .standardising import scaled, standardise_values

__all__ = ["GinzburgLandau", "ModicaMortola"]

Wells = tuple[tuple[float, ...], ...]


class GinzburgLandau(PhysicsLoss):
    r"""Double or multi-well energy plus gradient (Modica–Mortola): domains and soft walls.

    .. math:: \Psi = \langle (1 - u^2)^2 \rangle + w^2 \langle |\nabla u|^2 \rangle,
        \qquad u = (z - m) / h

    with wells at :math:`u = \pm 1`, that is at :math:`m \pm h`. A straight wall costs least when
    its profile is :math:`\tanh(x / w)`: a sharper one pays for its gradient, a wider one for its
    cells between the wells.

    Without `wells` each channel is a map of its own, and its two wells are where the map itself
    has them: :math:`(z^2 - \gamma z - 1)^2`, with :math:`\gamma` the skewness of the standardised
    map :math:`z`, hence :math:`m = \gamma / 2` and :math:`h^2 = 1 + \gamma^2 / 4`. Its mean is the
    kurtosis minus the squared skewness minus 1, which is 0 for a map of two values, in whatever
    shares, and positive for any other (Pearson 1916).

    With `wells` :math:`a_k` the first term is :math:`\langle \prod_k |z - a_k|^2 \rangle`,
    relative to its value halfway between the two nearest wells, and :math:`h` is half their
    distance. All terms are dimensionless.

    Parameters
    ----------
    width
        :math:`w`, half the width of a wall, map pixels, or nm if there is a `pixel_size`; at least
        one map pixel.
    wells
        ``None``, or the values of each variant, at least two: numbers, which hold for each channel
        alone, or points with one coordinate a channel. With ``scaling="standard"`` in any units,
        since they are standardised as a map with equal shares of all variants would be; a map
        that has other shares pays for that.
    scaling
        ``"standard"``, or ``"none"``: the wells are values of the map as it is.
    pixel_size
        Height and width of a pixel of the scan, nm, or one number for both. Lengths then are in
        nm: a grid has its step, and a map by itself is taken for a scan.

    Notes
    -----
    ``scaling="none"`` breaks the laws "scale and offset of the latent do not matter" and "a flat
    map is free" on purpose: between the wells there is no rest.

    References
    ----------
    Modica & Mortola (1977), Un esempio di Γ-convergenza, Boll. Un. Mat. Ital. B 14, 285.
    Allen & Cahn (1979), https://doi.org/10.1016/0001-6160(79)90196-2.
    Pearson (1916), https://doi.org/10.1098/rsta.1916.0009. Wells that follow the map are ours.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> x = torch.arange(64.0) - 31.5
    >>> sharp, soft, wide = (torch.tanh(x / w).expand(1, 64, 64) for w in (0.1, 3.0, 12.0))
    >>> loss = phyvae.GinzburgLandau(width=3.0)
    >>> bool(loss(soft) < loss(sharp)), bool(loss(soft) < loss(wide))
    (True, True)
    """

    def __init__(
        self,
        width: float = 2.0,
        wells: Sequence[int | float | Sequence[int | float]] | None = None,
        *,
        scaling: Literal["standard", "none"] = "standard",
        pixel_size: float | tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        check_length(width, "width", pixel_size)
        self.scaling = as_choice(scaling, "scaling", ("standard", "none"))
        if wells is None and scaling == "none":
            raise ValueError('scaling="none" needs wells=[...]; else the map itself has them.')
        self.wells = None if wells is None else _as_wells(wells)
        self.width, self.pixel_size = width, pixel_size
        if pixel_size is None:
            self._in_map_pixels(SQUARE)

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the energy of a cell; the gradient is taken between cells that count."""
        check_neighbours(maps)
        z, counts = scaled(maps, mask, self.scaling)
        gradient = mean_square_gradient(z, counts, pixel.measured(self.pixel_size)[1])
        return self._energy(z, counts, gradient, self._in_map_pixels(pixel))

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the energy of a site; a map pixel is the sites' spacing."""
        z = standardise_values(values, graph, self.scaling)
        counts = torch.ones_like(z[:1], dtype=torch.bool)
        width = self._in_map_pixels(MapPixel.of_sites(graph))
        return self._energy(z[:, None], counts, graph.mean_square_gradient(z), width)

    def _in_map_pixels(self, pixel: MapPixel) -> float:
        """Return the width in map pixels, at least the longer edge of one."""
        size, edges = pixel.measured(self.pixel_size)
        cells = self.width / size / max(edges)
        if cells < 1:
            each = "" if self.pixel_size is None else f" of {size:.3g} nm"
            raise ValueError(
                f"width={self.width} is {cells:.3g} map pixels{each}, but a map "
                "cannot show walls below one; take a wider wall or a smaller step of the patches."
            )
        return self.width / size

    def _energy(
        self, z: Maps, counts: Cells, gradient: Float[Tensor, " channels"], width: float
    ) -> Scalar:
        """Return the energy, given the mean squared gradient of each map and w in its unit."""
        if self.wells is None:
            return self._double(z, counts, gradient, width)
        if len(self.wells[0]) == 1:
            each = zip(z, gradient, strict=True)
            return torch.stack(
                [self._multiple(one[None], counts, g, width) for one, g in each]
            ).mean()
        check_channels(z, "GinzburgLandau", len(self.wells[0]), len(self.wells[0]))
        return self._multiple(z, counts, gradient.sum(), width)

    def _double(
        self, z: Maps, counts: Cells, gradient: Float[Tensor, " channels"], width: float
    ) -> Scalar:
        """Return the energy with two wells where each standardised map has them."""
        skewness = mean_over(z**3, counts)
        depth = 1 + skewness.square() / 4  # h², half the wells' distance squared
        well = z.square() - skewness[:, None, None] * z - 1
        energy = mean_over(well.square(), counts) / depth.square()
        energy = energy + width**2 * gradient / depth
        flat = (z.detach() == 0).all(-1).all(-1)  # it sits in one well, wherever that is
        return torch.where(flat, 0.0, energy).mean()

    def _multiple(self, z: Maps, counts: Cells, gradient: Scalar, width: float) -> Scalar:
        """Return the energy with the given wells, of all channels together."""
        assert self.wells is not None
        wells = _standardised(self.wells) if self.scaling == "standard" else self.wells
        pair = min(itertools.combinations(wells, 2), key=lambda ends: math.dist(*ends))
        middle = [sum(ends) / 2 for ends in zip(*pair, strict=True)]
        barrier = math.prod(math.dist(middle, well) ** 2 for well in wells)
        well = torch.ones_like(z[0])
        for each in wells:
            parts = [(one - a).square() for one, a in zip(z, each, strict=True)]
            well = well * torch.stack(parts).sum(0)
        energy = mean_over(well, counts) / barrier
        energy = energy + width**2 * gradient / (math.dist(*pair) / 2) ** 2
        if self.scaling == "none":
            return energy
        return torch.where((z.detach() == 0).all(), 0.0, energy)

    def __repr__(self) -> str:
        wells = "" if self.wells is None else f", wells={self.wells}"
        size = "" if self.pixel_size is None else f", pixel_size={self.pixel_size}"
        return f"GinzburgLandau(width={self.width:g}{wells}, scaling={self.scaling!r}{size})"


ModicaMortola = GinzburgLandau
"""The mathematicians' name for `GinzburgLandau`."""


def _as_wells(wells: Sequence[int | float | Sequence[int | float]]) -> Wells:
    """Return the wells as points, checked; a number is a point of one coordinate."""
    if not isinstance(wells, Sequence) or isinstance(wells, str):
        raise TypeError(
            f"wells={brief(wells)} must be a list of values of the map: wells=[-1, 1]."
        )
    points = tuple(
        tuple(as_number(x, "wells") for x in (well if isinstance(well, Sequence) else (well,)))
        for well in wells
    )
    fits = len(set(points)) == len(points) >= 2 and len(set(map(len, points))) == 1
    if not fits or not points[0] or not all(map(math.isfinite, itertools.chain(*points))):
        raise ValueError(
            f"wells={wells} must be at least two different numbers, or points with one coordinate "
            "for each channel."
        )
    if any(len(set(coordinate)) == 1 for coordinate in zip(*points, strict=True)):
        raise ValueError(
            f"wells={wells} have one coordinate in which all are the same, so that channel "
            "does not separate the variants; leave it out, here and by OnChannels."
        )
    return points


def _standardised(wells: Wells) -> Wells:
    """Return the wells with mean 0 and standard deviation 1 in each coordinate."""
    columns = []
    for column in zip(*wells, strict=True):
        mean = sum(column) / len(column)
        deviation = math.sqrt(sum((a - mean) ** 2 for a in column) / len(column))
        columns.append([(a - mean) / deviation for a in column])
    return tuple(zip(*columns, strict=True))
