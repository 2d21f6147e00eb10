"""Labels made anew from labels: numbered by their means, or outliers by a majority vote."""

import numpy as np
from jaxtyping import Bool, Float, Int

from ..patches.graph import SiteGraph
from ..patches.neighbours import neighbours_of

__all__ = ["majority_vote", "ordered"]


def ordered(labels: Int[np.ndarray, " n"], by: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Renumber labels 0, 1, ... by the mean of a map over each."""
    _, compact = np.unique(labels, return_inverse=True)
    means = np.bincount(compact, weights=by) / np.bincount(compact)
    rank: np.ndarray = np.argsort(np.argsort(means, kind="stable"))
    return rank[compact]


def majority_vote(
    labels: Int[np.ndarray, "rows cols"],
    outliers: Bool[np.ndarray, "rows cols"],
    graph: SiteGraph | None,
) -> Int[np.ndarray, "rows cols"]:
    """Return the labels, with the outliers relabelled by the majority of their neighbours.

    Neighbours are the eight around a cell, or those of the graph. Outliers and cells without a
    patch (label -1) have no vote. An outlier keeps its label where that is among the most
    frequent, or where it has no neighbours. A map of one row or column without a graph may be a
    list of sites in any order: there, no cells are neighbours.
    """
    if not outliers.any() or (graph is None and min(labels.shape) == 1):
        return labels
    neighbours = neighbours_of(labels.shape, graph=graph, diagonals=True)
    kinds = np.unique(labels[labels >= 0])
    votes = np.stack([neighbours.sums((labels == kind) & ~outliers) for kind in kinds])
    votes = votes + 0.5 * (labels == kinds[:, None, None])  # the present label wins a tie
    return np.where(outliers, kinds[votes.argmax(axis=0)], labels)
