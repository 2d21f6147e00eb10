"""Maximum autocorrelation factors: functions of a patch that change least between neighbours."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import eigh
from sklearn.decomposition import PCA
from torch import Tensor

__all__ = ["Factors", "features", "maximum_autocorrelation"]

# Principal components of a block of features. More of them mean more chance correlation, and
# domains differ in the first few.
_COMPONENTS = 24


@dataclass(frozen=True)
class Factors:
    """Linear functions of features, of mean 0 and variance 1, the most autocorrelated first."""

    mean: Float[Tensor, " features"]
    weights: Float[Tensor, "features factors"]
    autocorrelations: Float[np.ndarray, " factors"]

    def __call__(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n factors"]:
        """Return the factors' values."""
        return (features - self.mean) @ self.weights


def features(
    aligned: Float[Tensor, "n height width"], patches: Float[Tensor, "n height width"]
) -> tuple[Float[Tensor, "n pixels"], Float[Tensor, "n waves"]]:
    """Return features that do not depend on where the lattice sits in a patch, in two blocks.

    The pixels of patches that were moved onto the lattice separate sublattices; the magnitudes of
    Fourier coefficients separate periods, also where the noise hides the lattice's phase. Neither
    contains the mean of the patch: the brightest domain is often a slow background.
    """
    height, width = patches.shape[1:]
    # The border of a Hann window is zero, and is left out.
    rows, cols = (
        torch.hann_window(n + 2, periodic=False, dtype=patches.dtype, device=patches.device)[1:-1]
        for n in (height, width)
    )
    waves = torch.fft.rfft2(_centred(patches) * rows[:, None] * cols).abs()
    return _centred(aligned).flatten(1), waves.flatten(1)


def maximum_autocorrelation(
    first: tuple[Float[Tensor, "n _"], ...], second: tuple[Float[Tensor, "n _"], ...]
) -> Factors:
    r"""Return the factors of pairs of neighbours, all that there are.

    With the covariance :math:`C_0` of the features and :math:`C_1` between neighbours, a factor is
    a :math:`v` with :math:`C_1 v = \rho C_0 v` and :math:`v^T C_0 v = 1`; its autocorrelation is
    :math:`\rho` (Switzer & Green, "Min/max autocorrelation factors for multivariate spatial
    imagery", Stanford University, Department of Statistics, Technical Report 6, 1984).

    Parameters
    ----------
    first, second
        Features of the first and the second of each pair, in blocks of one unit each.
    """
    pairs = list(zip(first, second, strict=True))
    mean = torch.cat([torch.cat(pair).mean(0) for pair in pairs])
    basis = torch.block_diag(*(_whitening(torch.cat(pair)) for pair in pairs))
    one, two = (((torch.cat(blocks, 1) - mean) @ basis).double() for blocks in (first, second))
    own, between = one.T @ one + two.T @ two, one.T @ two + two.T @ one
    own, between = (c.cpu().numpy() / (2 * len(one)) for c in (own, between))
    # Blocks may hold the same thing twice; a thousandth of the variance keeps it finite.
    values, vectors = eigh(between, own + 1e-3 * np.eye(len(own)))
    weights = basis @ torch.from_numpy(vectors[:, ::-1].copy()).to(basis)
    return Factors(mean, weights, values[::-1].copy())


def _whitening(block: Float[Tensor, "n features"]) -> Float[Tensor, "features components"]:
    """Return the matrix that projects features on principal components of variance 1."""
    count = min(_COMPONENTS, *block.shape)
    found = PCA(count, svd_solver="randomized", random_state=0).fit(block.cpu().numpy())
    spread = found.explained_variance_**0.5
    kept = spread > 1e-4 * spread[0]
    return torch.from_numpy(found.components_[kept].T / spread[kept]).to(block)


def _centred(patches: Float[Tensor, "n height width"]) -> Float[Tensor, "n height width"]:
    return patches - patches.mean((1, 2), keepdim=True)
