"""The benchmark's scores: what is measured on the maps of a method."""

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

import phyvae
from benchmark_phantoms import Data

GRAIN = 8  # cells; the smallest true domain, a vacancy of graphene, has more
MOST = 6  # domains looked for when their number is not given
COLUMNS = {
    "ari": "ARI",
    "iou": "mean IoU",
    "walls": "wall length, found / true",
    "grains": "grains per map",
    "neg_elbo": "−ELBO of a second scan, nats per patch",
    "seconds": "seconds of one core, or of the GPU",
    "domains": "domains found, number not given",
    "largest": "share of the largest of these",
}


def score(maps: np.ndarray, data: Data) -> dict[str, float | None]:
    """Return the agreement with the truth; None where the truth is one domain, without a wall."""
    if data.classes == 1:
        return dict.fromkeys(("ari", "iou", "walls", "grains"))
    labels = phyvae.segment(maps, data.classes)
    return {
        "ari": phyvae.adjusted_rand_index(labels, data.truth),
        "iou": phyvae.mean_iou(labels, data.truth),
        "walls": phyvae.wall_length_ratio(labels, data.truth),
        "grains": float(phyvae.grains(labels, GRAIN).max()),
    }


def score_free(maps: np.ndarray) -> dict[str, float | None]:
    """Return how many domains are found when their number is not given, and the largest share."""
    labels = phyvae.segment(maps, count_domains(maps))
    areas = np.bincount(labels.ravel())
    return {"domains": float((areas > 0).sum()), "largest": float(areas.max() / labels.size)}


def count_domains(maps: np.ndarray) -> int:
    """Return the number of clusters of the maps' values, by the integrated complete likelihood.

    BIC counts the Gaussians that a density needs, and one skewed cluster needs several. ICL adds
    what it costs to tell each cell's Gaussian, so that Gaussians which overlap are not worth their
    price (Biernacki, Celeux & Govaert 2000, https://doi.org/10.1109/34.865189).
    """
    values = maps.reshape(len(maps), -1).T.astype(np.float64)
    values = values[:, np.ptp(values, axis=0) > 1e-3]  # flat, as for phyvae.segment
    if values.shape[1] == 0:
        return 1
    values = (values - values.mean(axis=0)) / values.std(axis=0)
    costs = []
    for count in range(1, MOST + 1):
        mixture = GaussianMixture(count, n_init=2, max_iter=200, random_state=0)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)
            mixture.fit(values)
        shares = mixture.predict_proba(values)
        costs.append(mixture.bic(values) - 2 * np.log(shares.max(axis=1)).sum())
    return int(np.argmin(costs)) + 1
