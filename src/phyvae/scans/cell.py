"""The unit cell of an image, from its autocorrelation."""

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float

from .autocorrelation import Autocorrelation
from .faults import faults_of, levelled
from .planes import repeats

__all__ = ["UnitCell", "cell_of", "shortest_basis", "unit_cell"]

_HIGH = 0.8  # of the highest peak: as high are those of lattice vectors, at least
_HIGHER = 0.02  # by which the peak of a multiple is higher, where a vector is none of the lattice
_LINES = 0.01  # of the variance: so little is no hum, and so little next to hum no lattice
_SIGMAS = 3.0  # of noise, between two peaks
_SHORTEST = 3.0  # px
_FEW = 16  # cells in the image
_ALONG = 3  # cells along either axis
_EQUAL = 1.25  # ratio of cells of two grains, at most: drift distorts one of them
_SMALL = 64  # px: four cells of 16 px


@dataclass(frozen=True, eq=False)
class UnitCell:
    """Unit cell of an image: two lattice vectors, shortest of their lattice.

    Attributes
    ----------
    vectors : ndarray
        Lattice vectors ((y, x), (y, x)), px, shape (2, 2), a reduced basis: the first leads
        downwards, the second to the right. Of a superlattice its own, longer ones.
    stds : ndarray
        Standard deviations of their components, px, shape (2, 2).
    doubt : str or None
        Why they may be wrong: few cells, or two lattices in the image; else ``None``.

    Examples
    --------
    >>> import phyvae
    >>> cell = phyvae.unit_cell(phyvae.phantoms.bfo((160, 160), lattice=12.0, seed=0).image)
    >>> [round(length) for length in cell.lengths], round(cell.angle), round(cell.area)
    ([12, 12], 90, 144)
    >>> cell.doubt is None
    True
    """

    vectors: Float[np.ndarray, "2 2"]
    stds: Float[np.ndarray, "2 2"]
    doubt: str | None = None

    @property
    def lengths(self) -> tuple[float, float]:
        """Lengths of the two vectors, px."""
        first, second = np.hypot(*self.vectors.T)
        return float(first), float(second)

    @property
    def angle(self) -> float:
        """Angle between the two vectors, degrees, 60 to 120."""
        cosine = self.vectors[0] @ self.vectors[1] / np.prod(self.lengths)
        return float(np.degrees(np.arccos(cosine)))

    @property
    def area(self) -> float:
        """Area of the cell, px²."""
        return float(abs(np.linalg.det(self.vectors)))


def unit_cell(image: Any) -> UnitCell:
    r"""Return the unit cell of an image, superlattices included.

    Lattice vectors are displacements by which the image repeats: peaks of its autocorrelation at
    least 0.8 times as high as the highest. Where atoms differ a little, half a cell is such a
    displacement, too; but twice it is a better one. So a displacement is a lattice vector if its
    double and its triple have no higher peak. The shortest of these and the shortest in another
    direction are the cell.

    Parameters
    ----------
    image
        One scan, shape (height, width), any real dtype, at least 32 px either way. Rows are not
        taken for a lattice: hot and dead ones are replaced by their neighbours, hum is ignored
        where the image has a lattice without the means of its rows and columns.

    Returns
    -------
    UnitCell
        Two vectors with their standard deviations, and the doubt: parts of the image with
        different lattices, or fewer than 16 cells in it, or than 3 along an axis.

    Raises
    ------
    ValueError
        If no two directions of the image repeat: white noise, scan lines, fringes.

    Notes
    -----
    The image is clipped to percentiles 0.5 to 99.5, smoothed (standard deviation 1 px), and freed
    of its background (Gaussian of 1/16 of the image). The vectors are fitted to the peaks up to
    three cells away. Two sets of planes of the cell must have 50 times the median power at equal
    wavelengths.

    Examples
    --------
    >>> import phyvae
    >>> cell = phyvae.unit_cell(phyvae.phantoms.bfo(lattice=12.0, seed=0).image)
    >>> cell.vectors.round(1) + 0.0
    array([[12.,  0.],
           [ 0., 12.]])
    """
    return cell_of(levelled(faults_of(image).repaired))


def cell_of(values: Float[np.ndarray, "height width"]) -> UnitCell:
    """Return the unit cell of a levelled image."""
    whole = _cell_in(values)
    apart = _two_lattices(values, whole)
    if apart is not None:
        best = min(apart.values(), key=lambda cell: cell.area)
        both = " and ".join(f"{_shown(cell)} in the {name}" for name, cell in apart.items())
        doubt = f"the image holds two lattices: {both}; crop it to one of them"
        return UnitCell(best.vectors, best.stds, doubt)
    if whole is None:
        height, width = values.shape
        small = f"it has only {height} x {width} px: take a larger one, or "
        raise ValueError(
            "image shows no lattice: no two directions repeat with periods of 3 px to half the "
            f"image; {small if min(values.shape) < _SMALL else ''}give lengths by hand."
        )
    cells, along = values.size / whole.area, _along(whole, values)
    if cells >= _FEW and along >= _ALONG:
        return whole
    few = f"only {cells:.0f}" if cells < _FEW else f"only {along:.1f} along one axis"
    doubt = f"of cells of {_shown(whole)} the image holds {few}; take a larger one"
    return UnitCell(whole.vectors, whole.stds, doubt)


def _two_lattices(values: np.ndarray, whole: UnitCell | None) -> dict[str, UnitCell] | None:
    """Return the cells of two parts of an image, at opposite sides, with different lattices.

    A half that holds the wall of two grains shows neither lattice, or a larger cell: that of the
    sites that nearly coincide. Its outer half then shows one of them, and the opposite half the
    other. Of several such pairs it is that of the smallest cell.
    """
    halves = {name: _cell_in(part) for name, part in _ends(values, "half")}
    pairs = _pairs(halves, halves)
    if whole is None or not all(cell and _alike(cell, whole) for cell in halves.values()):
        quarters = {name: _grain_in(part) for name, part in _ends(values, "quarter")}
        for pair in _pairs(halves, quarters) + _pairs(quarters, halves):
            one, two = (cell.area for cell in pair.values())
            if max(one, two) < _EQUAL * min(one, two):
                pairs.append(pair)
    smallest = [min(cell.area for cell in pair.values()) for pair in pairs]
    return pairs[int(np.argmin(smallest))] if pairs else None


def _pairs(
    parts: dict[str, UnitCell | None], others: dict[str, UnitCell | None]
) -> list[dict[str, UnitCell]]:
    """Return pairs of opposite parts with different lattices, as their cells by name."""
    found = []
    for (one, first), (two, second) in itertools.product(parts.items(), others.items()):
        opposite = (one.split()[0], two.split()[0]) in (("upper", "lower"), ("left", "right"))
        if opposite and first and second and _different(first, second):
            found.append({one: first, two: second})
    return found


def _grain_in(values: np.ndarray) -> UnitCell | None:
    """Return the cell of a small part of an image, if it holds enough of them."""
    cell = _cell_in(values)
    enough = cell and values.size >= _FEW * cell.area and _along(cell, values) >= _ALONG
    return cell if enough else None


def _ends(values: np.ndarray, kind: str) -> Iterator[tuple[str, np.ndarray]]:
    """Return the halves, or the outer quarters, of an image along sides that are not small."""
    height, width = values.shape
    rows, columns = (side // {"half": 2, "quarter": 4}[kind] for side in values.shape)
    if height >= _SMALL:
        yield from ((f"upper {kind}", values[:rows]), (f"lower {kind}", values[height - rows :]))
    if width >= _SMALL:
        yield f"left {kind}", values[:, :columns]
        yield f"right {kind}", values[:, width - columns :]


def _cell_in(values: np.ndarray) -> UnitCell | None:
    """Return the cell of an image, if it has one: that of its lines only if they agree with it."""
    values = values - values.mean()
    centred = values - values.mean(1, keepdims=True) - values.mean(0)
    found = _repeated(values)
    if not _LINES * values.var() < centred.var() < (1 - _LINES) * values.var():
        return found
    without = _repeated(centred)
    if without is None or (found is not None and _contains(without.vectors, found.vectors, 0.05)):
        return found
    return without


def _repeated(values: np.ndarray) -> UnitCell | None:
    """Return the cell by which an image of mean 0 repeats, if two sets of its planes stand out."""
    correlation = Autocorrelation.of(values)
    vectors = _shortest(correlation)
    if vectors is None:
        return None
    vectors, stds = _fitted(correlation, _oriented(*shortest_basis(*vectors)))
    if not repeats(values, vectors):
        return None
    return UnitCell(vectors, stds)


def _shortest(correlation: Autocorrelation) -> Float[np.ndarray, "2 2"] | None:
    """Return the shortest lattice vector and the shortest one in another direction."""
    heights, distances = correlation.heights, np.hypot(*correlation.peaks.T)
    inner = (np.abs(correlation.peaks) <= np.multiply(correlation.shape, 0.5)).all(1)
    allowed = (distances > _SHORTEST) & (heights > 0)
    if not (allowed & inner).any():
        return None
    best = int(np.where(allowed & inner, heights, 0).argmax())
    highest = float(heights[best])
    noise = _SIGMAS * correlation.deviation(correlation.peaks[best], highest)
    allowed &= heights >= _HIGH * highest - noise
    first = None
    for index in np.flatnonzero(allowed)[np.argsort(distances[allowed], kind="stable")].tolist():
        vector = correlation.peaks[index]
        if first is not None and abs(_cross(first, vector)) < 0.35:
            continue
        if not _is_translation(correlation, index, highest):
            continue
        if first is not None:
            return np.stack([first, vector])
        first = vector
    return None


def _is_translation(correlation: Autocorrelation, index: int, highest: float) -> bool:
    """Whether the double and the triple of a peak's displacement have no higher peak."""
    vector, height = correlation.peaks[index], correlation.heights[index]
    length2 = vector @ vector
    for multiple in (2, 3):
        there = multiple * vector
        if not correlation.holds(there):
            break
        other = correlation.nearest(there, max(2.5, 0.1 * length2**0.5))
        # Of few cells, one that is disordered counts.
        cells = np.prod(correlation.shape - np.abs(there)) / length2
        allowed = (1 + _HIGHER + 1 / cells) * height
        allowed += _SIGMAS * correlation.deviation(there, highest)
        if other is not None and correlation.heights[other] > allowed:
            return False
    return True


def _cross(first: np.ndarray, second: np.ndarray) -> float:
    """Return the sine of the angle between two vectors."""
    area = first[0] * second[1] - first[1] * second[0]
    return float(area / np.hypot(*first) / np.hypot(*second))


def shortest_basis(
    first: Float[np.ndarray, "2"], second: Float[np.ndarray, "2"]
) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """Return the shortest vectors of the lattice of two vectors (Lagrange's reduction)."""
    short, long = sorted((first, second), key=lambda vector: float(vector @ vector))
    while True:
        long = long - round(float(short @ long / (short @ short))) * short
        if long @ long >= 0.999 * (short @ short):
            return short, long
        short, long = long, short


def _oriented(short: np.ndarray, long: np.ndarray) -> Float[np.ndarray, "2 2"]:
    """Return two vectors, the first downwards and the second to the right."""
    down, right = sorted((short, long), key=lambda v: float(-abs(v[0]) / np.hypot(*v)))
    return np.stack([down * (-1 if down[0] < 0 else 1), right * (-1 if right[1] < 0 else 1)])


def _fitted(
    correlation: Autocorrelation, vectors: Float[np.ndarray, "2 2"]
) -> tuple[Float[np.ndarray, "2 2"], Float[np.ndarray, "2 2"]]:
    """Return vectors fitted to the peaks at up to three of each, and their deviations, px."""
    every = np.mgrid[-3:4, -3:4].reshape(2, -1).T
    every = every[np.argsort(np.hypot(*(every @ vectors).T), kind="stable")][1:]
    reach = 0.2 * np.hypot(*vectors.T).min()
    deviations = np.full(2, np.nan)
    for count in (8, 24, 48):  # the nearest first: their fit predicts the others
        places, steps = [], []
        for step in every[:count]:
            index = correlation.nearest(step @ vectors, max(1.5, reach))
            if index is not None and correlation.holds(step @ vectors):
                places.append(correlation.peaks[index])
                steps.append(step)
        design = np.array(steps)
        if len(design) < 4 or np.linalg.matrix_rank(design) < 2:
            break
        vectors, *_ = np.linalg.lstsq(design, np.array(places), rcond=None)
        freedom = max(1, len(design) // 2 - 2)  # opposite peaks are one
        residual = (((design @ vectors - places) ** 2).sum(0) / 2 / freedom) ** 0.5
        deviations = np.linalg.inv(design.T @ design / 2).diagonal() ** 0.5
        stds = deviations[:, None] * residual
    else:
        return vectors, stds
    return vectors, np.full((2, 2), np.nan) if np.isnan(deviations).any() else stds


def _different(one: UnitCell, two: UnitCell) -> bool:
    """Whether neither lattice contains the other's vectors; drift distorts by up to a quarter."""
    return not (
        _contains(one.vectors, two.vectors, 0.25) or _contains(two.vectors, one.vectors, 0.25)
    )


def _alike(one: UnitCell, two: UnitCell) -> bool:
    """Whether each lattice contains the other's vectors."""
    return _contains(one.vectors, two.vectors, 0.25) and _contains(two.vectors, one.vectors, 0.25)


def _along(cell: UnitCell, values: np.ndarray) -> float:
    """Return how many cells an image holds along the axis with fewer."""
    return float((values.shape / np.abs(cell.vectors).max(0)).min())


def _contains(
    lattice: Float[np.ndarray, "2 2"], vectors: Float[np.ndarray, "2 2"], tolerance: float
) -> bool:
    """Whether vectors lie on a lattice, to a share of a cell."""
    steps = vectors @ np.linalg.inv(lattice)
    return bool((np.abs(steps - steps.round()) < tolerance).all())


def _shown(cell: UnitCell) -> str:
    return f"{cell.lengths[0]:.1f} x {cell.lengths[1]:.1f} px"
