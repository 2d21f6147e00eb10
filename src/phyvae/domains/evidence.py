"""Evidence for each number of domains in latent maps: walls that are steps, not ramps or noise."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Int
from scipy.ndimage import distance_transform_edt
from torch import Tensor

from .._checks import as_integer, as_maps, as_positive, as_seed
from ..patches.grid import PatchGrid, check_grid
from .dividing import CONTRAST, RAMP, Division, divide
from .outlying import filled, noise_of, outlying
from .relabelling import ordered

__all__ = ["DomainEvidence", "NumberEvidence", "domain_evidence"]

_SCORE = 3.0  # least score, in standard deviations
_CLEAR = 4.0  # contrast at which half of it is enough: straight walls have few phases
_ALIKE = 0.5  # least contrast of the walls of more domains to that of fewer, up to a clear one
_SHARE = 0.5  # least score relative to the best: spare domains dilute the true ones

Cells = Bool[np.ndarray, "rows cols"]
Labels = Int[np.ndarray, "rows cols"]


@dataclass(frozen=True)
class NumberEvidence:
    """What speaks for and against one number of domains.

    Attributes
    ----------
    number
        Number of domains.
    score
        How much more the edges of the maps are concentrated at the walls than in maps of the same
        spectra with random phases, in standard deviations of these; NaN for 1.
    contrast
        Of the weakest wall: the edge magnitude at it, relative to that around it; NaN for 1, and
        where no wall has room for a profile.
    ramp
        Of the widest wall: the slope around it, relative to that at it; NaN as above.
    holds
        Whether there are as many domains, at least.
    reason
        Why, or why not, in words.
    """

    number: int
    score: float
    contrast: float
    ramp: float
    holds: bool
    reason: str


@dataclass(frozen=True, eq=False, repr=False)
class DomainEvidence:
    """The number of domains, and the evidence for it.

    Attributes
    ----------
    number
        Number of domains, >= 1.
    reason
        Why it is this one, in words.
    labels
        The domains whose walls were tested, shape (rows, cols), ordered as by `phyvae.segment`;
        -1 where there is no patch, in cells set aside, and in those up to half a patch from a cell
        without a patch.
    ranking
        The evidence for each number from 1 to the most that was looked for.
    rows, columns
        Those set aside, as they are unlike both of their neighbours: dead scan lines.
    set_aside
        All cells set aside, those of these rows and columns among them, shape (rows, cols).

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> rng = np.random.default_rng(0)
    >>> found = phyvae.domain_evidence(np.repeat([0.0, 1.0], 12) + rng.normal(0, 0.1, (24, 24)))
    >>> found.number, [one.number for one in found.ranking if one.holds]
    (2, [1, 2])
    """

    number: int
    reason: str
    labels: Labels
    ranking: tuple[NumberEvidence, ...]
    rows: tuple[int, ...]
    columns: tuple[int, ...]
    set_aside: Cells

    def __repr__(self) -> str:
        scores = ", ".join(f"{one.number}: {one.score:.1f}" for one in self.ranking[1:])
        return f"DomainEvidence(number={self.number}, scores={{{scores}}}, reason={self.reason!r})"


def domain_evidence(
    maps: npt.ArrayLike | Tensor,
    most: int = 6,
    *,
    grid: PatchGrid | None = None,
    wall: float | None = None,
    seed: int = 0,
    mask: npt.ArrayLike | Tensor | None = None,
) -> DomainEvidence:
    r"""Return the number of domains in latent maps, and the evidence for each number.

    Parameters
    ----------
    maps
        Latent maps of a raster as the model returns them, shape (channels, rows, cols): refined
        ones have no noise left to compare walls with.
    most
        Largest number of domains to look for, >= 1; no more than there are patches.
    grid
        Grid of the maps. It has the size of a patch in cells, `wall`.
    wall
        Size of a patch in cells, > 0, without a grid: patch size over step. Patches see a wall
        from as many cells. The default is 2, that of a `PatchGrid` without a step.
    seed
        Seed of the clusters and of the random phases.
    mask
        True where a cell holds a patch, as for `segment`.

    Returns
    -------
    DomainEvidence

    Raises
    ------
    ValueError
        If `most` exceeds the number of patches, or `wall` the length of the map; if the map is a
        single row, such as that of sites without a lattice.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> rng = np.random.default_rng(0)
    >>> ramp = np.linspace(0.0, 3.0, 24) + rng.normal(0, 0.2, (24, 24))
    >>> found = phyvae.domain_evidence(ramp)
    >>> found.number, found.ranking[1].ramp > 0.3
    (1, True)
    """
    as_integer(most, "most", 1)
    size = _wall(grid, wall)
    as_seed(seed, below=2**32)
    channels, patches = as_maps(maps, mask)
    _check_size(most, size, patches)
    noise = noise_of(channels, patches)
    rows, columns, aside = outlying(channels, patches, noise)
    known = patches & ~aside & _whole(patches, size)
    scaled = filled(channels, known)[noise > 0] / noise[noise > 0, None, None]
    divisions = divide(scaled, most, size, seed, known) if len(scaled) else {}
    ranking = _ranking(divisions, most)
    best = max((one.score for one in ranking[1:] if one.holds), default=0.0)
    held = [one for one in ranking[1:] if one.holds and one.score >= _SHARE * best]
    chosen = held[-1] if held else None
    labels = np.where(known, 0, -1)
    if chosen is not None:
        domains = divisions[chosen.number].labels
        labels[known] = ordered(domains[known], by=channels[0][known])
    return DomainEvidence(
        1 if chosen is None else chosen.number,
        _reason(ranking) if chosen is None else chosen.reason,
        labels,
        ranking,
        rows,
        columns,
        aside,
    )


_ONE = NumberEvidence(1, np.nan, np.nan, np.nan, True, "one domain needs no wall")


def _wall(grid: PatchGrid | None, wall: float | None) -> float:
    """Return the size of a patch in cells, 1 at least; a spectrum is one cell."""
    if grid is None:
        return max(1.0, as_positive(2.0 if wall is None else wall, "wall", ", in cells"))
    check_grid(grid)
    if wall is not None:
        raise ValueError(f"wall={wall:g} goes without a grid, which has the size of its patches.")
    if len(grid.patch_shape) == 1:
        return 1.0
    return max(1.0, *(side / step for side, step in zip(grid.patch_shape, grid.step, strict=True)))


def _whole(patches: Cells, wall: float) -> Cells:
    """Return the cells whose patches show nothing of the cells without a patch."""
    if patches.all():
        return patches
    whole: np.ndarray = distance_transform_edt(patches) > 0.5 + wall / 2
    return whole if whole.sum() >= patches.sum() / 2 else patches


def _ranking(divisions: Mapping[int, Division], most: int) -> tuple[NumberEvidence, ...]:
    """Judge the divisions into each number; walls of more domains are about as clear as of fewer.

    The patches set the width of all walls of a scan. A slow change is cut at its steepest places,
    which are far less steep than a wall.
    """
    ranking, least = [_ONE], CONTRAST
    for number in range(2, most + 1):
        ranking.append(_evidence(number, divisions.get(number), least))
        if ranking[-1].holds:
            least = max(least, min(_CLEAR, _ALIKE * ranking[-1].contrast))
    return tuple(ranking)


def _evidence(number: int, division: Division | None, least: float) -> NumberEvidence:
    """Judge a division into a number of domains by the least contrast of a wall."""
    if division is None:
        return NumberEvidence(number, 0.0, np.nan, np.nan, False, "the maps are flat")
    profiled = [one for one in division.walls if not np.isnan(one.contrast)]
    contrast = min((one.contrast for one in profiled), default=np.nan)
    ramp = max((one.ramp for one in profiled), default=np.nan)
    enough = float(np.interp(contrast, [CONTRAST, _CLEAR], [_SCORE, _SCORE / 2]))
    score = (
        f"edges lie at the walls by {division.score:.1f} standard deviations more than in maps "
        f"with random phases ({enough:.2g} at least)"
    )
    problem = ""
    if division.number < number:
        problem = f"{number - division.number} would be less than two patches wide, as in noise"
    elif not contrast > 0:
        problem = "one is less than three patches wide, as in noise, so that no wall can be tested"
    elif not contrast >= least:
        clear = ", as others here are clear" if least > CONTRAST else ""
        problem = (
            f"the maps change only {contrast:.2f} times as fast at the edge between two of them "
            f"as around it, as in noise or a slow change; at a wall, {least:.3g} times at "
            f"least{clear}"
        )
    elif not ramp <= RAMP:
        problem = (
            "the edge between two of them is a slow change, of thickness, strain or distortion, "
            f"and no wall: a patch away, the slope is still {ramp:.2f} of that at it; at a wall, "
            f"{RAMP:g} at most"
        )
    elif not division.score >= enough:
        problem = f"they are no better than chance: {score}"
    reason = problem or (
        f"every wall is a step: the maps change at least {contrast:.1f} times as fast at it as "
        f"around it, and with at most {max(ramp, 0.0):.2f} of its slope a patch away; {score}"
    )
    return NumberEvidence(number, division.score, contrast, ramp, not problem, reason)


def _reason(ranking: tuple[NumberEvidence, ...]) -> str:
    """Return why there is one domain only: why two fail, the least that could be more."""
    if len(ranking) == 1:
        return "no more than one was looked for"
    return f"two regions were tried: {ranking[1].reason}"


def _check_size(most: int, wall: float, patches: Cells) -> None:
    if most > patches.sum():
        raise ValueError(
            f"most={most} exceeds the {patches.sum()} cells of the map; ask for fewer."
        )
    if most > 1 and min(patches.shape) == 1 < max(patches.shape):
        raise ValueError(
            f"maps of shape (channels, {patches.shape[0]}, {patches.shape[1]}) must be a raster: "
            "sites, or a single line, have no regions whose walls could be tested. Choose the "
            "number yourself: segment(maps, classes, graph=grid.graph)."
        )
    if most > 1 and wall >= max(patches.shape):
        raise ValueError(
            f"wall={wall:g} must be less than the {max(patches.shape)} cells that the map is "
            "long: patch size over step."
        )
