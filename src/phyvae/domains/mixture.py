"""A Gaussian mixture of latent values."""

import warnings
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

from .outliers import find_outliers

__all__ = ["mixture_labels"]

_SHARED = 0.3  # weight of the common covariance, in cells of an average class
_FITTED = 5_000  # cells: a mixture of a few components needs no more, and takes seconds
_ITERATIONS = 500
_EXACT = 1e-6  # variance of noise, relative to the map's, below which it counts as exact


def mixture_labels(
    values: Float[np.ndarray, "channels n"],
    classes: int,
    seed: int,
    signal: Float[np.ndarray, " channels"],
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


def _fitted(features: Float[np.ndarray, "n channels"], classes: int, seed: int) -> Any:
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
