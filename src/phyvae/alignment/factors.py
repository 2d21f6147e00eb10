"""Maximum autocorrelation factors: functions of a patch that change least between neighbours."""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from scipy.linalg import eigh
from torch import Tensor

__all__ = ["Factors", "factors_of", "maximum_autocorrelation"]

# Principal components of a block of features. More of them mean more chance correlation, and
# domains differ in the first few.
_COMPONENTS = 24
_SHUFFLES = 20  # the largest of so many values is exceeded by chance in one of 21


@dataclass(frozen=True)
class Factors:
    """Linear functions of features, of mean 0 and variance 1, the most autocorrelated first.

    The sign of each is that with which its third moment is positive.

    Attributes
    ----------
    mean, weights
        A factor's value is (features - mean) @ weights.
    autocorrelations
        Correlation of each factor with itself in the neighbours.
    by_chance
        Largest autocorrelation of any factor that was found among shuffled pairs.
    """

    mean: Float[Tensor, " features"]
    weights: Float[Tensor, "features factors"]
    autocorrelations: Float[np.ndarray, " factors"]
    by_chance: float

    def __call__(self, features: Float[Tensor, "n features"]) -> Float[Tensor, "n factors"]:
        """Return the factors' values."""
        return (features - self.mean) @ self.weights


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
        Features of the first and the second of each pair, in blocks of one unit each. The pairs
        are in random order: shuffled ones are those of a pair with one some places later.
    """
    pairs = list(zip(first, second, strict=True))
    mean = torch.cat([torch.cat(pair).mean(0) for pair in pairs])
    basis = torch.block_diag(*(_whitening(torch.cat(pair)) for pair in pairs))
    one, two = (((torch.cat(blocks, 1) - mean) @ basis).double() for blocks in (first, second))
    values, vectors = factors_of(one, two)
    by_chance = max(factors_of(one, two.roll(k, 0))[0][-1] for k in range(1, _SHUFFLES + 1))
    found = torch.from_numpy(vectors[:, ::-1].copy()).to(one)
    skew = sum((x @ found).pow(3).sum(0) for x in (one, two))
    weights = basis @ (found * torch.where(skew < 0, -1, 1)).to(basis)
    return Factors(mean, weights, values[::-1].copy(), float(by_chance))


def factors_of(
    one: Float[Tensor, "n features"], two: Float[Tensor, "n features"], ridge: float = 1e-3
) -> tuple[Float[np.ndarray, " factors"], Float[np.ndarray, "features factors"]]:
    """Return autocorrelations, ascending, and weights of the factors of centred features."""
    covariances = one.T @ one + two.T @ two, one.T @ two + two.T @ one
    own, between = (c.cpu().numpy() / (2 * len(one)) for c in covariances)
    # Features may hold the same thing twice; a share of the variance keeps it finite.
    values, vectors = eigh(between, own + ridge * np.eye(len(own)))
    return values, vectors


def _whitening(block: Float[Tensor, "n features"]) -> Float[Tensor, "features components"]:
    """Return the matrix that projects features on principal components of variance 1."""
    centred = block.double() - block.double().mean(0)
    variances, directions = torch.linalg.eigh(centred.T @ centred / len(block))
    variances, directions = (x[..., -_COMPONENTS:] for x in (variances, directions))
    kept = variances > 1e-8 * variances[-1]
    basis: Tensor = directions[:, kept] / variances[kept].sqrt()
    return basis.to(block)
