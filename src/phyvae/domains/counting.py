"""How many domains latent maps have: as many as have an inside, and walls that are steps."""

import warnings

import numpy as np
import numpy.typing as npt
from jaxtyping import Float, Int
from scipy.ndimage import maximum_filter, minimum_filter
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from .._checks import as_integer, as_maps
from .segmentation import segment

__all__ = ["count_domains"]

_INSIDE = 0.6  # share of a domain's cells that have neighbours of their own domain only
_STEP = 0.55  # part of the way from mean to mean that is gone across a wall


def count_domains(
    maps: npt.ArrayLike | Tensor,
    most: int = 6,
    *,
    wall: int = 2,
    seed: int = 0,
    mask: npt.ArrayLike | Tensor | None = None,
) -> int:
    r"""Return the number of domains in latent maps, for `segment`.

    It is the largest number of classes of a Gaussian mixture that are all domains; 1 if there are
    none. It is counted up until two numbers in a row will not do. A domain is

    - a region: of its cells, at least 0.6 have no neighbour of another class among the eight.
      Classes of noise lie scattered, and a mixture's spare class is a line along a wall.
    - ended by walls: between two cells that lie `wall` apart and astride a wall, the maps go on
      average at least 0.55 of the way from the mean of one class to that of the other. In a slow
      change, as of the thickness or the background, they go less, wherever it is cut in two.

    Parameters
    ----------
    maps
        Latent maps of a raster, shape (channels, rows, cols), as for `segment`.
    most
        Largest number of domains to look for, >= 1; no more than there are patches.
    wall
        Cells over which a wall may spread, >= 1, fewer than the map is long.
        Patches see a wall from as many cells as their size has steps: 2 for patches of 24 px at
        steps of 12 px.
    seed
        Seed of the mixtures.
    mask
        True where a cell holds a patch, as for `segment`.

    Returns
    -------
    int
        1 <= number <= `most`.

    Notes
    -----
    Domains narrower than three cells, and walls that are wider than `wall`, are not seen. Count in
    maps as they come from the model: smoothing makes ramps of walls. The two limits, measured with
    walls of two, lie between what phantoms with and without domains show: shares of 0.75 to 0.9
    and 0.0 to 0.5, steps of 0.66 to 0.9 and 0.2 to 0.45 (`docs/results.md`).

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> halves = np.repeat([0.0, 1.0], 12) + rng.normal(0, 0.2, (24, 24))
    >>> count_domains(halves), count_domains(rng.normal(0, 0.2, (24, 24)))
    (2, 1)
    """
    as_integer(most, "most", 1)
    as_integer(wall, "wall", 1, " cell")
    channels, patches = as_maps(maps, mask)
    if most > patches.sum():
        raise ValueError(
            f"most={most} exceeds the {patches.sum()} cells of the map; ask for fewer."
        )
    if most > 1 and wall >= max(patches.shape):
        raise ValueError(
            f"wall={wall} must be less than the {max(patches.shape)} cells that the map is long: "
            "patch size over step."
        )
    values = channels[:, patches]
    spread = values.std(axis=1)
    shown = np.zeros(channels.shape)
    shown[:, patches] = (values - values.mean(axis=1)[:, None]) / np.where(
        spread > 0, spread, 1.0
    )[:, None]
    found, failed = 1, 0
    for classes in range(2, most + 1):
        labels = _segmented(maps, classes, seed, mask)
        if labels.max() == classes - 1 and _are_domains(shown, labels, wall):
            found, failed = classes, 0
        else:
            failed += 1
        if failed == 2:  # more classes only cut finer
            break
    return found


def _segmented(
    maps: npt.ArrayLike | Tensor, classes: int, seed: int, mask: npt.ArrayLike | Tensor | None
) -> Int[np.ndarray, "rows cols"]:
    with warnings.catch_warnings():
        # A mixture of too many components may wander for ever; it is turned down anyway.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return segment(maps, classes, seed=seed, mask=mask)


def _are_domains(
    maps: Float[np.ndarray, "channels rows cols"], labels: Int[np.ndarray, "rows cols"], wall: int
) -> bool:
    """Return whether each label is a region that ends in steps."""
    alone = minimum_filter(labels, 3, mode="nearest") == maximum_filter(labels, 3, mode="nearest")
    classes = range(int(labels.max()) + 1)
    if min(alone[labels == k].mean() for k in classes) < _INSIDE:
        return False
    steps = _steps(maps, labels, wall)
    return all(steps[label].mean() >= _STEP for label in classes if len(steps[label]))


def _steps(
    maps: Float[np.ndarray, "channels rows cols"], labels: Int[np.ndarray, "rows cols"], wall: int
) -> list[Float[np.ndarray, " pairs"]]:
    """Return, by label, which part of the way between two means each pair astride a wall goes."""
    count = int(labels.max()) + 1
    means = np.stack([maps[:, labels == k].mean(axis=1) for k in range(count)])
    found: list[list[np.ndarray]] = [[] for _ in range(count)]
    for turned, kinds in ((maps, labels), (maps.transpose(0, 2, 1), labels.T)):
        first, second = kinds[:-wall], kinds[wall:]
        astride = (first != second) & (first >= 0) & (second >= 0)
        one, two = first[astride], second[astride]
        way = means[two] - means[one]
        step = (turned[:, wall:] - turned[:, :-wall])[:, astride].T
        part = (step * way).sum(axis=1) / (way**2).sum(axis=1)
        for label in range(count):
            found[label].append(part[(one == label) | (two == label)])
    return [np.concatenate(parts) for parts in found]
