"""Segmentation: latent maps become labels, and labels their walls and grains."""

import warnings

import numpy as np
import numpy.typing as npt
import torch
from jaxtyping import Bool, Float, Int
from skimage.filters import threshold_multiotsu, threshold_otsu
from skimage.measure import label as connected_pieces
from skimage.segmentation import chan_vese
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import BayesianGaussianMixture, GaussianMixture
from torch import Tensor

from ._given import as_label_map, as_maps, is_integer, is_positive
from .physics import bilateral

__all__ = ["boundaries", "grains", "segment"]

_METHODS = ("chan_vese", "gmm", "otsu")
_FLAT = 1e-3  # a channel of at most this range shows nothing, as in the paper
_SHARED = 0.3  # what the common covariance is worth, in cells of an average class
_FITTED = 100_000  # a mixture of a few components needs no more cells, and takes seconds


def segment(
    maps: npt.ArrayLike | Tensor,
    classes: int = 2,
    *,
    method: str = "gmm",
    denoise: float | str | None = None,
    seed: int = 0,
    mask: npt.ArrayLike | Tensor | None = None,
) -> Int[np.ndarray, "rows cols"]:
    """Segment latent maps into domains.

    Parameters
    ----------
    maps
        Latent maps, shape (channels, rows, cols), or one map, shape (rows, cols); finite, but for
        cells without a patch, which are NaN in every channel. Channels come first: more than 8
        channels of at most 4 columns are taken for maps with channels last, and refused.
    classes
        Number of domains to look for, 1 <= classes <= number of patches.
    method
        - ``"gmm"``: Gaussian mixture on all channels, each standardised. Every component has a
          covariance of its own, drawn towards one that all share: else a very flat domain has so
          narrow a Gaussian that its outliers, and cells astride its wall, go to a broad one.
        - ``"otsu"``: Otsu's threshold of one map; multi-Otsu for 3 to 5 classes.
        - ``"chan_vese"``: Chan-Vese active contour on one map, 2 classes. Its contour runs
          through every cell, so it takes no map with empty ones.
    denoise
        Bilateral filter of each map before it is segmented, with a spatial width of 5 cells.
        None: no filter. A number > 0: its width in value, in units of the map's range (the
        paper's figures use 0.3, and 0.1 for NiO-LSMO). "std": the map's own standard deviation.
    seed
        Seed of the restarts of the Gaussian mixture.
    mask
        True where a cell holds a patch, shape (rows, cols), such as ``grid.mask``. The default
        takes it from the NaN of `maps`.

    Returns
    -------
    labels
        Shape (rows, cols), 0 <= label < classes, and -1 where there is no patch: such cells have
        no part in thresholds, mixtures and filters. They are ordered: label 0 has the lowest mean
        of the first channel that is not flat, and so on. A map of fewer values than classes has
        fewer labels; one whose channels are all flat (range <= 1e-3) is one domain, all 0.

    Raises
    ------
    ValueError
        If `maps` is not finite at a patch or has the wrong axes (channels last), or has several
        channels where `method` takes one; if `method` is unknown; if `classes` or `denoise` is
        out of its range; if "chan_vese" meets an empty cell.
    TypeError
        If `maps` is no array.

    Notes
    -----
    The labels do not depend on offset and scale of the maps, and flip and transpose with them.
    A map of more than 100 000 cells has its mixture fitted to every second, third, ... of its
    cells, in the order of their values.

    References
    ----------
    Biswas, Ziatdinov & Kalinin (2023), https://arxiv.org/abs/2302.04216: bilateral filter, then
    Otsu or Chan-Vese, of one map. We differ: the Gaussian mixture of all channels is ours; our
    bilateral filter is that of Tomasi & Manduchi (1998),
    https://doi.org/10.1109/ICCV.1998.710815, as scikit-image's `denoise_bilateral` (up to 0.26 at
    least) shears its spatial kernel and so mixes distant cells; Chan-Vese starts from Otsu's
    domains instead of a checkerboard, which leaves its traces in the result.

    Examples
    --------
    >>> ramp = np.array([[0.0, 0.1, 5.0], [0.1, 0.0, 5.1]])
    >>> segment(np.stack([ramp, -ramp]), classes=2)
    array([[0, 0, 1],
           [0, 0, 1]])
    >>> segment(ramp, classes=2, method="otsu")
    array([[0, 0, 1],
           [0, 0, 1]])
    """
    if not isinstance(method, str) or method not in _METHODS:
        raise ValueError(f"method={method!r} is unknown; choose one of {list(_METHODS)}.")
    channels, patches = as_maps(maps, mask)
    _check_classes(classes, method, cells=int(patches.sum()))
    _check_denoise(denoise)
    if method != "gmm" and len(channels) > 1:
        raise ValueError(
            f"method={method!r} segments one map, but maps has {len(channels)} channels; "
            "choose one, for example maps[1]."
        )
    if method == "chan_vese" and not patches.all():
        raise ValueError(
            f"method='chan_vese' draws its contour through every cell, but {(~patches).sum()} of "
            f"{patches.size} hold no patch; use method='otsu' or 'gmm'."
        )

    labels = np.where(patches, 0, -1)
    channels = channels[np.ptp(channels[:, patches], axis=1) > _FLAT]
    if classes == 1 or len(channels) == 0:
        return labels
    channels = np.stack([_normalise(channel, patches) for channel in channels])
    smooth = channels if denoise is None else _denoised(channels, denoise, patches)
    if method == "chan_vese":
        labels = _chan_vese(smooth[0])
    elif method == "otsu":
        labels[patches] = _otsu(smooth[0, patches], classes)
    else:
        labels[patches] = _gaussian_mixture(smooth[:, patches], classes, seed)
    labels[patches] = _ordered(labels[patches], by=channels[0, patches])
    return labels


def boundaries(labels: npt.ArrayLike | Tensor) -> Bool[np.ndarray, "rows cols"]:
    """Mark the cells at a wall: those with another label above, below, left or right.

    Both sides of a wall are marked (scikit-image's "thick" mode), as no label is background.
    The border of the map is no wall, nor is the rim of cells without a patch, labelled -1.

    Parameters
    ----------
    labels
        Domains, shape (rows, cols), whole numbers; -1: no patch.

    Returns
    -------
    walls
        Shape (rows, cols), True at a wall.

    Raises
    ------
    ValueError
        If `labels` has other axes or values that are not whole numbers.

    Examples
    --------
    >>> boundaries([[0, 0, 0, 1, 1]]).astype(int)
    array([[0, 0, 1, 1, 0]])
    """
    domains = as_label_map(labels)
    walls = np.zeros(domains.shape, dtype=bool)
    for axis in (0, 1):
        a, b = domains.swapaxes(0, axis)[1:], domains.swapaxes(0, axis)[:-1]
        unequal = (a != b) & (a != -1) & (b != -1)
        walls.swapaxes(0, axis)[1:] |= unequal
        walls.swapaxes(0, axis)[:-1] |= unequal
    return walls


def grains(labels: npt.ArrayLike | Tensor, max_size: int) -> Int[np.ndarray, "rows cols"]:
    """Number the grains: connected pieces of one label, of at most `max_size` cells.

    Cells are connected through their edges, not their corners; those without a patch, labelled
    -1, belong to no grain. In the paper, grains are small
    spurious islands within a domain, which the physics makes vanish.

    Parameters
    ----------
    labels
        Domains, shape (rows, cols), whole numbers.
    max_size
        Area of the largest piece that still is a grain, cells, >= 1.

    Returns
    -------
    numbers
        Shape (rows, cols): 1 to n at the n grains, in reading order, and 0 elsewhere; ``.max()``
        is the number of grains.

    Raises
    ------
    ValueError
        If `labels` has other axes or values that are not whole numbers; if `max_size` is not an
        integer >= 1.

    References
    ----------
    Biswas, Ziatdinov & Kalinin (2023), https://arxiv.org/abs/2302.04216

    Examples
    --------
    >>> grains([[0, 0, 1, 0], [0, 0, 0, 2]], max_size=2)
    array([[0, 0, 1, 2],
           [0, 0, 0, 3]])
    """
    if not is_integer(max_size) or max_size < 1:
        raise ValueError(
            f"max_size={max_size!r} cells must be an integer >= 1, the largest area of a grain."
        )
    domains = as_label_map(labels)
    # No label is background: every domain is cut into its pieces, numbered from 1.
    pieces = connected_pieces(domains, background=domains.min() - 1, connectivity=1)
    small = np.bincount(pieces.ravel(), minlength=1) <= max_size
    small[0] = False
    small[np.unique(pieces[domains == -1])] = False
    numbers: np.ndarray = np.where(small, np.cumsum(small), 0)[pieces]
    return numbers


def _gaussian_mixture(
    values: Float[np.ndarray, "channels n"], classes: int, seed: int
) -> Int[np.ndarray, " n"]:
    """Label by the most likely component of a Gaussian mixture on all channels."""
    features = values.T
    # The restarts draw cells by their position in the list: sort it, so that only the values
    # matter and a flipped map has flipped labels.
    order = np.lexsort(features.T)
    features = features[order]
    features = (features - features.mean(axis=0)) / features.std(axis=0)
    few = features[:: 1 + len(features) // _FITTED]
    starts = {"n_init": 5, "max_iter": 500, "random_state": seed}
    with warnings.catch_warnings():
        # Fewer distinct cells than classes: promised above to give fewer labels.
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
    labels[order] = mixture.predict(features)
    return labels


def _otsu(values: Float[np.ndarray, " n"], classes: int) -> Int[np.ndarray, " n"]:
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
    labels: np.ndarray = np.digitize(levels, thresholds, right=True)
    return labels


def _chan_vese(channel: Float[np.ndarray, "rows cols"]) -> Int[np.ndarray, "rows cols"]:
    """Label by the Chan-Vese active contour of one map, with scikit-image's weights."""
    inside: np.ndarray = chan_vese(channel, init_level_set=channel - threshold_otsu(channel))
    return inside.astype(np.int64)


def _normalise(
    channel: Float[np.ndarray, "rows cols"], patches: Bool[np.ndarray, "rows cols"]
) -> Float[np.ndarray, "rows cols"]:
    """Stretch to [0, 1] where there are patches; 0 elsewhere."""
    values = channel[patches]
    normalised: np.ndarray = np.where(patches, (channel - values.min()) / np.ptp(values), 0.0)
    return normalised


@torch.no_grad()
def _denoised(
    maps: Float[np.ndarray, "channels rows cols"],
    denoise: float | str,
    patches: Bool[np.ndarray, "rows cols"],
) -> Float[np.ndarray, "channels rows cols"]:
    """Filter each map, with its own standard deviation as width in value for "std"."""
    sigma_color = None if isinstance(denoise, str) else float(denoise)
    mask = None if patches.all() else torch.from_numpy(patches)
    smooth: np.ndarray = bilateral(torch.from_numpy(maps), sigma_color, 5.0, mask=mask).numpy()
    return smooth


def _ordered(labels: Int[np.ndarray, " n"], by: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Renumber labels 0, 1, ... by the mean of a map over each."""
    _, compact = np.unique(labels, return_inverse=True)
    means = np.bincount(compact, weights=by) / np.bincount(compact)
    rank: np.ndarray = np.argsort(np.argsort(means, kind="stable"))
    return rank[compact]


def _check_classes(classes: object, method: str, cells: int) -> None:
    if not is_integer(classes) or classes < 1:
        raise ValueError(f"classes={classes!r} must be an integer >= 1, the number of domains.")
    if classes > cells:
        raise ValueError(
            f"classes={classes} exceeds the {cells} cells of the map; ask for fewer classes."
        )
    most = {"otsu": 5, "chan_vese": 2}.get(method, cells)  # multi-Otsu: 4 s at 5, minutes at 6
    if classes > most:
        raise ValueError(
            f"classes={classes} exceeds the {most} that method={method!r} can tell apart; "
            "ask for fewer, or use method='gmm'."
        )


def _check_denoise(denoise: object) -> None:
    if denoise is not None and denoise != "std" and not is_positive(denoise):
        raise ValueError(
            f"denoise={denoise!r} must be None (no filter), 'std', or a number > 0, the width of "
            "the bilateral filter in units of the map's range, for example 0.3."
        )
