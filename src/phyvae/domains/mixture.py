"""A Gaussian mixture of latent values."""

import warnings

import numpy as np
from jaxtyping import Bool, Float, Int
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture

from .astride import outside

__all__ = ["mixture_labels"]

_SHARED = 0.3  # what the common covariance is worth, in cells of an average class
_FITTED = 100_000  # a mixture of a few components needs no more cells, and takes seconds
_EXACT = 1e-6  # variance of noise, in that of the values, of which a map is taken to be free


def mixture_labels(
    values: Float[np.ndarray, "channels n"],
    classes: int,
    seed: int,
    signal: Float[np.ndarray, " channels"],
) -> tuple[Int[np.ndarray, " n"], Bool[np.ndarray, " n"]]:
    """Label by the most likely component of a Gaussian mixture on all channels.

    The clearest channel is taken as it is. In the others, each value counts as a Gaussian of the
    noise that they have beyond it, a part 1 - `signal` of the whole variance, and not as a point:
    the mixture is fitted to values with as much noise added.

    A patch astride a wall shows two domains and lies between them, so its cell belongs to none,
    and the broadest component would take all such cells, of whichever wall. Which cells they are
    is returned, too.
    """
    features = values.T
    # The restarts draw cells by their position in the list: sort it, so that only the values
    # matter and a flipped map has flipped labels.
    order = np.lexsort(features.T)
    features = features[order]
    noise = (1 - signal) / signal
    noise = noise - noise.min()
    # The restarts begin with clusters, in which a channel weighs as its scale: the less it says,
    # the less it is to weigh.
    scale = 1 / (1 + noise)
    features = scale * (features - features.mean(axis=0)) / features.std(axis=0)
    noise = scale**2 * noise
    few = features[:: 1 + len(features) // _FITTED]
    few = few + np.sqrt(noise) * np.random.default_rng(seed).normal(size=few.shape)
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
    labels, astride = np.empty(len(order), dtype=np.int64), np.empty(len(order), dtype=bool)
    labels[order] = found = mixture.predict(features)
    astride[order] = outside(features, found, noise + _EXACT)
    return labels, astride
