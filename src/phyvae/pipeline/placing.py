"""Walls where patches show half of either domain, as the model decodes them."""

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn.functional import normalize

from ..models import ShiftVAE
from ..patches.grid import PatchGrid

__all__ = ["placed"]

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
    measure of what a patch shows. So patches within half a patch of a wall are decoded, without
    their mean, and compared with the domains there, each as decoded from its typical content. A
    patch changes to another domain where that is nearer both as it is and at equal contrast.
    The first alone fails where images have less contrast near a wall, the second where one domain
    has much more contrast than the other.

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
    domains, shown = _patterns(model, typical), _patterns(model, contents[:, at_wall].T)
    own = torch.from_numpy(np.searchsorted(kinds, labels[at_wall]))[:, None]
    distance = torch.cdist(shown, domains)
    alike = normalize(shown) @ normalize(domains).T
    nearer = (distance < distance.gather(1, own)) & (alike > alike.gather(1, own))
    nearer &= torch.from_numpy(near[:, at_wall].T)
    nearer.scatter_(1, own, value=True)
    found = labels.copy()
    found[at_wall] = kinds[torch.where(nearer, distance, torch.inf).argmin(1).numpy()]
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
    """Return decoded patches of mean 0."""
    patches = model.decode(contents).flatten(1)
    return patches - patches.mean(1, keepdim=True)
