"""Number of domains in latent maps: regions with an inside and with walls that are steps."""

import warnings

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Int
from scipy.ndimage import maximum_filter, minimum_filter
from sklearn.exceptions import ConvergenceWarning
from torch import Tensor

from .._checks import as_integer, as_maps
from .segmentation import segment

__all__ = ["count_domains"]

_INSIDE = 0.6  # share of a domain's cells that have neighbours of their own domain only
_STEP = 0.55  # step across a wall, relative to the difference of the two means


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
    none. Numbers are tried upwards until two in a row fail. A domain is

    - a region: of its cells, at least 0.6 have no neighbour of another class among the eight.
      Classes of noise are scattered, and a mixture's spare class is a line along a wall.
    - bounded by walls: between two cells at a distance of `wall` on opposite sides of a wall, the
      maps change on average by at least 0.55 of the difference of the two classes' means. A slow
      change, as of the thickness or the background, has smaller steps, wherever it is cut in two.

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
    Domains narrower than three cells, and walls wider than `wall`, are not found. Count in maps as
    the model returns them: smoothing turns walls into ramps. Measured with `wall` = 2, phantoms
    with domains have shares of 0.75 to 0.9 and steps of 0.66 to 0.9, those without have shares of
    0.0 to 0.5 and steps of 0.2 to 0.45 (`docs/results.md`); the two limits lie between.

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
    standardised = _standardised(channels, patches)
    found, failed = 1, 0
    for classes in range(2, most + 1):
        labels = _segmented(maps, classes, seed, mask)
        if labels.max() == classes - 1 and _are_domains(standardised, labels, wall):
            found, failed = classes, 0
        else:
            failed += 1
        if failed == 2:  # more classes only cut finer
            break
    return found


def _standardised(
    maps: Float[np.ndarray, "channels rows cols"], patches: Bool[np.ndarray, "rows cols"]
) -> Float[np.ndarray, "channels rows cols"]:
    """Scale each map to mean 0 and standard deviation 1 over the patches; 0 elsewhere."""
    values = maps[:, patches]
    mean, std = values.mean(axis=1)[:, None], values.std(axis=1)[:, None]
    standardised = np.zeros(maps.shape)
    standardised[:, patches] = (values - mean) / np.where(std > 0, std, 1.0)
    return standardised


def _segmented(
    maps: npt.ArrayLike | Tensor, classes: int, seed: int, mask: npt.ArrayLike | Tensor | None
) -> Int[np.ndarray, "rows cols"]:
    with warnings.catch_warnings():
        # A mixture of too many components may not converge; it is rejected anyway.
        warnings.simplefilter("ignore", ConvergenceWarning)
        return segment(maps, classes, seed=seed, mask=mask)


def _are_domains(
    maps: Float[np.ndarray, "channels rows cols"], labels: Int[np.ndarray, "rows cols"], wall: int
) -> bool:
    """Return whether each label is a region that ends in steps."""
    inside = minimum_filter(labels, 3, mode="nearest") == maximum_filter(labels, 3, mode="nearest")
    classes = range(int(labels.max()) + 1)
    if min(inside[labels == k].mean() for k in classes) < _INSIDE:
        return False
    steps = _steps(maps, labels, wall)
    return all(steps[label].mean() >= _STEP for label in classes if len(steps[label]))


def _steps(
    maps: Float[np.ndarray, "channels rows cols"], labels: Int[np.ndarray, "rows cols"], wall: int
) -> list[Float[np.ndarray, " pairs"]]:
    """Return, by label, the step of each pair of cells across a wall, relative to the means'."""
    count = int(labels.max()) + 1
    means = np.stack([maps[:, labels == k].mean(axis=1) for k in range(count)])
    found: list[list[np.ndarray]] = [[] for _ in range(count)]
    for values, kinds in ((maps, labels), (maps.transpose(0, 2, 1), labels.T)):
        first, second = kinds[:-wall], kinds[wall:]
        across = (first != second) & (first >= 0) & (second >= 0)
        one, two = first[across], second[across]
        expected = means[two] - means[one]
        step = (values[:, wall:] - values[:, :-wall])[:, across].T
        relative = (step * expected).sum(axis=1) / (expected**2).sum(axis=1)
        for label in range(count):
            found[label].append(relative[(one == label) | (two == label)])
    return [np.concatenate(parts) for parts in found]
