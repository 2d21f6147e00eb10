"""A stack of patches as a grid has them: one mosaic, in which none has neighbours."""

import math
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Shaped

from .._checks import brief
from ..scans.intensities import as_intensities
from ..scans.objects import scans_of
from .crops import SiteCrops
from .graph import SiteGraph
from .sites import PlacedSites

__all__ = ["as_stack", "mosaic_of"]


def as_stack(patches: Any) -> Shaped[np.ndarray, "n height width"]:
    """Check that patches are real, finite and of one size; an axis of one channel is left out."""
    if getattr(patches, "ndim", 0) == 4 and patches.shape[1] == 1:
        patches = patches[:, 0]
    found = scans_of(patches, "patches") if getattr(patches, "ndim", 3) == 3 else None
    shapes = {one.image.shape for one in found} if isinstance(found, list) else set()
    if not isinstance(found, list) or len(shapes) > 1 or min(shapes.pop()) < 2:
        raise ValueError(
            f"patches={brief(patches)} must be a stack of one size, (n, height, width), each at "
            "least 2 px; an image goes to PatchGrid(image, size=...), spectra to "
            "PatchGrid.from_spectra."
        )
    return as_intensities(np.stack([one.image for one in found]), "patches")


def mosaic_of(
    stack: Shaped[np.ndarray, "n height width"],
) -> tuple[Float[np.ndarray, "tall wide"], PlacedSites]:
    """Return a nearly square image with the patches row by row, and where they lie in it."""
    count, height, width = stack.shape
    across = max(1, round(math.sqrt(count * height / width)))
    down = math.ceil(count / across)
    tiles = np.full((down * across, height, width), stack.min(), np.float64)
    tiles[:count] = stack
    rows = tiles.reshape(down, across, height, width).swapaxes(1, 2)
    cells, size = np.arange(count), (height, width)
    corners = np.stack(np.divmod(cells, across), axis=1) * np.array(size, np.float64)
    sites = corners + (np.array(size) - 1) / 2
    nothing = torch.empty(0, 2, dtype=torch.int64)
    graph = SiteGraph(torch.from_numpy(sites), nothing, torch.empty(0, dtype=torch.float64))
    filled = torch.ones(count, dtype=torch.bool)
    crops = SiteCrops((1, count), size, size, torch.from_numpy(corners), filled)
    placed = PlacedSites(crops, sites[None], cells, None, graph, near_border=0, off_lattice=0)
    return rows.reshape(down * height, across * width), placed
