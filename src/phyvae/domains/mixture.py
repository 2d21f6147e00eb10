"""Labels by a Gaussian mixture, and the cells that are outliers of all its components."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial.distance import cdist
from scipy.stats import chi2
from sklearn.covariance import MinCovDet
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

__all__ = ["find_outliers", "mixture_labels"]

Points = Float[np.ndarray, "n channels"]
Channels = Float[np.ndarray, " channels"]
_SHARED = 0.3  # weight of the common covariance, in cells of an average class
_FITTED = 5_000  # cells: a mixture of a few components needs no more, and takes seconds
_ITERATIONS = 500
_EXACT = 1e-6  # variance of noise, relative to the map's, below which it counts as exact
_FEW = 2_000  # cells that the robust centre and covariance of a component are fitted to
_SUPPORT = 0.75  # share of a component's cells that the robust estimate rests on
_RARE = 1e-6  # share of a component's own cells that may be called outliers
_ENOUGH = 20  # cells per channel, below which the estimate is not robust but plain
_CLOSE = 0.02  # of the distance to the next centre, within which no cell is an outlier


def mixture_labels(
    values: Float[np.ndarray, "channels n"], classes: int, seed: int, signal: Channels
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Label by the most likely component of a Gaussian mixture on all channels.

    A channel's noise is the part 1 - `signal` of its variance. The channel of least noise is
    taken as exact. In the others, each value counts as a Gaussian of the additional noise, and
    not as a point: the mixture is fitted to values with as much noise added.

    Returned with the labels: which cells are outliers of all components. A patch that a wall
    crosses shows two domains, so its cell lies between their components, and the broadest
    component would take all such cells, of any wall.
    """
    features = values.T
    # The restarts sample cells by their position in the list: sort it, so that only the values
    # matter and a flipped map has flipped labels.
    order = np.lexsort(features.T)
    features = features[order]
    noise = (1 - signal) / signal
    noise = noise - noise.min()
    # The restarts begin with clusters, in which a channel counts in proportion to its scale: it
    # falls with the channel's noise.
    scale = 1 / (1 + noise)
    features = scale * (features - features.mean(axis=0)) / features.std(axis=0)
    noise = scale**2 * noise
    few = features[:: 1 + len(features) // _FITTED]
    few = few + np.sqrt(noise) * np.random.default_rng(seed).normal(size=few.shape)
    mixture = _fitted(few, classes, seed)
    labels, outliers = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=bool)
    labels[order] = found = mixture.predict(features)
    outliers[order] = find_outliers(features, found, noise + _EXACT)
    return labels, outliers


def _fitted(features: Points, classes: int, seed: int) -> Any:
    """Return a mixture whose covariances are shrunk towards one that all components share."""
    starts = {"n_init": 5, "max_iter": _ITERATIONS, "random_state": seed, "reg_covar": _EXACT}
    with warnings.catch_warnings():
        # Fewer distinct cells than classes: `segment` promises to give fewer labels. What does not
        # converge is warned of below, with a cure.
        warnings.simplefilter("ignore", ConvergenceWarning)
        common = GaussianMixture(classes, covariance_type="tied", **starts).fit(features)
        weight = max(_SHARED * len(features) / classes, features.shape[1])
        mixture = BayesianGaussianMixture(
            n_components=classes,
            degrees_of_freedom_prior=weight,
            covariance_prior=weight * common.covariances_,
            # All other priors are flat: any shares, and means anywhere.
            weight_concentration_prior_type="dirichlet_distribution",
            weight_concentration_prior=1.0,
            mean_precision_prior=1e-3,
            **starts,
        ).fit(features)
    if not mixture.converged_:
        warnings.warn(
            f"The mixture of {classes} classes did not converge in {_ITERATIONS} iterations: "
            "their values overlap, so that other labels are about as likely. Take "
            "method='walls', fewer classes (phyvae.count_domains(maps)), or refined maps "
            "(phyvae.refine).",
            ConvergenceWarning,
            stacklevel=5,
        )
    return mixture


def find_outliers(
    features: Points, labels: Int[np.ndarray, " n"], noise: Channels
) -> Bool[np.ndarray, " n"]:
    """Return which cells lie outside all components, by robust centres and covariances.

    features: Values of the cells.
    labels: Component of each cell.
    noise: Variance to add to the covariance of every component, per channel.
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


def _core(values: Points, noise: Channels) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and covariance of most of the values, whatever the others are."""
    few = values[:: 1 + len(values) // _FEW]
    if len(few) < _ENOUGH * few.shape[1]:
        away = few - few.mean(axis=0)
        return few.mean(axis=0), away.T @ away / len(few) + np.diag(noise)
    # Noise added to the values, as most of them may be equal in a map without any.
    few = few + np.sqrt(noise) * np.random.default_rng(0).normal(size=few.shape)
    found = MinCovDet(support_fraction=_SUPPORT, random_state=0).fit(few)
    return found.location_, found.covariance_
