"""Metrics: how well labels agree with the true domains, and how long their walls are.

A cell labelled -1 holds no patch: no metric counts it.
"""

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Int
from scipy.optimize import linear_sum_assignment
from sklearn.metrics import adjusted_rand_score
from sklearn.metrics.cluster import contingency_matrix
from torch import Tensor

from ._given import as_label_map, as_labels, is_positive

__all__ = [
    "adjusted_rand_index",
    "boundary_length",
    "match_labels",
    "mean_iou",
    "wall_length_ratio",
]


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
        -0.5 <= index <= 1; 1 is perfect, and 0 what random labels score on average.

    Raises
    ------
    ValueError
        If the shapes differ, if labels are not whole numbers, or if no cell has both.

    References
    ----------
    Hubert & Arabie (1985), J. Classification 2, 193-218, https://doi.org/10.1007/BF01908075

    Examples
    --------
    >>> adjusted_rand_index([[0, 0, 1, 1]], [[7, 7, 3, 3]])
    1.0
    """
    found, true = _as_pair(labels, truth)
    return float(adjusted_rand_score(true, found))


def mean_iou(labels: npt.ArrayLike | Tensor, truth: npt.ArrayLike | Tensor) -> float:
    """Return the mean intersection over union of the true domains with their best labels.

    Labels and true domains are paired one to one so that the mean is largest. A true domain
    without a label counts 0; a label without a domain costs what it takes from the others.

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
    >>> mean_iou([[0, 0, 0, 1]], [[1, 1, 0, 0]])  # (2/3 + 1/2) / 2
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
    >>> match_labels([[0, 0, 1, 2]], [[5, 5, 3, 3]])
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


def boundary_length(labels: npt.ArrayLike | Tensor, *, pixel_size: float = 1.0) -> float:
    r"""Return the total length of the walls between labels, by the Cauchy-Crofton formula.

    A curve's length is half the number of its crossings with all straight lines. Of these we take
    the rows, columns and both diagonals of the map, :math:`\pi/4` apart, spaced by 1 and by
    :math:`1/\sqrt 2` cells:

    .. math:: L = \frac{\pi}{8} \Big( n_\mathrm{row} + n_\mathrm{col}
        + \frac{n_\mathrm{diag} + n_\mathrm{antidiag}}{\sqrt 2} \Big)

    where :math:`n` counts neighbours of different labels, neither of them -1. Counting cell edges
    instead would make a diagonal wall 41 % too long.

    Parameters
    ----------
    labels
        Domains, shape (rows, cols), whole numbers, any number of domains.
    pixel_size
        Edge of one cell of the map, > 0, in any unit (on a patch grid: its step times the
        image's pixel size).

    Returns
    -------
    length
        In the unit of `pixel_size`, >= 0. The border of the map is no wall. A straight wall reads
        5.2 % short along rows, columns and diagonals, up to 2.6 % long in between; the
        average over all directions is exact, as is, nearly, a circle. A wall that runs into cells
        without a patch, -1, reads short by up to a cell.

    Raises
    ------
    ValueError
        If `labels` has other axes or values that are not whole numbers; if `pixel_size` is not a
        positive number.

    References
    ----------
    Boykov & Kolmogorov (2003), Computing geodesics and minimal surfaces via graph cuts, ICCV,
    26-33 (the weights of the four directions). At the border we differ: the map goes on as its
    mirror image, so that a wall that runs into the border keeps its full length.

    Examples
    --------
    >>> halves = np.repeat([[0, 0, 1, 1]], 10, axis=0)  # one wall, 10 cells long
    >>> round(boundary_length(halves, pixel_size=0.5), 2)
    4.74
    """
    if not is_positive(pixel_size):
        raise ValueError(f"pixel_size={pixel_size!r} must be a number > 0, the edge of a cell.")
    domains = as_label_map(labels)
    row = _unequal(domains[:, 1:], domains[:, :-1])
    column = _unequal(domains[1:], domains[:-1])
    # Half of the mirrored cells' diagonals belong to this map.
    border = (row[0].sum() + row[-1].sum() + column[:, 0].sum() + column[:, -1].sum()) / 2
    diagonal = _unequal(domains[1:, 1:], domains[:-1, :-1]).sum() + border
    antidiagonal = _unequal(domains[1:, :-1], domains[:-1, 1:]).sum() + border
    crossings = row.sum() + column.sum() + (diagonal + antidiagonal) / 2**0.5
    return float(np.pi / 8 * crossings * pixel_size)


def wall_length_ratio(labels: npt.ArrayLike | Tensor, truth: npt.ArrayLike | Tensor) -> float:
    """Return the length of the walls found over that of the true walls.

    Parameters
    ----------
    labels
        Domains found, shape (rows, cols), whole numbers.
    truth
        True domains, the same shape.

    Returns
    -------
    ratio
        >= 0, dimensionless; 1 is right, more means noisy walls and spurious islands, less means
        merged domains.

    Raises
    ------
    ValueError
        If the shapes differ, if labels are not whole numbers, or if `truth` has no wall, as the
        ratio then is not defined.

    Examples
    --------
    >>> wall_length_ratio([[0, 1, 0, 1]], [[0, 0, 1, 1]])
    3.0
    """
    found, true = as_label_map(labels), as_label_map(truth, "truth")
    _as_pair(found, true)
    missing = (found == -1) | (true == -1)
    length = boundary_length(np.where(missing, -1, true))
    if length == 0:
        raise ValueError(
            "truth is one domain without a wall, so the ratio is not defined; compare "
            "boundary_length(labels) with 0 instead."
        )
    return boundary_length(np.where(missing, -1, found)) / length


def _unequal(a: Int[np.ndarray, "..."], b: Int[np.ndarray, "..."]) -> Bool[np.ndarray, "..."]:
    """Tell where two cells lie on two sides of a wall."""
    unequal: np.ndarray = (a != b) & (a != -1) & (b != -1)
    return unequal


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
