"""Labels of one map: Otsu's thresholds, or the contour of Chan and Vese."""

import numpy as np
from jaxtyping import Float, Int
from skimage.filters import threshold_multiotsu, threshold_otsu
from skimage.segmentation import chan_vese

__all__ = ["chan_vese_labels", "otsu_labels"]


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


def chan_vese_labels(channel: Float[np.ndarray, "rows cols"]) -> Int[np.ndarray, "rows cols"]:
    """Label the inside of the contour 1; it starts from Otsu's domains.

    The weights are those of scikit-image.
    """
    inside: np.ndarray = chan_vese(channel, init_level_set=channel - threshold_otsu(channel))
    return inside.astype(np.int64)
