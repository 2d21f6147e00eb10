"""Walls between domains: how long each is, and what changes across it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree

from .._checks import sides_of
from ..patches.grid import PatchGrid
from ..scans.cell import unit_cell
from .lattices import (
    WAVES,
    SideLattice,
    are_alike,
    domain_cell,
    equivalent_bases,
    half_window,
    jackknifed,
    local_waves,
    offsets,
    tilt_and_strain,
)
from .on_grid import depths_of, labels_of
from .walls import wall_lengths

__all__ = ["Wall", "walls_between"]

_REACH = 4  # windows from a wall, up to which its sides count
_SEEN = 0.8  # of a window, in which its taper is not yet small
_MOST = 1500  # places on a side
_SIGMAS = 3.0
_LEAST_TILT = 0.5  # degrees: less is distortion of the scan
_LEAST_STRAIN = 0.5  # per cent, likewise
_VAGUE_TILT = 2.0  # degrees: with a larger standard deviation, no tilt is no result
_VAGUE_STRAIN = 5.0  # per cent, likewise
_LEAST_SHIFT = 0.15  # cells: less is content, such as a displaced atom
_AMBIGUOUS = 0.15  # cells
_UNCERTAIN = 0.05  # of a lattice vector

Vectors = Float[np.ndarray, "2 2"]
Points = Float[np.ndarray, "n 2"]


@dataclass(frozen=True, eq=False, repr=False)
class Wall:
    """The wall between two domains, and what changes across it.

    Attributes
    ----------
    domains : tuple of int
        Labels of its two sides, the smaller one first.
    length : float
        Length of all its pieces together, in `unit`.
    unit : str
        ``"nm"``, or ``"px"`` of the image without pixel size.
    kind : str
        What changes: ``"tilt 9.8°"``, ``"strain 2.1 %"``, ``"antiphase (0.50, 0.02)"``,
        ``"shift (0.33, 0.20)"``; ``"contrast"`` if none of these do: the domains differ by
        content alone; ``"other lattice"`` if the cells do not match; ``"unknown"``.
    tilt, tilt_std : float
        Rotation of the lattice from the first domain to the second and its standard deviation,
        degrees, counter-clockwise as images are shown; the smallest equivalent one. NaN if
        unknown.
    strain, strain_std : tuple of float, float
        Principal strains from the first domain to the second, per cent, the larger one first, and
        their standard deviation. NaN if unknown.
    registry, registry_std : tuple of float, float
        Shift of the second domain's lattice against the first's, in cells along the two lattice
        vectors, 0 to 0.5, and its standard deviation. NaN if unknown, or if the lattices are
        tilted or strained, as the shift then changes along the wall.
    reason : str
        Why something is NaN; else empty.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.perovskite((160, 160), misorientation=9.8, seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=25, step=12)
    >>> (wall,) = phyvae.walls_between(grid, grid.sample(phantom.domains))
    >>> wall.domains, wall.kind, wall.unit
    ((0, 1), 'tilt 9.8°', 'px')
    """

    domains: tuple[int, int]
    length: float
    unit: str
    kind: str = "unknown"
    tilt: float = np.nan
    tilt_std: float = np.nan
    strain: tuple[float, float] = (np.nan, np.nan)
    strain_std: float = np.nan
    registry: tuple[float, float] = (np.nan, np.nan)
    registry_std: float = np.nan
    reason: str = ""

    def __repr__(self) -> str:
        one, two = self.domains
        return f"Wall({one} | {two}: {self.length:.3g} {self.unit}, {self.kind})"


def walls_between(grid: PatchGrid, labels: Any, *, pixel_size: Any = None) -> tuple[Wall, ...]:
    r"""Return the walls between domains: length, and jump of orientation, spacing, registry.

    Each side has the lattice that the local phases of its waves fit best, up to eight cells from
    the wall. With lattice vectors as rows, :math:`V_2 = V_1 F` for the two equivalent bases with
    the least strain and turn; F's rotation is the tilt, its stretches are the strains. If neither
    is significant (three standard deviations, at least 0.5 degrees or 0.5 %), the phases on both
    sides of the wall yield the shift between the two lattices; from 0.15 cells it counts.

    Parameters
    ----------
    grid
        The patches.
    labels
        Domains, shape (rows, cols), whole numbers, -1: no patch.
    pixel_size
        Height and width of a pixel, nm, or one number for both; ``None``: square pixels, lengths
        in px.

    Returns
    -------
    tuple of Wall
        One per pair of labels in contact, in the order of their labels.

    Raises
    ------
    ValueError
        If labels do not fit the grid, or a pixel size is not positive.

    Notes
    -----
    Lengths are those of `boundary_length`: of a straight wall along rows or columns 5 % short.

    Standard deviations are jackknife ones over eight parts of each side, or of the wall. Those of
    tilt and strain include the change from near the wall to far from it on both sides, as a
    distorted scan has it. If a unit cell of one side is up to four of the other's, the smaller one
    counts: a superlattice has no strain against its own crystal. The registry is that of
    brightness: of two crystals whose brightest columns sit on different sites, it is the way from
    one site to the other. An atom displaced within its cell shifts it by less than 0.15 cells.
    If two shifts fit alike, the smaller one counts.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.perovskite(misorientation=9.8, seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=25, step=12)
    >>> phyvae.walls_between(grid, grid.sample(phantom.domains), pixel_size=(0.03, 0.03))
    (Wall(0 | 1: 21.6 nm, tilt 9.8°),)
    """
    domains, scale = labels_of(grid, labels), sides_of(pixel_size)
    lengths = wall_lengths(grid, domains, scale)
    sides, unit = _Sides(grid, domains), "px" if pixel_size is None else "nm"
    return tuple(
        Wall(pair, length, unit, **_across(sides, pair, scale))
        for pair, length in sorted(lengths.items())
    )


class _Sides:
    """Domains of a grid, their cells and lattices."""

    def __init__(self, grid: PatchGrid, labels: Int[np.ndarray, "rows cols"]) -> None:
        self.grid, self.labels = grid, labels
        self.step = float(max(grid.step))
        centres, flat = grid.centers.reshape(-1, 2), labels.ravel()
        there = np.isfinite(centres).all(1)
        self.centres, self.flat = centres[there], flat[there]
        self.depths = depths_of(grid, labels)[there]
        self.tree = cKDTree(self.centres)
        self._cells: dict[int, Vectors | None] = {}

    @cached_property
    def image(self) -> Float[np.ndarray, "height width"]:
        return np.asarray(self.grid.image.double().cpu().numpy())

    @cached_property
    def whole(self) -> Vectors | None:
        """Cell of the whole image, if it has one."""
        try:
            return unit_cell(self.image).vectors
        except ValueError:
            return None

    def cell(self, label: int) -> Vectors | None:
        """Return the cell of a domain; if it is too small for one of its own, of the image."""
        if label not in self._cells:
            try:
                self._cells[label] = domain_cell(self.grid, self.labels, label)
            except ValueError:
                self._cells[label] = self.whole
        return self._cells[label]

    def are(self, points: Points, label: int, clear: float = 0.0) -> Bool[np.ndarray, " n"]:
        """Whether points lie in a domain, clear of all others: whether the nearest patch does."""
        far, nearest = self.tree.query(np.nan_to_num(points))
        near = (far <= 1.5 * self.step) & (self.depths[nearest] >= clear)
        return np.asarray(near & (self.flat[nearest] == label))

    def window(self, vectors: Vectors) -> float:
        """Return the side of a window of local waves, px; walls are known to a patch or so."""
        return float(max(2 * half_window(vectors), *self.grid.patch_shape))

    def lattice(self, label: int, other: int, vectors: Vectors) -> SideLattice | None:
        """Return a domain's lattice near another one, where windows see none but it."""
        window = self.window(vectors)
        clear = (_SEEN * window + self.step) / 2
        own = np.flatnonzero((self.flat == label) & (self.depths >= clear))
        to_other = cKDTree(self.centres[self.flat == other]).query(self.centres[own])[0]
        own = own[to_other <= _REACH * window + self.step]
        own = own[:: 1 + len(own) // _MOST]
        return SideLattice.around(
            self.image,
            self.centres[own],
            self.depths[own],
            lambda points: self.are(points, label, clear),
            vectors,
        )


def _across(sides: _Sides, pair: tuple[int, int], scale: np.ndarray) -> dict[str, Any]:
    """Return what changes across a wall, by name."""
    if len(sides.grid.patch_shape) == 1:
        return {"reason": "spectra have no lattice"}
    found = []
    for label, other in (pair, pair[::-1]):
        refined = _lattice(sides, label, other)
        if isinstance(refined, str):
            return {"reason": refined}
        found.append(refined)
    one, two = (side.vectors for side in found)
    metric = np.diag(scale)
    turns = equivalent_bases(one @ metric, two @ metric)
    if turns is None:
        return {"kind": "other lattice", "reason": "the lattices of the two sides do not match"}
    to_one, to_two = turns

    def jump(first: np.ndarray, second: np.ndarray) -> np.ndarray:
        return tilt_and_strain(to_one @ first @ metric, to_two @ second @ metric)

    tilt, high, low = jump(one, two)
    parts = jump(found[0].parts, two).T, jump(one, found[1].parts).T
    stds = [jackknifed(part[:8]) for part in parts]
    # A linear change amounts to this at the wall, from the middle of both sides; others to more.
    changes = [
        2 * np.sqrt(np.maximum((part[8] - part[9]) ** 2 - 4 * std**2, 0))
        for part, std in zip(parts, stds, strict=True)
    ]
    tilt_std, *strain_std = np.linalg.norm([*stds, changes[0] + changes[1]], axis=0)
    known: dict[str, Any] = {
        "tilt": float(tilt),
        "tilt_std": float(tilt_std),
        "strain": (float(high), float(low)),
        "strain_std": float(max(strain_std)),
    }
    words = []
    if abs(tilt) > max(_SIGMAS * tilt_std, _LEAST_TILT):
        words.append(f"tilt {abs(tilt):.1f}°")
    largest = max(high, low, key=abs)
    if abs(largest) > max(_SIGMAS * max(strain_std), _LEAST_STRAIN):
        words.append(f"strain {abs(largest):.1f} %")
    if words:
        reason = "lattices differ, so their registry changes along the wall"
        return {**known, "kind": ", ".join(words), "reason": reason}
    known |= _registry(sides, pair, (to_one @ one + to_two @ two) / 2)
    if tilt_std > _VAGUE_TILT or max(strain_std) > _VAGUE_STRAIN:
        known |= {"kind": "unknown", "reason": "the lattices change too much within the two sides"}
    return known


def _lattice(sides: _Sides, label: int, other: int) -> SideLattice | str:
    """Return a side's lattice, or why there is none."""
    vectors = sides.cell(label)
    if vectors is None:
        return f"domain {label} shows no lattice"
    refined = sides.lattice(label, other, vectors)
    if refined is None:
        return f"domain {label} has too little room for its lattice at the wall"
    if jackknifed(refined.parts[:8]).max() > _UNCERTAIN * np.hypot(*refined.vectors.T).min():
        return f"the lattice of domain {label} is too noisy or too uneven at the wall"
    return refined


def _registry(sides: _Sides, pair: tuple[int, int], vectors: Vectors) -> dict[str, Any]:
    """Return the shift between the lattices of two sides, from phases across the wall."""
    nothing = {"kind": "unknown", "reason": "too little room for phases at the wall"}
    window = sides.window(vectors)
    distance = 0.6 * window + sides.step / 2
    middle, normal = _normals(sides, pair, window + 2 * sides.step)
    ends = [middle + sign * distance * normal for sign in (-1, 1)]
    amplitudes, fits = [], np.ones(len(middle), bool)
    for end, label in zip(ends, pair, strict=True):
        found, fit = local_waves(sides.image, end, vectors)
        amplitudes.append(found)
        fits &= fit & sides.are(end, label)
    if fits.sum() < 8:
        return nothing
    turns = 2 * distance * normal[fits] @ np.linalg.inv(vectors) @ WAVES.T
    products = amplitudes[1][fits] * amplitudes[0][fits].conj() * np.exp(-2j * np.pi * turns)
    along = np.argsort(middle[fits] @ np.linalg.svd(normal[fits])[2][1])
    sums = np.stack([part.sum(0) for part in np.array_split(products[along], 8)])
    parts = np.concatenate([sums.sum(0)[None], sums.sum(0) - sums])
    for most in (0.5, 0.25):  # if another shift fits as well, the smaller one counts
        shift, *without = offsets(parts, most)
        std = float(jackknifed(without - np.round(without - shift)).max())
        if std <= _AMBIGUOUS:
            break
    if std > _AMBIGUOUS:
        return {**nothing, "reason": "the registry is too noisy, or changes along the wall"}
    registry = tuple(float(part) for part in np.abs(shift))
    known = {"registry": registry, "registry_std": std}
    if max(registry) <= max(_SIGMAS * std, _LEAST_SHIFT):
        return {**known, "kind": "contrast"}
    apart = f"({registry[0]:.2f}, {registry[1]:.2f})"
    if not are_alike(sides.image, [end[fits] for end in ends], vectors):
        reason = f"the cells differ, and their brightest places are {apart} cells apart"
        return {**known, "kind": "contrast", "reason": reason}
    half = all(min(part, 0.5 - part) <= _LEAST_SHIFT for part in registry)
    return {**known, "kind": f"{'antiphase' if half else 'shift'} {apart}"}


def _normals(sides: _Sides, pair: tuple[int, int], radius: float) -> tuple[Points, Points]:
    """Return places along a wall, and the directions from its first side to its second."""
    first, second = (sides.centres[sides.flat == label] for label in pair)
    far, nearest = cKDTree(second).query(first)
    at_wall = far <= 1.2 * sides.step
    middle = (first[at_wall] + second[nearest[at_wall]]) / 2
    if not len(middle):
        return middle, middle
    means = []
    for cells in (first, second):
        around = cKDTree(cells).query_ball_point(middle, radius)
        means.append(np.array([cells[some].mean(0) for some in around]))
    normal = means[1] - means[0]
    normal /= np.maximum(np.hypot(*normal.T), 1e-9)[:, None]
    return middle, normal
