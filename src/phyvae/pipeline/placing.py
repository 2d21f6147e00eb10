"""Walls where patches show half of either domain, as the model decodes them."""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from ..models import ShiftVAE
from ..patches.grid import PatchGrid

__all__ = ["placed"]

_SIMILAR = 0.98  # correlation above which two domains differ by brightness and contrast alone

Labels = Int[np.ndarray, "rows cols"]


def placed(
    labels: Labels,
    maps: Float[Tensor, "channels rows cols"],
    signal: Float[np.ndarray, " used"],
    grid: PatchGrid,
    model: ShiftVAE,
) -> Labels:
    """Return the labels, with walls where patches show half of either domain.

    The midpoint of a latent between two domains is not that of the patches: a latent is no linear
    measure of what a patch shows, and where one domain has more contrast, or is brighter, a patch
    that holds little of it has a value near its own. So each patch within half a patch of a wall
    goes to the domain there whose mean content, decoded, correlates best with its own, decoded.
    Correlation is independent of brightness and contrast.

    Parameters
    ----------
    labels
        Domains of a raster of images; others are returned as they are.
    maps
        Content as the model decodes it, all channels.
    signal
        That of the first channels, which the labels are of; 0 of a channel that does not count.
    grid
        The patches.
    model
        The model.
    """
    kinds = np.unique(labels[labels >= 0])
    if len(kinds) < 2 or not grid.is_raster or len(grid.patch_shape) == 1:
        return labels
    wall = max(side / step for side, step in zip(grid.patch_shape, grid.step, strict=True))
    contents = _counting(maps, labels, signal)
    apart = np.stack([distance_transform_edt(labels != kind) for kind in kinds])
    typical = torch.stack([_typical(contents, one == 0, wall) for one in apart])
    near = apart <= (wall + 1) / 2
    at_wall = (near.sum(0) > 1) & (labels >= 0)
    if not at_wall.any():
        return labels
    domains = _patterns(model, typical)
    alike = _patterns(model, contents[:, at_wall].T) @ domains.T
    own = np.searchsorted(kinds, labels[at_wall])
    taken = near[:, at_wall].T & ((domains @ domains.T).numpy() < _SIMILAR)[own]
    taken[np.arange(len(own)), own] = True
    found = labels.copy()
    found[at_wall] = kinds[np.where(taken, alike.numpy(), -np.inf).argmax(1)]
    return found


def _counting(
    maps: Float[Tensor, "channels rows cols"], labels: Labels, signal: Float[np.ndarray, " used"]
) -> Float[Tensor, "channels rows cols"]:
    """Return the content with one value for each channel that does not count."""
    contents = maps.clone()
    for channel in range(len(contents)):
        if channel >= len(signal) or not signal[channel] > 0:
            contents[channel] = contents[channel][torch.from_numpy(labels >= 0)].median()
    return contents


def _typical(
    contents: Float[Tensor, "channels rows cols"], inside: np.ndarray, wall: float
) -> Float[Tensor, " channels"]:
    """Return the median content of a domain, further than a patch from its walls if any is."""
    deep = distance_transform_edt(inside) > wall
    return contents[:, torch.from_numpy(deep if deep.any() else inside)].median(1).values


def _patterns(
    model: ShiftVAE, contents: Float[Tensor, "n channels"]
) -> Float[Tensor, "n pixels"]:
    """Return decoded patches of mean 0 and norm 1."""
    patches = model.decode(contents).flatten(1)
    patches = patches - patches.mean(1, keepdim=True)
    return patches / patches.norm(dim=1, keepdim=True).clamp_min(1e-12)
