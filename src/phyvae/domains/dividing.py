"""Divisions of maps into each number of domains, and how well their walls hold."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.ndimage import gaussian_filter

from .regions import at_walls, clusters, connected, without_specks, without_thin
from .surrogates import surrogates
from .wall_profiles import WallProfile, edge_magnitude, edge_ratio, profiles

__all__ = ["CONTRAST", "RAMP", "Division", "divide"]

CONTRAST = 2.2  # least edge magnitude at a wall, relative to that around; noise has 0.7 to 1.6
RAMP = 0.3  # largest slope around a wall, relative to that at it; slow changes have 0.4 to 1
_SURROGATES = 40  # with 20 a score of 2.5 comes out between 2.2 and 5
_SPREAD = 0.05  # least standard deviation of the logarithms of their ratios

Maps = Float[np.ndarray, "channels rows cols"]
Cells = Bool[np.ndarray, "rows cols"]
Labels = Int[np.ndarray, "rows cols"]


@dataclass(frozen=True)
class Division:
    """Labels, the walls between their connected pieces, and a score of them all.

    Attributes
    ----------
    labels
        Domains, shape (rows, cols).
    walls
        The profile of each wall.
    score
        How much more edges are concentrated at these walls than at those of surrogates, in
        standard deviations of the logarithm.
    """

    labels: Labels
    walls: tuple[WallProfile, ...]
    score: float

    @property
    def number(self) -> int:
        """Number of domains."""
        return len(np.unique(self.labels))


def divide(maps: Maps, most: int, wall: float, seed: int, known: Cells) -> dict[int, Division]:
    """Return the best division into each number of domains, 2 to `most`.

    The maps, smoothed by half a patch, are clustered into each number of classes. Of each
    clustering, regions are merged until the walls of those left hold. A
    number without such a division has that of its clusters.

    Parameters
    ----------
    maps
        Maps with a noise of 1, with values in all cells.
    most
        Largest number.
    wall
        Size of a patch, cells, >= 1.
    seed
        Seed of the clusters and surrogates.
    known
        Which cells count.
    """
    smooth = _smooth(maps, wall)
    score = _Score(maps, wall, seed, known)
    found: dict[int, Division] = {}
    clustered = {number: clusters(smooth, number, seed) for number in range(2, most + 1)}
    for labels in clustered.values():
        merged, walls = _merged(smooth, labels, wall, known)
        division = Division(merged, walls, score(merged))
        if division.number not in found or division.score > found[division.number].score:
            found[division.number] = division
    for number in clustered.keys() - found.keys():
        labels = without_thin(clustered[number], wall)
        walls = tuple(profiles(smooth, connected(labels), wall, known))
        found[number] = Division(labels, walls, score(clustered[number]))
    return found


class _Score:
    """How much more edges are concentrated at walls than at those of surrogates."""

    def __init__(self, maps: Maps, wall: float, seed: int, known: Cells) -> None:
        self.wall, self.seed, self.known = wall, seed, known
        self.edges = edge_magnitude(_smooth(maps, wall))
        self.surrogates = [_smooth(one, wall) for one in surrogates(maps, _SURROGATES, seed)]
        self.ratios: dict[int, Float[np.ndarray, " surrogates"]] = {}

    def __call__(self, labels: Labels) -> float:
        number = len(np.unique(labels))
        if number == 1:
            return 0.0
        if number not in self.ratios:
            divided = [clusters(one, number, self.seed) for one in self.surrogates]
            edges = map(edge_magnitude, self.surrogates)
            self.ratios[number] = np.array(list(map(self._ratio, edges, divided)))
        chance = self.ratios[number]
        spread = max(float(chance.std()), _SPREAD)
        return (self._ratio(self.edges, labels) - float(chance.mean())) / spread

    def _ratio(self, edges: Float[np.ndarray, "rows cols"], labels: Labels) -> float:
        return float(np.log(edge_ratio(edges, at_walls(labels), self.wall, self.known)))


def _merged(
    smooth: Maps, labels: Labels, wall: float, known: Cells
) -> tuple[Labels, tuple[WallProfile, ...]]:
    """Merge pieces whose walls do not hold, until all do; return the walls, too.

    In each round, two pieces are merged where no wall of either is weaker: the smaller takes the
    label of the larger.
    """
    labels = without_specks(labels, wall)
    while True:
        labels = without_thin(labels, wall)
        pieces = connected(labels)
        walls = profiles(smooth, pieces, wall, known)
        absorbed = _absorbed(walls, np.bincount(pieces.ravel()))
        if not absorbed:
            return labels, tuple(walls)
        kinds = np.zeros(pieces.max() + 1, dtype=np.int64)
        kinds[pieces] = labels
        kinds[list(absorbed)] = kinds[list(absorbed.values())]
        labels = kinds[pieces]


def _absorbed(walls: list[WallProfile], sizes: Int[np.ndarray, " pieces"]) -> dict[int, int]:
    """Return the pieces to be absorbed, and the larger pieces that each goes to.

    A piece goes across its weakest wall, if that fails; those that absorb stay, until the walls
    are measured anew. A wall without a profile fails only where a piece has no other.
    """
    absorbed: dict[int, int] = {}
    met: set[int] = set()  # pieces with a weaker wall, or that absorb
    some_fail = any(_strength(one) < 1 for one in walls)
    for one in sorted(walls, key=lambda wall: (_strength(wall), wall.edge)):
        small, large = sorted(one.pieces, key=lambda piece: (sizes[piece], piece))
        fails = _strength(one) < 1 or (np.isnan(one.contrast) and not some_fail)
        if fails and small not in met and large not in absorbed:
            absorbed[small] = large
        met |= {small, large}
    return absorbed


def _strength(wall: WallProfile) -> float:
    """Return a number >= 1 for a wall that holds, infinity for one without a profile."""
    if np.isnan(wall.contrast):
        return np.inf
    return min(wall.contrast / CONTRAST, RAMP / max(wall.ramp, 1e-3))


def _smooth(maps: Maps, wall: float) -> Maps:
    smooth: np.ndarray = gaussian_filter(maps, (0, wall / 2, wall / 2), mode="nearest")
    return smooth
