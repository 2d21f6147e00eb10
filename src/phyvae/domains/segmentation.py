"""Segmentation of latent maps into labelled domains."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from torch import Tensor

from .._checks import (
    as_array,
    as_choice,
    as_integer,
    as_maps,
    as_number,
    as_positive,
    as_seed,
    brief,
)
from ..patches.graph import SiteGraph
from .mixture import mixture_labels
from .one_map import chan_vese_labels, otsu_labels
from .relabelling import majority_vote, ordered
from .series import Series
from .wall_energy import wall_energy_labels

__all__ = ["segment"]

_METHODS = ("chan_vese", "gmm", "otsu", "walls")
_ALL_CHANNELS = ("gmm", "walls")
_FLAT = 1e-3  # a channel of at most this range, or signal, is not used; the range as in the paper


@overload
def segment(
    maps: list[Tensor] | list[np.ndarray],
    classes: int = 2,
    *,
    method: str = "walls",
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
    method: str = "walls",
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
    method: str = "walls",
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
        - ``"walls"``: the labels of least energy: the distance of the values from the mean of
          their domain, in units of a scatter that all domains share, and the length of the walls.
          A cell that a wall crosses goes to the domain nearer to it in value, an outlier of all
          domains with its neighbours. A cell well within the values of another domain keeps its
          label, whatever its neighbours have: 6 times the scatter outweighs the walls around
          it, and less where such cells are frequent, as particles of another kind are.
          Channels count in their own units, which a model's latents share.
        - ``"gmm"``: Gaussian mixture on all channels, each standardised. Every component has a
          covariance of its own, shrunk towards one that all share: else a very flat domain has so
          narrow a Gaussian that its outliers, and cells at its wall, go to a broad one. An
          outlier of all components, such as the cell of a patch that a wall crosses, takes the
          label of the majority of its neighbours.
        - ``"otsu"``: Otsu's threshold of one map; multi-Otsu for 3 to 5 classes.
        - ``"chan_vese"``: Chan-Vese active contour on one map, 2 classes. Its contour runs
          through every cell of a raster, so it takes no map with empty ones, and no graph.
    denoise
        Bilateral filter of each map before it is segmented, with a spatial width of 5 cells (of
        sites without a lattice, of 5 times their spacing).
        None: no filter. A number > 0: its width in value, in units of the map's range (the
        paper's figures use 0.3, and 0.1 for NiO-LSMO). "std": the map's own standard deviation.
    seed
        Seed of the clusters that "walls" and "gmm" start from, 0 <= seed < 2**32.
    mask
        True where a cell holds a patch, shape (rows, cols), such as ``grid.mask``. The default
        takes it from the NaN of `maps`. Of a list of maps, a list.
    graph
        Of sites without a lattice, where they are: ``grid.graph``. The maps are then a row of
        sites, shape (channels, 1, sites). Without it, cells of a single row have no neighbours.
        Of a list of maps, a list.
    signal
        For "walls" and "gmm": the share of each channel's variance that is signal, 0 to 1, shape
        (channels,), such as ``model.signal(grid)``, or ``refined.signal`` of refined maps. The
        rest is noise. For "walls", each channel's squared distances count by its share. For
        "gmm", a channel counts less, the more noise it has beyond the channel of least
        noise. The default takes all values as exact: then a channel of noise counts as much as
        any other.

    Returns
    -------
    labels
        Shape (rows, cols), 0 <= label < classes, and -1 where there is no patch: such cells have
        no part in thresholds, mixtures and filters. They are ordered: label 0 has the lowest mean
        of the first channel that is not flat, and so on. There are fewer labels than classes
        where the map has fewer values, and by "walls" also where a further domain costs more
        wall than it is worth. A map whose channels are all flat (range, or signal, <= 1e-3) is one
        domain, all 0. Of a list of maps, a list.

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
    The labels do not depend on offset and scale of the maps, and flip and transpose with them;
    by "gmm", not on the scale of single channels either. By "walls", 200 x 200 cells of four
    classes take 2 s; by "gmm", a map of more than 100 000 cells has its mixture fitted to every
    second, third, ... of its cells, in the order of their values.

    References
    ----------
    Biswas, Ziatdinov & Kalinin (2023), https://arxiv.org/abs/2302.04216: bilateral filter, then
    Otsu or Chan-Vese, of one map. We differ: wall energy and the Gaussian mixture of all channels
    are ours; our bilateral filter is that of Tomasi & Manduchi (1998),
    https://doi.org/10.1109/ICCV.1998.710815, as scikit-image's `denoise_bilateral` (up to 0.26 at
    least) shears its spatial kernel and so mixes distant cells; Chan-Vese starts from Otsu's
    domains instead of a checkerboard, which leaves its traces in the result.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> ramp = np.array([[0.0, 0.1, 5.0], [0.1, 0.0, 5.1]])
    >>> phyvae.segment(np.stack([ramp, -ramp]), classes=2)
    array([[0, 0, 1],
           [0, 0, 1]])
    >>> phyvae.segment(ramp, classes=2, method="otsu")
    array([[0, 0, 1],
           [0, 0, 1]])
    """
    as_choice(method, "method", _METHODS)
    as_seed(seed, below=2**32)
    several = isinstance(maps, list | tuple) and all(getattr(z, "ndim", 0) == 3 for z in maps)
    listed = list(maps) if several else [maps]
    masks, graphs = _each(mask, several, listed, "mask"), _each(graph, several, listed, "graph")
    series = _as_series(listed, masks, graphs)
    _check_classes(classes, method, series.cells)
    _check_denoise(denoise)
    _check_method(series, method)
    shares = _as_signal(signal, series.channels, method)
    labels = _labels(series, classes, method, denoise, seed, shares)
    return labels if several else labels[0]


def _labels(
    series: Series,
    classes: int,
    method: str,
    denoise: float | str | None,
    seed: int,
    signal: Float[np.ndarray, " channels"],
) -> list[Int[np.ndarray, "rows cols"]]:
    """Return the labels of each image."""
    values = series.values()
    kept = (np.ptp(values, axis=1) > _FLAT) & (signal > _FLAT)
    if classes == 1 or not kept.any():
        return series.laid_out(np.zeros(series.cells, dtype=np.int64), elsewhere=-1)
    scaled = series.normalised(kept)
    if denoise is not None:
        scaled = scaled.denoised(denoise)
    if method == "chan_vese":
        found = chan_vese_labels(scaled.maps[0][0]).ravel()
    elif method == "otsu":
        found = otsu_labels(scaled.values()[0], classes)
    elif method == "walls":
        own = scaled.values() * np.diff(series.limits()[:, kept], axis=0).T  # in own units
        found = wall_energy_labels(own, classes, series.walls(), seed, signal[kept])
    else:
        found, outliers = mixture_labels(scaled.values(), classes, seed, signal[kept])
        votes = (series.laid_out(found, -1), series.laid_out(outliers, False), series.graphs)
        found = series.listed(map(majority_vote, *votes))
    return series.laid_out(ordered(found, by=values[kept][0]), elsewhere=-1)


def _each(value: Any, several: bool, maps: list[Any], name: str) -> list[Any]:
    """Return the value of an argument for each of the maps."""
    if not several:
        return [value]
    if value is None:
        return [None] * len(maps)
    if not isinstance(value, list | tuple) or len(value) != len(maps):
        raise ValueError(
            f"{name}={brief(value)} must be a list of {len(maps)}, one for each of the maps."
        )
    return list(value)


def _as_series(maps: list[Any], masks: list[Any], graphs: list[Any]) -> Series:
    """Check that maps suit each other and their graphs."""
    checked = [as_maps(one, there) for one, there in zip(maps, masks, strict=True)]
    counts = [len(one) for one, _ in checked]
    if len(set(counts)) > 1:
        raise ValueError(f"maps have {counts} channels, but must have equally many.")
    for (one, _), graph in zip(checked, graphs, strict=True):
        if graph is not None:
            _check_sites(graph, one.shape)
    return Series([one for one, _ in checked], [there for _, there in checked], graphs)


def _check_sites(graph: object, shape: tuple[int, ...]) -> None:
    if not isinstance(graph, SiteGraph):
        raise TypeError(f"graph={graph!r} must be a SiteGraph: grid.graph, or None for a raster.")
    if shape[1:] != (1, len(graph)):
        raise ValueError(
            f"maps of shape {shape} must be those of the graph's {len(graph)} sites, shape "
            f"({shape[0]}, 1, {len(graph)}); leave graph out for a raster."
        )


def _check_classes(classes: object, method: str, cells: int) -> None:
    number = as_integer(classes, "classes", 1, ", the number of domains")
    if number > cells:
        raise ValueError(
            f"classes={number} exceeds the {cells} cells of the map; ask for fewer classes."
        )
    most = {"otsu": 5, "chan_vese": 2}.get(method, cells)  # multi-Otsu: 4 s at 5, minutes at 6
    if number > most:
        raise ValueError(
            f"classes={number} exceeds the {most} that method={method!r} can separate; "
            "ask for fewer, or use method='walls'."
        )


def _check_denoise(denoise: object) -> None:
    if denoise is None or (isinstance(denoise, str) and denoise == "std"):
        return
    width = "the width of the bilateral filter in units of the map's range, for example 0.3"
    number = as_number(denoise, "denoise", f"None (no filter), 'std', or a number > 0, {width}")
    as_positive(number, "denoise", f", {width}; else 'std', or None (no filter)")


def _check_method(series: Series, method: str) -> None:
    """Raise an error unless the method can segment such maps."""
    if method not in _ALL_CHANNELS and series.channels > 1:
        raise ValueError(
            f"method={method!r} segments one map, but maps has {series.channels} channels; "
            "choose one, for example maps[1]."
        )
    if method != "chan_vese":
        return
    empty = sum(int((~patches).sum()) for patches in series.patches)
    if len(series.maps) > 1:
        problem = f"one image, but maps is a list of {len(series.maps)}"
    elif series.graphs[0] is not None:
        problem = "a raster, but these sites have no lattice"
    elif empty:
        problem = f"every cell, but {empty} of {series.patches[0].size} hold no patch"
    else:
        return
    raise ValueError(
        f"method='chan_vese' runs its contour through {problem}; use method='otsu' or 'walls'."
    )


def _as_signal(signal: Any, channels: int, method: str) -> Float[np.ndarray, " channels"]:
    """Return the signal of each channel; by default, all is signal."""
    if signal is None:
        return np.ones(channels)
    shares = as_array(signal, "signal")
    real = shares.dtype.kind in "fiu" and shares.shape == (channels,)
    if method not in _ALL_CHANNELS or not real or not ((shares >= 0) & (shares <= 1)).all():
        raise ValueError(
            f"signal={brief(signal)} must be {channels} numbers from 0 to 1, a share for each "
            "channel, and goes with method='walls' or 'gmm': model.signal(grid)."
        )
    return shares.astype(np.float64)
