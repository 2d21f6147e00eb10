"""A Gaussian mixture of latent values, and the nearest domain for what lies between domains."""

import warnings

import numpy as np
from jaxtyping import Float, Int
from scipy.spatial.distance import cdist
from scipy.stats import chi2
from sklearn.covariance import MinCovDet
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

__all__ = ["mixture_labels"]

_SHARED = 0.3  # what the common covariance is worth, in cells of an average class
_FITTED = 100_000  # a mixture of a few components needs no more cells, and takes seconds
_EXACT = 1e-6  # variance of noise, in that of the values, of which a map is taken to be free
_CORED = 2_000  # tell centre and covariance of a component
_CORE = 0.75  # of the cells of a component, those that its centre and covariance are told by
_RARE = 1e-6  # share of a component's cells that may lie further out and still be its own
_ENOUGH = 20  # cells for each channel, to tell a core from the rest


def mixture_labels(
    values: Float[np.ndarray, "channels n"],
    classes: int,
    seed: int,
    signal: Float[np.ndarray, " channels"],
) -> Int[np.ndarray, " n"]:
    """Label by the most likely component of a Gaussian mixture on all channels.

    The clearest channel is taken as it is. In the others, each value counts as a Gaussian of the
    noise that they have beyond it, a part 1 - `signal` of the whole variance, and not as a point:
    this noise is added to the covariance of every component.

    A patch astride a wall shows two domains, and lies between them. Its cell belongs to none, so
    the broadest component would take all such cells, of whichever wall: they go to the nearest
    centre instead, which is that of the larger part of the patch.
    """
    features = values.T
    # The restarts draw cells by their position in the list: sort it, so that only the values
    # matter and a flipped map has flipped labels.
    order = np.lexsort(features.T)
    features = features[order]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    # In units of the noise, what is added is the same for all channels.
    noise = (1 - signal) / signal
    noise = noise - noise.min() + _EXACT
    features = features * np.sqrt(_EXACT / noise)
    few = features[:: 1 + len(features) // _FITTED]
    starts = {"n_init": 5, "max_iter": 500, "random_state": seed, "reg_covar": _EXACT}
    with warnings.catch_warnings():
        # Fewer distinct cells than classes: `segment` promises to give fewer labels.
        warnings.filterwarnings("ignore", "Number of distinct clusters", ConvergenceWarning)
        common = GaussianMixture(classes, covariance_type="tied", **starts).fit(few)
        worth = max(_SHARED * len(few) / classes, features.shape[1])
        mixture = BayesianGaussianMixture(
            n_components=classes,
            degrees_of_freedom_prior=worth,
            covariance_prior=worth * common.covariances_,
            # The rest has no say: any shares, and means anywhere.
            weight_concentration_prior_type="dirichlet_distribution",
            weight_concentration_prior=1.0,
            mean_precision_prior=1e-3,
            **starts,
        ).fit(few)
    labels = np.empty(len(order), dtype=np.int64)
    labels[order] = _nearest_outside(features, mixture.predict(features))
    return labels


def _nearest_outside(
    features: Float[np.ndarray, "n channels"], labels: Int[np.ndarray, " n"]
) -> Int[np.ndarray, " n"]:
    """Return the labels, with cells that lie outside all components given to the nearest."""
    kinds = np.unique(labels)
    cores = [_core(features[labels == kind]) for kind in kinds]
    centres = np.stack([centre for centre, _ in cores])
    own = [
        cdist(features, centre[None], "mahalanobis", VI=np.linalg.inv(covariance))[:, 0]
        for centre, covariance in cores
    ]
    outside = np.min(own, axis=0) ** 2 > chi2.isf(_RARE, features.shape[1])
    found = labels.copy()
    found[outside] = kinds[cdist(features[outside], centres).argmin(axis=1)]
    return found


def _core(values: Float[np.ndarray, "n channels"]) -> tuple[np.ndarray, np.ndarray]:
    """Return centre and covariance of most of the values, whatever the rest is."""
    few = values[:: 1 + len(values) // _CORED]
    # The noise that every map is taken to have at least: many values may be equal.
    few = few + _EXACT**0.5 * np.random.default_rng(0).normal(size=few.shape)
    if len(few) < _ENOUGH * few.shape[1]:
        away = few - few.mean(axis=0)
        return few.mean(axis=0), away.T @ away / len(few) + _EXACT * np.eye(few.shape[1])
    found = MinCovDet(support_fraction=_CORE, random_state=0).fit(few)
    return found.location_, found.covariance_
