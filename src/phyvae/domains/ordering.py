"""The order of labels: by the mean of a map over each domain."""

import numpy as np
from jaxtyping import Float, Int

__all__ = ["ordered"]


def ordered(labels: Int[np.ndarray, " n"], by: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Renumber labels 0, 1, ... by the mean of a map over each."""
    _, compact = np.unique(labels, return_inverse=True)
    means = np.bincount(compact, weights=by) / np.bincount(compact)
    rank: np.ndarray = np.argsort(np.argsort(means, kind="stable"))
    return rank[compact]
