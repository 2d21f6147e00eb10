"""Encoder's means of a patch, averaged over the windows around it."""

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..patches.known import Patches
from ..patches.windows import Corners, clamped, crop
from .encoded_grid import EncodedGrid

__all__ = ["window_means"]

_LINE = 3  # windows along either axis: five have given the same maps and spreads


@torch.no_grad()
def window_means(
    data: EncodedGrid, image: Float[Tensor, "height width"], around: int
) -> tuple[Float[Tensor, "n z_dim"], Float[Tensor, "n z_dim"]]:
    """Return the encoder's means for each patch of an image, over windows and of the patch alone.

    In the first ones content is averaged over windows up to `around` px away from the patch along
    either axis, on both sides alike. At the border of the image, the nearest window that fits
    replaces one that does not.
    """
    model, windows = data.model, data.grid.of(image).windows
    corners, line = _corners(data), torch.linspace(-around, around, min(_LINE, 2 * around + 1))
    steps = line.round().long().to(corners.device)

    def of_batch(rows: Tensor, patches: Patches) -> tuple[Tensor, Tensor]:
        around_patch = [
            clamped(windows, corners[rows] + torch.stack([dy, dx])) for dy in steps for dx in steps
        ]
        means = [
            model.posterior(patches.showing(crop(windows, one).to(model.like))).mean
            for one in around_patch
        ]
        own = means[len(means) // 2]
        mean = own.clone()
        mean[:, model.content] = torch.stack(means)[:, :, model.content].mean(0)
        return mean, own

    averaged, own = zip(*data.over_batches(of_batch), strict=True)
    return torch.cat(averaged), torch.cat(own)


def _corners(data: EncodedGrid) -> Corners:
    """Return the top left pixel of each patch."""
    grid = data.grid
    centers = grid.centers.reshape(-1, 2)[grid.indices.numpy()]
    corners = np.floor(centers - (np.array(grid.patch_shape) - 1) / 2 + 0.5).astype(np.int64)
    return torch.from_numpy(corners).to(grid.device)
