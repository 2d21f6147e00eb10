"""SL1: the edges of latent maps, as the energy of domain walls."""

import math
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from .._checks import as_choice, as_number, as_positive
from ..patches.graph import SiteGraph
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .checking import check_maps, check_values
from .filtering import bilateral
from .finite import length
from .gradients import padded, scharr
from .masking import Cells, Maps, Scalar, Values, eroded, masked
from .standardising import rounding_errors, scaled

__all__ = ["SL1", "EdgeLoss"]


class EdgeLoss(PhysicsLoss):
    r"""Mean Scharr edge magnitude of the latent maps (SL1): few, sharp domain walls.

    .. math:: \Psi = \Big\langle \sqrt{(g_y^2 + g_x^2) / 2} \Big\rangle \ge 0

    where :math:`g` are the Scharr gradients of the map, standardised (mean 0, standard deviation
    1 per channel); the mean runs over cells and channels. With `sigma_spatial` > 0 the map passes
    through a bilateral filter in between, as in the paper. Every step carries gradient.

    Parameters
    ----------
    sigma_color
        Width of the bilateral filter in value, in standard deviations of the map (in units of
        the scaled map for the other scalings); ``None`` takes the standard deviation of the
        scaled map itself.
    sigma_spatial
        Width of the bilateral filter in space, map pixels. The default, 0, is no filter: a loss
        that does not see the noise of a map does not lower it either.
    scaling
        ``"standard"``, or the paper's ``"minmax"`` (each map to [0, 1]), or ``"none"``.
    reduction
        ``"mean"`` over cells, or the paper's ``"sum"``. Channels are always averaged.

    Notes
    -----
    The paper's numbers: ``EdgeLoss(sigma_spatial=5, scaling="minmax", reduction="sum")`` is its
    formula with gradient, and ``published(maps)`` its scikit-image evaluation to the digit. The
    two differ slightly, since scikit-image's bilateral filter departs from the filter's formula.

    References
    ----------
    Biswas, Ziatdinov & Kalinin (2023), https://arxiv.org/abs/2302.04216. Evaluated there in
    NumPy, so without gradient; this one is differentiable.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> wall = torch.zeros(1, 32, 32)
    >>> wall[:, 16:] = 1
    >>> noise = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> loss = phyvae.EdgeLoss()
    >>> bool(0 < loss(wall) < loss(noise))
    True
    """

    def __init__(
        self,
        sigma_color: float | None = None,
        sigma_spatial: float = 0.0,
        *,
        scaling: Literal["standard", "minmax", "none"] = "standard",
        reduction: Literal["mean", "sum"] = "mean",
    ) -> None:
        super().__init__()
        if sigma_color is not None:
            as_positive(sigma_color, "sigma_color", "; None is the map's own standard deviation")
        if not 0 <= as_number(sigma_spatial, "sigma_spatial") < 1e6:
            raise ValueError(
                f"sigma_spatial={sigma_spatial} map pixels must lie in [0, 1e6); 0 is off."
            )
        self.sigma_color, self.sigma_spatial = sigma_color, sigma_spatial
        self.scaling = as_choice(scaling, "scaling", ("standard", "minmax", "none"))
        self.reduction = as_choice(reduction, "reduction", ("mean", "sum"))

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the mean edge magnitude; with a mask, over cells whose neighbours all count."""
        maps = self._scaled(maps, mask)
        if self.sigma_spatial > 0:
            maps = bilateral(
                maps, self.sigma_color, self.sigma_spatial, mask=mask, edges=pixel.edges
            )
        edges = scharr(maps, pixel.edges).mean(0)
        if mask is None:
            return edges.mean() if self.reduction == "mean" else edges.sum()
        inner = eroded(padded(mask.to(maps)[None])[0] > 0)
        total = (edges * inner).sum()
        return total / inner.sum().clamp(min=1) if self.reduction == "mean" else total

    def _scaled(self, maps: Tensor, mask: Tensor | None) -> Tensor:
        if self.scaling == "minmax":
            return _minmax(maps, mask)
        return scaled(maps, mask, self.scaling)[0]

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        r"""Return :math:`\sqrt 2` times the mean slope at the sites, as Scharr's edges have it.

        The slope is that of the least-squares plane through a site and its neighbours, per
        spacing of the sites (`SiteGraph.slopes`). On a square raster it is the slope between the
        neighbours on both sides, where Scharr's kernel smooths across a little, too.
        """
        check_values(values, graph)
        if self.sigma_spatial > 0:
            raise ValueError(
                f"sigma_spatial={self.sigma_spatial:g}: the bilateral filter needs a raster of "
                "(rows, cols), but these sites have no lattice; use EdgeLoss()."
            )
        slopes = graph.slopes(self._scaled(values[:, None], None)[:, 0])
        edges = 2**0.5 * length(slopes, dim=-1).mean(0)
        return edges.mean() if self.reduction == "mean" else edges.sum()

    def published(self, maps: Maps) -> float:
        """Return the authors' number: min-max, scikit-image's bilateral and Scharr, summed."""
        from skimage.filters import scharr as skimage_scharr
        from skimage.restoration import denoise_bilateral

        check_maps(maps, None)
        total = 0.0
        for z in maps.detach().cpu().double().numpy():
            if np.ptp(z) == 0:
                continue  # their min-max divides 0 by 0 here; a flat map has no edges
            unit = (z - z.min()) / np.ptp(z)
            total += skimage_scharr(
                denoise_bilateral(unit, sigma_color=None, sigma_spatial=5)
            ).sum()
        return float(total / len(maps))

    def __repr__(self) -> str:
        return f"EdgeLoss(sigma_color={self.sigma_color}, sigma_spatial={self.sigma_spatial:g})"


SL1 = EdgeLoss
"""The paper's name for `EdgeLoss`."""


def _minmax(maps: Maps, mask: Cells | None) -> Maps:
    """Return each map scaled to [0, 1], with gradient; a flat map becomes 0."""
    maps, counts = masked(maps, mask)  # no NaN, which would reach all gradients
    low = torch.where(counts, maps, math.inf).amin((-2, -1), keepdim=True)
    high = torch.where(counts, maps, -math.inf).amax((-2, -1), keepdim=True)
    maps = torch.where(counts, maps, low)  # else the gradient of a NaN that nobody sees is NaN
    varies = high - low > rounding_errors(maps)
    span = torch.where(varies, high - low, 1.0)
    return torch.where(counts, (maps - low) / span, 0.0)
