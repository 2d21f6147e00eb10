"""Maps of the content factors over a grid, without any training."""

from dataclasses import replace

import numpy as np
import torch
from jaxtyping import Float

from ..patches.grid import PatchGrid
from .components import Components, ScoreField, as_layer
from .content import AlignedFeatures
from .factors import Factors
from .window_scores import WindowScores

__all__ = ["factor_maps"]

_BATCH = 8192  # patches whose features are held at a time


def factor_maps(
    features: AlignedFeatures,
    factors: Factors,
    grid: PatchGrid,
    components: Components,
    count: int,
) -> Float[np.ndarray, "k rows cols"]:
    """Return up to `count` factors of a grid's patches, NaN where there is no patch."""
    scores = features.scores
    every = (1, *grid.windows.shape[:2])
    if isinstance(scores, ScoreField) and scores.scores.shape[:3] != every:  # of crops alone
        scores = WindowScores(grid.windows, as_layer(components))
    here = replace(features, scores=scores)
    size = np.array(grid.patch_shape)
    corners = grid.centers.reshape(-1, 2)[grid.indices.numpy()] - (size - 1) / 2
    whole = torch.from_numpy(corners.round().astype(np.int64)).to(components.mean.device)
    whole = torch.nn.functional.pad(whole, (1, 0))  # the first crop, which is the image
    parts = [factors(torch.cat(here(part), 1))[:, :count].cpu() for part in whole.split(_BATCH)]
    values = torch.cat(parts).T.numpy()
    maps = np.full((len(values), len(grid)), np.nan, np.float32)
    maps[:, grid.indices.numpy()] = values
    return maps.reshape(-1, *grid.shape)
