"""Outliers of a mixture: cells that lie outside all of its components."""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist
from scipy.stats import chi2
from sklearn.covariance import MinCovDet

__all__ = ["find_outliers"]

_FITTED = 2_000  # cells that the robust centre and covariance of a component are fitted to
_SUPPORT = 0.75  # share of a component's cells that the robust estimate rests on
_RARE = 1e-6  # share of a component's own cells that may be called outliers
_ENOUGH = 20  # cells per channel, below which the estimate is not robust but plain
_CLOSE = 0.02  # of the distance to the next centre, within which no cell is an outlier


def find_outliers(
    features: Float[np.ndarray, "n channels"],
    labels: Int[np.ndarray, " n"],
    noise: Float[np.ndarray, " channels"],
) -> Bool[np.ndarray, " n"]:
    """Return which cells lie outside all components, by robust centres and covariances.

    Parameters
    ----------
    features
        Values of the cells.
    labels
        Component of each cell.
    noise
        Variance to add to the covariance of every component, per channel.
    """
    kinds = np.unique(labels)
    if len(kinds) < 2:
        return np.zeros(len(labels), dtype=bool)
    cores = [_core(features[labels == kind], noise) for kind in kinds]
    centres = np.stack([centre for centre, _ in cores])
    between = cdist(centres, centres)
    close = (_CLOSE * np.sort(between, axis=1)[:, 1]) ** 2
    one = np.eye(features.shape[1])
    distances = [
        cdist(features, centre[None], "mahalanobis", VI=np.linalg.inv(covariance + least * one))
        for (centre, covariance), least in zip(cores, close, strict=True)
    ]
    return np.asarray(np.min(distances, axis=0)[:, 0] ** 2 > chi2.isf(_RARE, features.shape[1]))


def _core(
    values: Float[np.ndarray, "n channels"], noise: Float[np.ndarray, " channels"]
) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and covariance of most of the values, whatever the others are."""
    few = values[:: 1 + len(values) // _FITTED]
    if len(few) < _ENOUGH * few.shape[1]:
        away = few - few.mean(axis=0)
        return few.mean(axis=0), away.T @ away / len(few) + np.diag(noise)
    # Noise added to the values, as most of them may be equal in a map without any.
    few = few + np.sqrt(noise) * np.random.default_rng(0).normal(size=few.shape)
    found = MinCovDet(support_fraction=_SUPPORT, random_state=0).fit(few)
    return found.location_, found.covariance_
