"""Principal components of an image's windows, and their scores at every pixel."""

import itertools
import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils import skip_init

from ..models.sliding import first_layer
from ..patches.grid import PatchGrid
from ..patches.windows import crop, random_corners

__all__ = [
    "Components",
    "Corners",
    "ScoreField",
    "as_layer",
    "principal_components",
    "score_field",
    "scores_of",
]

Corners = Int[Tensor, "n 3"]
"""Windows by their crop, and the top left pixel (y, x) in it."""

_COUNT = 48  # components; the rest of a window is mostly noise
_SAMPLES = 2048  # windows that the components are those of
_WINDOWS = 2**20  # of a larger image crops are taken, so that memory and time are bounded
_CROP = 256  # windows along either side of a crop


@dataclass(frozen=True)
class Components:
    """Principal components of windows.

    Attributes
    ----------
    mean
        Mean window.
    directions
        Orthonormal components, one a row, the strongest first.
    spread
        Standard deviation of the windows along each of them.
    """

    mean: Float[Tensor, " pixels"]
    directions: Float[Tensor, "components pixels"]
    spread: Float[Tensor, " components"]


@dataclass(frozen=True)
class ScoreField:
    """Scores of the windows at every pixel of an image, or of crops of it.

    Attributes
    ----------
    scores
        Projections of (window - mean window) on the components; the last column is the mean of
        the window's pixels.
    patch_shape
        (height, width) of a window, px.
    """

    scores: Float[Tensor, "crops ys xs columns"]
    patch_shape: tuple[int, ...]

    def random(self, count: int, generator: torch.Generator) -> Corners:
        """Sample windows uniformly, with replacement."""
        shape = torch.tensor(self.scores.shape[:3], device=generator.device)
        random = torch.rand(count, 3, generator=generator, device=generator.device)
        return (random * shape).long().minimum(shape - 1)

    def clamped(self, corners: Corners) -> Corners:
        """Return the nearest windows of the same crops."""
        limit = torch.tensor(self.scores.shape[:3], device=corners.device) - 1
        return corners.clamp(min=0).minimum(limit)

    def moved(self, corners: Corners, offset: Int[Tensor, "n 2"]) -> Corners:
        """Return the windows at an offset, px, or the nearest to it in the same crop."""
        return self.clamped(torch.cat([corners[:, :1], corners[:, 1:] + offset], 1))

    def neighbours(self, corners: Corners, generator: torch.Generator) -> Corners:
        """Sample for each window another one at 1 to 1.3 patch sizes in a random direction.

        The two share no pixel, or along diagonals the corner. If the second would leave the
        crop, the opposite direction is taken; in a crop of less than two patches the two overlap.
        """
        random = torch.rand(2, len(corners), generator=generator, device=corners.device)
        angle = 2 * torch.pi * random[0]
        step = torch.stack([angle.sin(), angle.cos()], 1) * (1 + 0.3 * random[1])[:, None]
        offset = (step * corners.new_tensor(self.patch_shape)).round().long()
        there = torch.cat([corners[:, :1], corners[:, 1:] + offset], 1)
        outside = (there != self.clamped(there)).any(1, keepdim=True)
        return self.moved(corners, torch.where(outside, -offset, offset))

    def __call__(self, corners: Corners) -> Float[Tensor, "n columns"]:
        """Return the scores of windows."""
        _, ys, xs, _ = self.scores.shape
        flat = (corners[:, 0] * ys + corners[:, 1]) * xs + corners[:, 2]
        return self.scores.flatten(0, 2).index_select(0, flat)


@torch.no_grad()
def principal_components(grid: PatchGrid, like: Tensor, generator: torch.Generator) -> Components:
    """Return the strongest components of random windows, by subspace iteration."""
    windows = grid.windows
    patches = crop(windows, random_corners(windows, _SAMPLES, generator)).to(like).flatten(1)
    mean = patches.mean(0)
    patches = patches - mean
    count = min(_COUNT, *patches.shape)
    size = (patches.shape[1], min(count + 8, patches.shape[1]))
    basis = torch.randn(size, generator=generator, device=like.device, dtype=like.dtype)
    for _ in range(4):
        basis, _ = torch.linalg.qr(patches.T @ (patches @ basis))
    _, spread, rotation = torch.linalg.svd(patches @ basis, full_matrices=False)
    directions = (basis @ rotation.T).T[:count]
    return Components(mean, directions.contiguous(), spread[:count] / len(patches) ** 0.5)


@torch.no_grad()
def score_field(grid: PatchGrid, components: Components, generator: torch.Generator) -> ScoreField:
    """Return the scores of the windows at every pixel where one fits; of a large image, of crops.

    They are correlations of the image with the components, by Fourier transforms: their cost does
    not depend on the size of a patch.
    """
    layer = as_layer(components)
    height, width = grid.patch_shape
    crops = [scores_of(layer, image, (height, width)) for image in _crops(grid, generator)]
    return ScoreField(torch.stack(crops), (height, width))


@torch.no_grad()
def as_layer(components: Components) -> nn.Linear:
    """Return the projection on the components, and the mean of a window, as a layer."""
    pixels = len(components.mean)
    count = len(components.directions) + 1
    layer: nn.Linear = skip_init(nn.Linear, pixels, count).to(components.mean)
    flat = torch.full_like(components.mean, 1 / pixels)[None]
    layer.weight.copy_(torch.cat([components.directions, flat]))
    layer.bias.copy_(-layer.weight @ components.mean)
    layer.bias[-1] = 0
    return layer


@torch.no_grad()
def scores_of(
    layer: nn.Linear, image: Float[Tensor, "height width"], size: tuple[int, int]
) -> Float[Tensor, "ys xs columns"]:
    """Return a layer's output for the windows of an image at every pixel."""
    # A crop may be constant, which no scan may be: the grid is laid over a ramp first.
    ramp = torch.linspace(0, 1, image.numel()).reshape(image.shape)
    windows = PatchGrid(ramp, size, 1, percentiles=None).of(image)
    scores = layer.weight.new_empty(len(windows), len(layer.weight))
    for index, values in first_layer(layer, windows, len(windows)):
        scores[index] = values
    return scores.reshape(*windows.shape, -1)


def _crops(grid: PatchGrid, generator: torch.Generator) -> list[Float[Tensor, "height width"]]:
    """Return the image, or crops of equal size at random places in a raster of them."""
    ys, xs = grid.windows.shape[:2]
    if ys * xs <= _WINDOWS:
        return [grid.image]
    sizes = list(zip((ys, xs), grid.patch_shape, strict=True))
    counts = [min(n, max(_CROP, 3 * size)) for n, size in sizes]
    side = max(1, int((_WINDOWS / math.prod(counts)) ** 0.5))
    crops = []
    for places in itertools.product(range(side), repeat=2):
        random = torch.rand(2, generator=generator, device=generator.device).tolist()
        starts = [
            int((i + r) / side * (n - count))
            for i, r, (n, _), count in zip(places, random, sizes, counts, strict=True)
        ]
        down, across = (
            slice(start, start + count + size - 1)
            for start, count, (_, size) in zip(starts, counts, sizes, strict=True)
        )
        crops.append(grid.image[down, across])
    return crops
