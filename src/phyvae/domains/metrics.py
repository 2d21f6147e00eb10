"""Metrics: how well labels agree with the true domains.

A cell labelled -1 holds no patch: no metric counts it.
"""

import numpy as np
import numpy.typing as npt
from jaxtyping import Int
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from torch import Tensor

from .._checks import as_labels

__all__ = ["adjusted_rand_index", "match_labels", "mean_iou"]


def adjusted_rand_index(labels: npt.ArrayLike | Tensor, truth: npt.ArrayLike | Tensor) -> float:
    """Return the adjusted Rand index: agreement on which pairs of cells share a domain.

    Parameters
    ----------
    labels
        Domains found, any shape, whole numbers; their names do not matter, but -1 is no patch:
        such a cell counts neither here nor in `truth`.
    truth
        True domains, the same shape; their names do not matter either.

    Returns
    -------
    index
        -0.5 <= index <= 1; 1 is perfect, and 0 what random labels score on average. If the truth
        is one domain, it is 1 where one was found, and else 0.

    Raises
    ------
    ValueError
        If the shapes differ, if labels are not whole numbers, or if no cell has both.

    References
    ----------
    Hubert & Arabie (1985), J. Classification 2, 193-218, https://doi.org/10.1007/BF01908075

    Examples
    --------
    >>> import phyvae
    >>> phyvae.adjusted_rand_index([[0, 0, 1, 1]], [[7, 7, 3, 3]])
    1.0
    """
    found, true = _as_pair(labels, truth)
    return float(adjusted_rand_score(true, found))


def mean_iou(labels: npt.ArrayLike | Tensor, truth: npt.ArrayLike | Tensor) -> float:
    """Return the mean intersection over union of the true domains with their best labels.

    Labels and true domains are paired one to one so that the mean is largest. A true domain
    without a label counts 0; a label without a domain reduces the overlap of the others.

    Parameters
    ----------
    labels
        Domains found, any shape, whole numbers; their names do not matter, but -1 is no patch:
        such a cell counts neither here nor in `truth`.
    truth
        True domains, the same shape; their names do not matter either.

    Returns
    -------
    iou
        0 < iou <= 1; 1 is perfect. Random labels do not score 0: k equal domains score about
        1 / (2k - 1).

    Raises
    ------
    ValueError
        If the shapes differ, if labels are not whole numbers, or if no cell has both.

    Examples
    --------
    >>> import phyvae
    >>> phyvae.mean_iou([[0, 0, 0, 1]], [[1, 1, 0, 0]])  # (2/3 + 1/2) / 2
    0.5833333333333333
    """
    found, true = _as_pair(labels, truth)
    shared = contingency_matrix(true, found).astype(np.float64)  # (domains, labels), cells
    union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared
    iou = shared / union
    return float(iou[linear_sum_assignment(iou, maximize=True)].sum() / len(iou))


def match_labels(
    labels: npt.ArrayLike | Tensor, reference: npt.ArrayLike | Tensor
) -> Int[np.ndarray, "..."]:
    """Return the labels, renumbered so that as many cells as possible agree with a reference.

    Numbers, hence colours, then mean the same in both maps. No metric of agreement changes.

    Parameters
    ----------
    labels
        Domains found, any shape, whole numbers; -1, no patch, stays -1.
    reference
        Other labels or the true domains, the same shape.

    Returns
    -------
    matched
        The shape of `labels`. A label without a partner gets a number that `reference` lacks.

    Raises
    ------
    ValueError
        If the shapes differ, if labels are not whole numbers, or if no cell has both.

    Examples
    --------
    >>> import phyvae
    >>> phyvae.match_labels([[0, 0, 1, 2]], [[5, 5, 3, 3]])
    array([[5, 5, 3, 6]])
    """
    given = as_labels(labels)
    found, target = _as_pair(labels, reference)
    names = np.setdiff1d(given, -1)
    targets = np.unique(target)
    # A label may lie on cells without a reference only: it then shares nothing with any.
    shared = np.array([[((found == a) & (target == b)).sum() for b in targets] for a in names])
    rows, cols = linear_sum_assignment(shared, maximize=True)
    new = np.empty_like(names)
    new[rows] = targets[cols]
    alone = np.setdiff1d(np.arange(len(names)), rows)
    new[alone] = targets[-1] + 1 + np.arange(len(alone))
    matched: np.ndarray = np.full(given.shape, -1)
    matched[given != -1] = new[np.searchsorted(names, given[given != -1])]
    return matched


def _as_pair(
    labels: npt.ArrayLike | Tensor, truth: npt.ArrayLike | Tensor
) -> tuple[Int[np.ndarray, " cells"], Int[np.ndarray, " cells"]]:
    """Check that both label the same cells; return the cells that have both labels."""
    found, true = as_labels(labels), as_labels(truth, "truth")
    if found.shape != true.shape:
        raise ValueError(
            f"labels of shape {found.shape} and truth of shape {true.shape} must label the same "
            "cells; PatchGrid.sample brings a true image onto the grid."
        )
    both = (found != -1) & (true != -1)
    if not both.any():
        raise ValueError("labels and truth have no cell with a label in both; -1 is no patch.")
    return found[both], true[both]
