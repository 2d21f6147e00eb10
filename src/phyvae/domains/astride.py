"""Patches astride a wall: which cells belong to no component, and which domain takes them."""

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.ndimage import convolve
from scipy.spatial.distance import cdist
from scipy.stats import chi2
from sklearn.covariance import MinCovDet

from ..patches.graph import SiteGraph

__all__ = ["outside", "told_by_neighbours"]

_CORED = 2_000  # cells that tell centre and covariance of a component
_CORE = 0.75  # of the cells of a component, those that its centre and covariance are told by
_RARE = 1e-6  # share of a component's cells that may lie further out and still be its own
_ENOUGH = 20  # cells for each channel, to tell a core from the rest
_CLOSE = 0.02  # of the way to the next centre: nothing so close to a centre is outside
_RING = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 1]])  # the eight neighbours of a cell


def outside(
    features: Float[np.ndarray, "n channels"],
    labels: Int[np.ndarray, " n"],
    noise: Float[np.ndarray, " channels"],
) -> Bool[np.ndarray, " n"]:
    """Return which cells lie outside all components, by robust centres and covariances.

    `noise` is a variance, by which every component is broader than its cells say.
    """
    kinds = np.unique(labels)
    if len(kinds) < 2:
        return np.zeros(len(labels), dtype=bool)
    cores = [_core(features[labels == kind], noise) for kind in kinds]
    centres = np.stack([centre for centre, _ in cores])
    between = cdist(centres, centres)
    close = (_CLOSE * np.sort(between, axis=1)[:, 1]) ** 2
    one = np.eye(features.shape[1])
    far = [
        cdist(features, centre[None], "mahalanobis", VI=np.linalg.inv(covariance + least * one))
        for (centre, covariance), least in zip(cores, close, strict=True)
    ]
    beyond: np.ndarray = np.min(far, axis=0)[:, 0] ** 2 > chi2.isf(_RARE, features.shape[1])
    return beyond


def _core(
    values: Float[np.ndarray, "n channels"], noise: Float[np.ndarray, " channels"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and covariance of most of the values, whatever the rest is."""
    few = values[:: 1 + len(values) // _CORED]
    if len(few) < _ENOUGH * few.shape[1]:
        away = few - few.mean(axis=0)
        return few.mean(axis=0), away.T @ away / len(few) + np.diag(noise)
    # Noise in the values, as many may be equal: those of a map that is free of it.
    few = few + np.sqrt(noise) * np.random.default_rng(0).normal(size=few.shape)
    found = MinCovDet(support_fraction=_CORE, random_state=0).fit(few)
    return found.location_, found.covariance_


def told_by_neighbours(
    labels: Int[np.ndarray, "rows cols"],
    astride: Bool[np.ndarray, "rows cols"],
    graph: SiteGraph | None,
) -> Int[np.ndarray, "rows cols"]:
    """Return the labels; cells that are `astride` have the one most of their neighbours have.

    Neighbours are the eight around a cell, or those of the graph; those astride themselves, and
    without a patch (label -1), do not count. A cell keeps its label where it is among the most
    frequent, or has no neighbours. A row of cells may be sites whose graph is not known: it has
    none.
    """
    if not astride.any() or (graph is None and min(labels.shape) == 1):
        return labels
    kinds = np.unique(labels[labels >= 0])
    votes = np.stack([_neighbours((labels == kind) & ~astride, graph) for kind in kinds])
    votes = votes + 0.5 * (labels == kinds[:, None, None])  # a tie leaves all as it is
    return np.where(astride, kinds[votes.argmax(axis=0)], labels)


def _neighbours(
    cells: Bool[np.ndarray, "rows cols"], graph: SiteGraph | None
) -> Int[np.ndarray, "rows cols"]:
    """Return how many neighbours of each cell are among some cells."""
    if graph is None:
        around: np.ndarray = convolve(cells.astype(int), _RING, mode="constant")
        return around
    first, second = graph.edges.cpu().unbind(1)
    there = torch.from_numpy(cells[0].astype(int))
    count = torch.zeros_like(there).index_add(0, first, there[second])
    return count.index_add(0, second, there[first]).numpy()[None]
