"""Otsu's thresholds of one latent map."""

import numpy as np
from jaxtyping import Float, Int
from skimage.filters import threshold_multiotsu, threshold_otsu

__all__ = ["otsu_labels"]


def otsu_labels(values: Float[np.ndarray, " n"], classes: int) -> Int[np.ndarray, " n"]:
    """Label by the (multi-)Otsu thresholds of values in [0, 1]."""
    # In 256 levels a threshold is a level, not the centre of a bin that it would cut in two.
    levels = np.round(255 * values).astype(np.uint8)
    classes = min(classes, len(np.unique(levels)))
    if classes == 1:
        return np.zeros(levels.shape, dtype=np.int64)
    if classes == 2:
        thresholds = np.array([threshold_otsu(levels)])
    else:
        thresholds = threshold_multiotsu(levels, classes)
    return np.asarray(np.digitize(levels, thresholds, right=True))
