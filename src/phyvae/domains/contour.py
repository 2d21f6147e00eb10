"""The Chan-Vese active contour of one latent map."""

import numpy as np
from jaxtyping import Float, Int
from skimage.filters import threshold_otsu
from skimage.segmentation import chan_vese

__all__ = ["chan_vese_labels"]


def chan_vese_labels(channel: Float[np.ndarray, "rows cols"]) -> Int[np.ndarray, "rows cols"]:
    """Label the inside of the contour 1; it starts from Otsu's domains.

    The weights are those of scikit-image.
    """
    inside: np.ndarray = chan_vese(channel, init_level_set=channel - threshold_otsu(channel))
    return inside.astype(np.int64)
