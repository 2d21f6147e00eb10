"""Segmentation: latent maps become labels."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int, Shaped
from skimage.filters import threshold_multiotsu, threshold_otsu
from skimage.segmentation import chan_vese
from torch import Tensor

from .._checks import as_array, as_maps, as_seed, brief, is_integer, is_positive
from ..patches.graph import SiteGraph
from .astride import told_by_neighbours
from .denoising import denoised
from .mixture import mixture_labels

__all__ = ["segment"]

_METHODS = ("chan_vese", "gmm", "otsu")
_FLAT = 1e-3  # a channel of at most this range shows nothing, as in the paper


@overload
def segment(
    maps: list[Tensor] | list[np.ndarray],
    classes: int = 2,
    *,
    method: str = "gmm",
    denoise: float | str | None = None,
    seed: int = 0,
    mask: Sequence[Any] | None = None,
    graph: Sequence[SiteGraph | None] | None = None,
    signal: npt.ArrayLike | Tensor | None = None,
) -> list[Int[np.ndarray, "rows cols"]]: ...


@overload
def segment(
    maps: npt.ArrayLike | Tensor,
    classes: int = 2,
    *,
    method: str = "gmm",
    denoise: float | str | None = None,
    seed: int = 0,
    mask: npt.ArrayLike | Tensor | None = None,
    graph: SiteGraph | None = None,
    signal: npt.ArrayLike | Tensor | None = None,
) -> Int[np.ndarray, "rows cols"]: ...


def segment(
    maps: Any,
    classes: int = 2,
    *,
    method: str = "gmm",
    denoise: float | str | None = None,
    seed: int = 0,
    mask: Any = None,
    graph: Any = None,
    signal: npt.ArrayLike | Tensor | None = None,
) -> Any:
    """Segment latent maps into domains.

    Parameters
    ----------
    maps
        Latent maps, shape (channels, rows, cols), or one map, shape (rows, cols); finite, but for
        cells without a patch, which are NaN in every channel. Channels come first: more than 8
        channels of at most 4 columns are taken for maps with channels last, and refused.
        Of a series of images, a list of maps, each (channels, rows, cols): they are segmented
        as one, so that a label is the same domain in all of them.
    classes
        Number of domains to look for, 1 <= classes <= number of patches.
    method
        - ``"gmm"``: Gaussian mixture on all channels, each standardised. Every component has a
          covariance of its own, drawn towards one that all share: else a very flat domain has so
          narrow a Gaussian that its outliers, and cells astride its wall, go to a broad one. A
          cell that lies outside all components, as those astride a wall do, has the label that
          most of its neighbours have.
        - ``"otsu"``: Otsu's threshold of one map; multi-Otsu for 3 to 5 classes.
        - ``"chan_vese"``: Chan-Vese active contour on one map, 2 classes. Its contour runs
          through every cell of a raster, so it takes no map with empty ones, and no graph.
    denoise
        Bilateral filter of each map before it is segmented, with a spatial width of 5 cells (of
        sites without a lattice, of 5 times their spacing).
        None: no filter. A number > 0: its width in value, in units of the map's range (the
        paper's figures use 0.3, and 0.1 for NiO-LSMO). "std": the map's own standard deviation.
    seed
        Seed of the restarts of the Gaussian mixture, 0 <= seed < 2**32.
    mask
        True where a cell holds a patch, shape (rows, cols), such as ``grid.mask``. The default
        takes it from the NaN of `maps`. Of a list of maps, a list.
    graph
        Of sites without a lattice, where they are: ``grid.graph``. The maps are then a row of
        sites, shape (channels, 1, sites). Without it, cells of a single row have no neighbours
        that could tell their label. Of a list of maps, a list.
    signal
        For "gmm": which part of each channel's variance tells patches apart, 0 to 1, shape
        (channels,), such as ``model.signal(grid)``, or ``refined.signal`` of refined maps. The
        rest is noise; what a channel has of it beyond the clearest one is added to its values, so
        that it counts by what it says.
        The default takes all as exact, and then a channel of noise counts as much as any other.

    Returns
    -------
    labels
        Shape (rows, cols), 0 <= label < classes, and -1 where there is no patch: such cells have
        no part in thresholds, mixtures and filters. They are ordered: label 0 has the lowest mean
        of the first channel that is not flat, and so on. A map of fewer values than classes has
        fewer labels; one whose channels are all flat (range, or signal, <= 1e-3) is one domain,
        all 0. Of a list of maps, a list.

    Raises
    ------
    ValueError
        If `maps` is not finite at a patch or has the wrong axes (channels last), or has several
        channels where `method` takes one; if `method` is unknown; if `classes` or `denoise` is
        out of its range; if "chan_vese" meets an empty cell, a graph or a list; if the maps are
        not those of the graph's sites; if `signal` is not a share for each channel.
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
    several = isinstance(maps, list | tuple) and all(getattr(z, "ndim", 0) == 3 for z in maps)
    listed = list(maps) if several else [maps]
    masks, graphs = _each(mask, several, listed, "mask"), _each(graph, several, listed, "graph")
    given = [as_maps(one, there) for one, there in zip(listed, masks, strict=True)]
    as_seed(seed, below=2**32)
    shares = _check(given, classes, method, denoise, graphs, signal)
    labels = _segmented(given, classes, method, denoise, seed, graphs, shares)
    return labels if several else labels[0]


Given = list[tuple[Float[np.ndarray, "..."], Bool[np.ndarray, "..."]]]
"""Maps (channels, rows, cols) and where they hold patches (rows, cols), of unequal sizes."""


def _segmented(
    given: Given,
    classes: int,
    method: str,
    denoise: float | str | None,
    seed: int,
    graphs: list[SiteGraph | None],
    signal: Float[np.ndarray, " channels"],
) -> list[Int[np.ndarray, "rows cols"]]:
    """Return the labels of each of some maps, segmented as one."""
    values = _values(given)
    kept = (np.ptp(values, axis=1) > _FLAT) & (signal > _FLAT)
    if classes == 1 or not kept.any():
        return [np.where(patches, 0, -1) for _, patches in given]
    low, high = values[kept].min(axis=1), values[kept].max(axis=1)
    smooth: Given = []
    for (channels, patches), graph in zip(given, graphs, strict=True):
        each = zip(channels[kept], low, high, strict=True)
        maps = np.stack([_normalised(*z, patches) for z in each])
        if denoise is not None:
            maps = denoised(maps, denoise, patches, graph)
        smooth.append((maps, patches))
    astride = np.zeros(values.shape[1], dtype=bool)
    if method == "chan_vese":
        found = _chan_vese(smooth[0][0][0]).ravel()
    elif method == "otsu":
        found = _otsu(_values(smooth)[0], classes)
    else:
        found, astride = mixture_labels(_values(smooth), classes, seed, signal[kept])
    between = _laid_out(astride, given, False)
    told = [
        told_by_neighbours(*one)
        for one in zip(_laid_out(found, given, -1), between, graphs, strict=True)
    ]
    seen = [one[patches] for one, (_, patches) in zip(told, given, strict=True)]
    return _laid_out(_ordered(np.concatenate(seen), by=values[kept][0]), given, -1)


def _values(given: Given) -> Float[np.ndarray, "channels n"]:
    """Return the values of all maps where there are patches."""
    return np.concatenate([channels[:, patches] for channels, patches in given], axis=1)


def _laid_out(
    cells: Shaped[np.ndarray, " n"], given: Given, elsewhere: int
) -> list[Shaped[np.ndarray, "rows cols"]]:
    """Return values of all cells that hold a patch, laid out on each of the maps."""
    laid = [np.full(patches.shape, elsewhere, dtype=cells.dtype) for _, patches in given]
    parts = np.split(cells, np.cumsum([patches.sum() for _, patches in given])[:-1])
    for one, (_, patches), part in zip(laid, given, parts, strict=True):
        one[patches] = part
    return laid


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


def _normalised(
    channel: Float[np.ndarray, "rows cols"],
    low: float,
    high: float,
    patches: Bool[np.ndarray, "rows cols"],
) -> Float[np.ndarray, "rows cols"]:
    """Stretch to [0, 1] where there are patches; 0 elsewhere."""
    normalised: np.ndarray = np.where(patches, (channel - low) / (high - low), 0.0)
    return normalised


def _ordered(labels: Int[np.ndarray, " n"], by: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Renumber labels 0, 1, ... by the mean of a map over each."""
    _, compact = np.unique(labels, return_inverse=True)
    means = np.bincount(compact, weights=by) / np.bincount(compact)
    rank: np.ndarray = np.argsort(np.argsort(means, kind="stable"))
    return rank[compact]


def _each(value: Any, several: bool, maps: list[Any], name: str) -> list[Any]:
    """Return what is given for each of the maps."""
    if not several:
        return [value]
    if value is None:
        return [None] * len(maps)
    if not isinstance(value, list | tuple) or len(value) != len(maps):
        raise ValueError(
            f"{name}={brief(value)} must be a list of {len(maps)}, one for each of the maps."
        )
    return list(value)


def _check(
    given: Given,
    classes: object,
    method: str,
    denoise: object,
    graphs: list[Any],
    signal: Any,
) -> Float[np.ndarray, " channels"]:
    """Raise an error if the maps do not suit each other or a setting; return the signal."""
    counts = [len(channels) for channels, _ in given]
    if len(set(counts)) > 1:
        raise ValueError(f"maps have {counts} channels, but must have equally many.")
    _check_classes(classes, method, cells=int(sum(patches.sum() for _, patches in given)))
    _check_denoise(denoise)
    for (channels, patches), graph in zip(given, graphs, strict=True):
        if graph is not None:
            _check_sites(graph, channels.shape, method)
        if method == "chan_vese" and not patches.all():
            raise ValueError(
                f"method='chan_vese' draws its contour through every cell, but {(~patches).sum()} "
                f"of {patches.size} hold no patch; use method='otsu' or 'gmm'."
            )
    if method != "gmm" and counts[0] > 1:
        raise ValueError(
            f"method={method!r} segments one map, but maps has {counts[0]} channels; "
            "choose one, for example maps[1]."
        )
    if method == "chan_vese" and len(given) > 1:
        raise ValueError(
            f"method='chan_vese' draws its contour through one image, but maps is a list of "
            f"{len(given)}; use method='otsu' or 'gmm'."
        )
    if signal is None:
        return np.ones(counts[0])
    shares = as_array(signal)
    real = shares.dtype.kind in "fiu" and shares.shape == (counts[0],)
    if method != "gmm" or not real or not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(
            f"signal={brief(signal)} must be {counts[0]} numbers from 0 to 1, a share for each "
            "channel, and goes with method='gmm': model.signal(grid)."
        )
    return shares.astype(np.float64)


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


def _check_sites(graph: object, shape: tuple[int, ...], method: str) -> None:
    if not isinstance(graph, SiteGraph):
        raise TypeError(f"graph={graph!r} must be a SiteGraph: grid.graph, or None for a raster.")
    if shape[1:] != (1, len(graph)):
        raise ValueError(
            f"maps of shape {shape} must be those of the graph's {len(graph)} sites, shape "
            f"({shape[0]}, 1, {len(graph)}); leave graph out for a raster."
        )
    if method == "chan_vese":
        raise ValueError(
            "method='chan_vese' draws its contour through a raster, but these sites have no "
            "lattice; use method='otsu' or 'gmm'."
        )


def _check_denoise(denoise: object) -> None:
    if denoise is not None and denoise != "std" and not is_positive(denoise):
        raise ValueError(
            f"denoise={denoise!r} must be None (no filter), 'std', or a number > 0, the width of "
            "the bilateral filter in units of the map's range, for example 0.3."
        )
