"""Roots and quotients that are finite where their argument is 0, and so are their gradients."""

import torch
from jaxtyping import Float
from torch import Tensor

__all__ = ["length", "ratio", "root"]


def root(squared: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the square root; where it is 0, so is its gradient, not NaN. That of NaN is NaN."""
    zero = squared == 0
    return torch.where(zero, 1.0, squared).sqrt() * ~zero


def length(vectors: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """Return the Euclidean length along an axis; where it is 0, so is its gradient, not NaN.

    On few components it is much faster than `torch.linalg.vector_norm`.
    """
    return root(vectors.square().sum(dim))


def ratio(
    numerator: Float[Tensor, "..."], denominator: Float[Tensor, "..."]
) -> Float[Tensor, "..."]:
    """Return the quotient; where the denominator is 0, the numerator, which is 0 as well."""
    return numerator / torch.where(denominator > 0, denominator, 1.0)
