"""SL1: the energy of domain walls, as the edges of the latent maps."""

import math
from collections.abc import Iterator
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor

from .._checks import as_number, brief
from ..patches.graph import SiteGraph
from .base import PhysicsLoss, check_maps, check_scaling, check_values, length, standardise

__all__ = ["SL1", "EdgeLoss", "bilateral", "scharr"]


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
        if sigma_color is not None and not 0 < as_number(sigma_color, "sigma_color") < math.inf:
            raise ValueError(f"sigma_color={sigma_color} must be > 0, or None for the map's own.")
        if not 0 <= as_number(sigma_spatial, "sigma_spatial") < 1e6:
            raise ValueError(
                f"sigma_spatial={sigma_spatial} map pixels must lie in [0, 1e6); 0 is off."
            )
        check_scaling(scaling, ("standard", "minmax", "none"))
        if not isinstance(reduction, str) or reduction not in ("mean", "sum"):
            raise ValueError(f"reduction={brief(reduction)} must be 'mean' or 'sum'.")
        self.sigma_color, self.sigma_spatial = sigma_color, sigma_spatial
        self.scaling, self.reduction = scaling, reduction

    def forward(
        self,
        maps: Float[Tensor, "channels rows cols"],
        mask: Bool[Tensor, "rows cols"] | None = None,
    ) -> Float[Tensor, ""]:
        """Return the mean edge magnitude; with a mask, over cells whose neighbours all count."""
        check_maps(maps, mask)
        maps = self._scaled(maps, mask)
        if self.sigma_spatial > 0:
            maps = bilateral(maps, self.sigma_color, self.sigma_spatial, mask=mask)
        edges = scharr(maps)
        if mask is None:
            return edges.mean(0).mean() if self.reduction == "mean" else edges.mean(0).sum()
        whole = -F.max_pool2d(_replicated(-mask.to(maps)[None, None]), 3, stride=1)[0, 0]
        total = (edges.mean(0) * whole).sum()
        return total / whole.sum().clamp(min=1) if self.reduction == "mean" else total

    def _scaled(self, maps: Tensor, mask: Tensor | None) -> Tensor:
        if self.scaling == "standard":
            return standardise(maps, mask)
        if self.scaling == "minmax":
            return _minmax(maps, mask)
        return maps if mask is None else torch.where(mask, maps, 0.0)  # not NaN

    def on_graph(self, values: Float[Tensor, "channels n"], graph: SiteGraph) -> Float[Tensor, ""]:
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

    def published(self, maps: Float[Tensor, "channels rows cols"]) -> float:
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


def scharr(maps: Float[Tensor, "channels rows cols"]) -> Float[Tensor, "channels rows cols"]:
    """Return the Scharr edge magnitude of each map, equal to `skimage.filters.scharr`."""
    smooth = maps.new_tensor([3.0, 10.0, 3.0]) / 16
    kernel = torch.outer(maps.new_tensor([1.0, 0.0, -1.0]), smooth)
    kernels = torch.stack([kernel, kernel.T])[:, None]
    gradients = F.conv2d(_replicated(maps[:, None]), kernels)
    return length(gradients, dim=1) / 2**0.5


def bilateral(
    maps: Float[Tensor, "channels rows cols"],
    sigma_color: float | None = None,
    sigma_spatial: float = 1.0,
    *,
    mask: Bool[Tensor, "rows cols"] | None = None,
) -> Float[Tensor, "channels rows cols"]:
    r"""Return the bilateral filter of each map, differentiable.

    .. math:: \tilde z_i = \frac{\sum_j w_{ij} z_j}{\sum_j w_{ij}}, \quad
        w_{ij} = \exp\Big(-\frac{|x_i - x_j|^2}{2\sigma_s^2}
        - \frac{(z_i - z_j)^2}{2\sigma_c^2}\Big)

    over a square window of :math:`\pm 3\sigma_s`, edges replicated; masked-out cells have
    weight 0. Without gradient it takes the memory of a few maps; with it, of the whole window
    (:math:`(6\sigma_s + 1)^2` maps).

    Parameters
    ----------
    maps
        Shape (channels, rows, cols).
    sigma_color
        :math:`\sigma_c` in the map's units; ``None`` takes each map's standard deviation.
    sigma_spatial
        :math:`\sigma_s`, map pixels, > 0.
    mask
        Cells that count, shape (rows, cols).

    References
    ----------
    Tomasi & Manduchi (1998), Bilateral filtering for gray and color images,
    https://doi.org/10.1109/ICCV.1998.710815
    """
    weight = torch.ones_like(maps[:1]) if mask is None else mask.to(maps)[None]
    maps = torch.where(weight > 0, maps, 0.0)
    color = (
        _deviation(maps, weight)[..., 0] if sigma_color is None else maps.new_tensor(sigma_color)
    )
    scaled = maps / (2**0.5 * color)
    radius = math.ceil(3 * sigma_spatial)
    padded, counted = (_replicated(z[:, None], radius)[:, 0] for z in (scaled, weight))
    offset = torch.arange(-radius, radius + 1, device=maps.device).to(maps) / sigma_spatial
    exponent = -(offset[:, None] ** 2 + offset**2) / 2
    moved, total = torch.zeros_like(maps), torch.zeros_like(maps)
    for rows, cols in _pieces(2 * radius + 1, maps.numel()):
        step = _neighbours(padded, rows, cols, maps.shape) - scaled
        weights = (exponent[rows, cols].reshape(-1, 1, 1, 1) - step.square()).exp()
        if mask is not None:
            weights = weights * _neighbours(counted, rows, cols, maps.shape)
        moved = moved + (weights * step).sum(0)
        total = total + weights.sum(0)
    return maps + torch.where(total > 0, moved / total.clamp(min=1e-30), 0.0) * 2**0.5 * color


def _pieces(side: int, cells: int, most: int = 2**19) -> Iterator[tuple[slice, slice]]:
    """Cut a window into pieces: rows of it that make `most` weights, or single offsets.

    A small map takes its window in one piece, which is fast; a large map goes offset by offset,
    in the memory of a few maps (torch sums over two or three offsets slowly).
    """
    rows, cols = max(1, most // (cells * side)), side if cells * side <= most else 1
    for y in range(0, side, rows):
        for x in range(0, side, cols):
            yield slice(y, min(y + rows, side)), slice(x, x + cols)


def _neighbours(
    padded: Float[Tensor, "n rows2 cols2"], rows: slice, cols: slice, shape: torch.Size
) -> Float[Tensor, "offsets n rows cols"]:
    """Return every cell's neighbours at these offsets of the window, as a leading axis."""
    near = padded[:, rows.start : rows.stop + shape[1] - 1, cols.start : cols.stop + shape[2] - 1]
    windows = near.unfold(1, rows.stop - rows.start, 1).unfold(2, cols.stop - cols.start, 1)
    return windows.movedim((3, 4), (0, 1)).flatten(0, 1)


def _replicated(maps: Float[Tensor, "n 1 rows cols"], width: int = 1) -> Float[Tensor, "n 1 r c"]:
    # "replicate" is what SciPy, hence scikit-image, calls "nearest" or, at width 1, "reflect".
    return F.pad(maps, (width,) * 4, mode="replicate")


def _deviation(
    maps: Float[Tensor, "channels rows cols"], weight: Float[Tensor, "1 rows cols"]
) -> Float[Tensor, "channels 1 1 1"]:
    """Return each map's standard deviation, with gradient; 1 on a flat map."""
    share = weight / weight.sum()
    mean = (maps * share).sum((-2, -1), keepdim=True)
    variance = ((maps - mean).square() * share).sum((-2, -1), keepdim=True)
    return torch.where(variance > 0, variance, 1.0).sqrt()[..., None]


def _minmax(
    maps: Float[Tensor, "channels rows cols"], mask: Bool[Tensor, "rows cols"] | None
) -> Float[Tensor, "channels rows cols"]:
    """Return each map scaled to [0, 1], with gradient; a flat map becomes 0."""
    counts = torch.ones_like(maps[0], dtype=torch.bool) if mask is None else mask
    maps = torch.where(counts, maps, 0.0)  # not NaN, which would reach all gradients
    low = torch.where(counts, maps, math.inf).amin((-2, -1), keepdim=True)
    high = torch.where(counts, maps, -math.inf).amax((-2, -1), keepdim=True)
    maps = torch.where(counts, maps, low)  # else the gradient of a NaN that nobody sees is NaN
    span = torch.where(high > low, high - low, 1.0)
    return torch.where(counts, (maps - low) / span, 0.0)
