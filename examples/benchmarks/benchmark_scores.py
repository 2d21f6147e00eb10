"""The benchmark's scores: what is measured on the maps of a method."""

import numpy as np
from benchmark_phantoms import Data

import phyvae

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


def score(
    maps: np.ndarray, data: Data, signal: np.ndarray | None = None
) -> dict[str, float | None]:
    """Return the agreement with the truth; None where the truth is one domain, without a wall."""
    if data.classes == 1:
        return dict.fromkeys(("ari", "iou", "walls", "grains"))
    labels = phyvae.segment(maps, data.classes, signal=signal)
    return {
        "ari": phyvae.adjusted_rand_index(labels, data.truth),
        "iou": phyvae.mean_iou(labels, data.truth),
        "walls": phyvae.wall_length_ratio(labels, data.truth),
        "grains": float(phyvae.grains(labels, GRAIN).max()),
    }


def score_free(maps: np.ndarray) -> dict[str, float | None]:
    """Return how many domains are found when their number is not given, and the largest share."""
    labels = phyvae.segment(maps, phyvae.count_domains(maps, MOST))
    areas = np.bincount(labels.ravel())
    return {"domains": float((areas > 0).sum()), "largest": float(areas.max() / labels.size)}
