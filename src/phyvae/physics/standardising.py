"""Standardised latent maps: mean 0 and standard deviation 1 per channel."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..patches.graph import SiteGraph
from .checking import check_maps, check_values
from .masking import Cells, Maps, Values, masked

__all__ = [
    "ROUNDING",
    "deviation_of",
    "moments",
    "rounding_errors",
    "scaled",
    "standardise",
    "standardise_values",
]

ROUNDING = 16
"""Differences up to so many units in the last place may be rounding errors."""


def standardise(maps: Maps, mask: Cells | None = None) -> Maps:
    """Return each map with mean 0 and standard deviation 1; a flat map becomes 0.

    The mean and the deviation carry gradient. Without it, training lowers a loss by shrinking or
    offsetting the map.

    Parameters
    ----------
    maps
        Latent maps, shape (channels, rows, cols).
    mask
        Cells that count, shape (rows, cols), bool; the others become 0, and with them all if
        none counts.

    Raises
    ------
    ValueError
        If the maps have other axes (channels last), or are no floats.

    Examples
    --------
    >>> import torch
    >>> from phyvae import standardise
    >>> z = standardise(torch.rand(2, 9, 7))
    >>> torch.allclose(z.std(dim=(1, 2), correction=0), torch.ones(2))
    True
    """
    check_maps(maps, mask)
    return _standardised(maps, mask)


def standardise_values(values: Values, graph: SiteGraph, scaling: str = "standard") -> Values:
    """Return values at sites, checked, with mean 0 and standard deviation 1 per channel.

    A physics loss needs little more for sites without a lattice (`PhysicsLoss.on_graph`)::

        z = standardise_values(values, graph)
        return graph.sums(graph.differences(z).square()).mean() / 2

    is the mean squared slope. `scaling` "none" only checks.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> import phyvae
    >>> graph = phyvae.SiteGraph.delaunay(np.random.default_rng(0).uniform(0, 100, (50, 2)))
    >>> z = phyvae.physics.standardise_values(torch.arange(50.0)[None], graph)
    >>> round(float(z.std(correction=0)), 3)
    1.0
    """
    check_values(values, graph)
    return _standardised(values[:, None], None)[:, 0] if scaling == "standard" else values


def scaled(maps: Maps, mask: Cells | None, scaling: str = "standard") -> tuple[Maps, Cells]:
    """Return checked maps, standardised if `scaling` is "standard", and which cells count.

    The other cells are 0.
    """
    return masked(_standardised(maps, mask) if scaling == "standard" else maps, mask)


def moments(
    maps: Maps, weight: Float[Tensor, "rows cols"]
) -> tuple[Maps, Float[Tensor, "channels 1 1"], Bool[Tensor, "channels 1 1"]]:
    """Return the maps minus their mean, their standard deviation, and which maps are flat.

    Each cell has a weight, 0 or 1; the deviation of a flat map is 1.
    """
    share = weight / weight.sum().clamp(min=1)
    centred = maps - (maps * share).sum(dim=(-2, -1), keepdim=True)
    variance = (centred.square() * share).sum(dim=(-2, -1), keepdim=True)
    return centred, *deviation_of(variance, rounding_errors(maps))


def rounding_errors(maps: Float[Tensor, "*channels rows cols"]) -> Float[Tensor, "*channels 1 1"]:
    """Return the largest difference within each map that rounding alone may have made."""
    largest = maps.detach().abs().amax((-2, -1), keepdim=True)
    return ROUNDING * torch.finfo(maps.dtype).eps * largest


def deviation_of(
    variance: Float[Tensor, "..."], rounding: Float[Tensor, "..."]
) -> tuple[Float[Tensor, "..."], Bool[Tensor, "..."]]:
    """Return the standard deviation, 1 for a flat map, and which maps are flat.

    A map that varies by rounding errors only is flat: dividing them by their own size would turn
    them into structure, and the root has no gradient at zero.
    """
    flat = variance.detach() <= rounding.square()
    # Values whose squares overflow have no variance: better not a number than taken for flat.
    variance = torch.where(variance.isinf(), torch.nan, variance)
    flat = flat & variance.isfinite()
    return torch.where(flat, 1.0, variance).sqrt(), flat


def _standardised(maps: Maps, mask: Cells | None) -> Maps:
    weight = torch.ones_like(maps[0]) if mask is None else mask.to(maps)
    maps = torch.where(weight > 0, maps, 0.0)  # not a product: NaN * 0 is NaN
    centred, deviation, flat = moments(maps, weight)
    return torch.where(flat | (weight == 0), 0.0, centred / deviation)
