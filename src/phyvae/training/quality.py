"""The quality of a model's latent maps without labels, on patches and noise that stay the same."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.spatial import cKDTree
from scipy.special import entr
from torch import Tensor

from ..alignment.factors import factors_of
from ..models import PatchModel, at_rest
from ..models.options import Decoding
from ..models.posterior import Posterior
from ..patches.grid import PatchGrid
from .batches import random_pixels

__all__ = ["Quality", "Sample", "distant_pairs", "mutual_information", "quality_of", "sample_of"]

_PAIRS = 2048  # of patches, of all grids
_AT_A_TIME = 512  # patches encoded
_DECODED = 256  # patches, of all grids
_BATCHES = 16  # that they are decoded in; the spread over them is the noise of −ELBO


@dataclass(frozen=True)
class Quality:
    """Quality of a model on a sample of patches.

    reconstruction, kl: Terms of −ELBO, nats per patch, one value per batch of patches.
    information: Mutual information of the latent maps at neighbouring patches that share no pixel,
        nats; see `mutual_information`.
    signal: Largest signal of a latent map, 0 to 1; see `Posterior.signal`.
    """

    reconstruction: list[float]
    kl: list[float]
    information: float
    signal: float

    def neg_elbo(self, beta: float) -> Float[np.ndarray, " batches"]:
        """Return −ELBO of each batch, nats per patch."""
        return np.array(self.reconstruction) + beta * np.array(self.kl)


@dataclass(frozen=True)
class Sample:
    """Patches of a grid that a model is judged by.

    index: Flat grid indices of the patches.
    pairs: Positions within `index` of two neighbours that share no pixel.
    """

    grid: PatchGrid
    index: Int[Tensor, " n"]
    pairs: Int[Tensor, "pairs 2"]


def sample_of(grids: Sequence[PatchGrid]) -> list[Sample]:
    """Return the sample of each grid, the same in every call."""
    rng, found = np.random.default_rng(0), []
    for grid in grids:
        chosen = np.sort(rng.permutation(grid.count)[: max(1, _PAIRS // 2 // len(grids))])
        pairs = distant_pairs(grid, chosen)
        used, positions = np.unique(pairs, return_inverse=True)
        if not len(pairs):
            used = chosen
        where = torch.from_numpy(positions.reshape(-1, 2))
        found.append(Sample(grid, grid.indices[torch.from_numpy(used)], where))
    return found


def distant_pairs(grid: PatchGrid, first: Int[np.ndarray, " n"]) -> Int[np.ndarray, "pairs 2"]:
    """Return for patches the next ones without a common pixel, below and to the right, if any.

    All are positions among the grid's filled cells. Overlapping patches share noise.
    """
    if grid.is_stack:
        return np.empty((0, 2), dtype=np.int64)
    centers = grid.centers.reshape(-1, grid.centers.shape[-1])[grid.indices.numpy()]
    step = np.array(grid.step, dtype=float)
    size = np.array(grid.patch_shape if len(grid.patch_shape) == 2 else step, dtype=float)
    tree, found = cKDTree(centers), [np.empty((0, 2), dtype=np.int64)]
    for axis in (0, 1):
        offset = np.zeros(2)
        offset[axis] = size[axis] + 0.499 * step[axis]  # never halfway between two
        _, there = tree.query(centers[first] + offset, distance_upper_bound=float(step.max()))
        pairs = np.stack([first, there], 1)[there < len(centers)]
        apart = np.abs(centers[pairs[:, 1]] - centers[pairs[:, 0]]) / size
        found.append(pairs[apart.max(1) >= 1 - 1e-9])
    return np.concatenate(found)


@torch.no_grad()
def quality_of(model: PatchModel, samples: Sequence[Sample], share: float) -> Quality:
    """Return the quality of a model, with a share of the patches' pixels; nothing is changed."""
    first, second, seen, terms = [], [], [], []
    like, count = model.like, _DECODED // _BATCHES
    generator = torch.Generator(like.device).manual_seed(0)
    pixels = random_pixels(math.prod(model.patch_shape), share, generator)
    decoding = Decoding(pixels, like.dtype, generator)
    per_grid = max(1, _BATCHES // len(samples))
    with at_rest(model):
        for sample in samples:
            parts = [
                model.posterior(sample.grid.data(index, like))
                for index in sample.index.split(_AT_A_TIME)
            ]
            seen += parts
            maps = torch.cat([one.mean for one in parts])[:, model.content].double().cpu().numpy()
            first.append(maps[sample.pairs[:, 0]])
            second.append(maps[sample.pairs[:, 1]])
            terms += _terms(model, sample, count, per_grid, decoding)
    both = Posterior(*(torch.cat([getattr(one, n) for one in seen]) for n in ("mean", "std")))
    signal = both.signal()[model.content]
    information = mutual_information(np.concatenate(first), np.concatenate(second))
    reconstruction, kl = map(list, zip(*terms, strict=True))
    return Quality(reconstruction, kl, information, float(signal.max()))


def _terms(
    model: PatchModel, sample: Sample, size: int, batches: int, decoding: Decoding
) -> list[tuple[float, float]]:
    """Return reconstruction and KL of batches of a sample."""
    order = torch.randperm(len(sample.index), generator=torch.Generator().manual_seed(0))
    found = []
    for chosen in sample.index[order].split(size)[:batches]:
        patches = sample.grid.data(chosen, model.like)
        parts = model.terms(patches, model.posterior(patches), 1.0, decoding)
        found.append((float(parts[0]), float(parts[1])))
    return found


def mutual_information(
    first: Float[np.ndarray, "pairs channels"], second: Float[np.ndarray, "pairs channels"]
) -> float:
    r"""Return the mutual information of the maps at two neighbours, as of maps of two values.

    .. math:: I = \sum_i \ln 2 + p_i \ln p_i + (1 - p_i) \ln(1 - p_i), \quad
        p_i = (1 + \rho_i) / 2

    over the positive autocorrelations ρ of their maximum autocorrelation factors; any linear
    mixture of the maps has the same. Domains make neighbours alike; noise, which patches without
    a common pixel do not share, does not. Gaussian values would have no limit as ρ approaches 1,
    and a slow change more in common than domains with a sharp wall.

    first, second: Latents of the first and the second of each pair.
    """
    if len(first) < 2:
        return 0.0
    both = np.concatenate([first, second])
    mean, spread = both.mean(0), both.std(0)
    kept = spread > 1e-6 * spread.max()
    if not kept.any():
        return 0.0
    one, two = (
        torch.from_numpy((part - mean)[:, kept] / spread[kept]) for part in (first, second)
    )
    values, _ = factors_of(one, two, 1e-6)  # classes add up to 1: their covariance is singular
    alike = (1 + values.clip(0, 1)) / 2
    return float((np.log(2) - entr(alike) - entr(1 - alike)).sum())
