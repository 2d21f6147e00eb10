"""What the encoder says of the windows around each patch, and of the image with other noises."""

from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..patches.windows import Corners, clamped, crop
from .descent import Problem, coins

__all__ = ["other_noises", "said_around"]

_ALONG = 5  # windows along either axis; more of them share too much to say more


@torch.no_grad()
def said_around(
    problem: Problem, image: Float[Tensor, "height width"], around: int
) -> tuple[Float[Tensor, "n z_dim"], Float[Tensor, "n z_dim"]]:
    """Return the encoder's means for each patch of an image, twice.

    In the first ones content is a mean over windows, the second ones are of the patch alone. The
    windows lie up to `around` px away from the patch along either axis, on both sides alike. At
    the border of the image the nearest that fit take their place.
    """
    model, windows = problem.model, problem.grid.of(image).windows
    corners, line = _corners(problem), torch.linspace(-around, around, min(_ALONG, 2 * around + 1))
    steps = line.round().long().to(corners.device)
    said, own = [], []
    for rows, data in problem.batches():
        there = [
            clamped(windows, corners[rows] + torch.stack([dy, dx])) for dy in steps for dx in steps
        ]
        answers = [
            model.posterior(data.showing(crop(windows, one).to(model.like))).mean for one in there
        ]
        own.append(answers[len(answers) // 2])
        mean = own[-1].clone()
        mean[:, model.content] = torch.stack(answers)[:, :, model.content].mean(0)
        said.append(mean)
    return torch.cat(said), torch.cat(own)


@torch.no_grad()
def other_noises(
    problem: Problem,
    latents: Float[Tensor, "n z_dim"],
    samples: int,
    generator: torch.Generator,
) -> Iterator[Float[Tensor, "height width"]]:
    """Yield the image with other noises: what the decoder leaves of each pixel, random in sign.

    It draws each patch from its latents. Where patches overlap, the decoder says the mean of what
    it draws in each. Pixels in no patch stay as they are.
    """
    grid, image = problem.grid, problem.grid.image
    number = torch.arange(image.numel(), device=image.device, dtype=torch.float64)
    numbered = grid.of(number.reshape(image.shape))
    drawn, count = torch.zeros_like(image.flatten()), torch.zeros_like(image.flatten())
    for rows, data in problem.batches():
        pixels = numbered.gather(grid.indices[rows]).flatten().long()
        means = problem.model.pixel_means(latents[rows], data).flatten().to(drawn)
        drawn.index_add_(0, pixels, means)
        count.index_add_(0, pixels, torch.ones_like(means))
    clean = (drawn / count.clamp(min=1)).reshape(image.shape)
    clean = torch.where(count.reshape(image.shape) > 0, clean, image)
    for _ in range(samples):
        yield clean + coins(image.shape, generator).to(image) * (image - clean)


def _corners(problem: Problem) -> Corners:
    """Return the top left pixel of each patch."""
    grid = problem.grid
    centers = grid.centers.reshape(-1, 2)[grid.indices.numpy()]
    corners = np.floor(centers - (np.array(grid.patch_shape) - 1) / 2 + 0.5).astype(np.int64)
    return torch.from_numpy(corners).to(grid.device)
