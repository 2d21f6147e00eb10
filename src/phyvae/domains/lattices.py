"""Lattices measured by the phases of their waves, and how one differs from another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Complex, Float, Int
from scipy.ndimage import uniform_filter
from scipy.spatial import cKDTree

from ..patches.grid import PatchGrid
from ..scans.cell import unit_cell

__all__ = [
    "WAVES",
    "SideLattice",
    "are_alike",
    "domain_cell",
    "equivalent_bases",
    "half_window",
    "jackknifed",
    "local_waves",
    "offsets",
    "on_lattice",
    "tilt_and_strain",
]

Points = Float[np.ndarray, "n 2"]  # (y, x), px
Vectors = Float[np.ndarray, "2 2"]
Phases = Complex[np.ndarray, "... waves"]
WAVES = np.array([(a, b) for a in range(3) for b in range(-2, 3) if (a, b) > (0, 0)])
"""Waves h, shape (12, 2): one of each two opposite ones."""
_COARSE = 64  # places along an axis where the label is looked up, to find a rectangle
_LARGEST = 512  # px, of a rectangle that a cell is measured in
_ROUNDS = 5
_FEWEST = 12  # pairs of places
_PARTS = np.concatenate([np.ones((1, 8)), 1 - np.eye(8), np.kron(np.eye(2), np.ones((1, 4)))])
_CORRELATED = 0.9  # correlation of the mean cells of one crystal, at least
_EQUAL = 1.5  # ratio of their contrasts, at most
_LEVEL = 0.5  # difference of their levels, standard deviations within a cell, at most
_SAME_LATTICE = 20.0  # per cent: more strain is another lattice


def domain_cell(grid: PatchGrid, labels: Int[np.ndarray, "rows cols"], label: int) -> Vectors:
    """Return the lattice vectors of a domain, from the largest rectangle within it.

    Raises ValueError if the rectangle shows no lattice.
    """
    image = grid.image.cpu().numpy()
    y, x = (np.linspace(0, side - 1, min(side, _COARSE)) for side in image.shape)
    places = np.stack(np.meshgrid(y, x, indexing="ij"), -1)
    centres, flat = grid.centers.reshape(-1, 2), labels.ravel()
    there = np.isfinite(centres).all(1)
    far, nearest = cKDTree(centres[there]).query(places)
    inside = (flat[there][nearest] == label) & (far <= max(*grid.patch_shape, *grid.step))
    top, bottom, left, right = _rectangle(inside, y[1], x[1])
    rows = _middle(int(y[top]), int(np.ceil(y[bottom])) + 1)
    cols = _middle(int(x[left]), int(np.ceil(x[right])) + 1)
    return unit_cell(image[rows, cols]).vectors


def _middle(start: int, stop: int) -> slice:
    cut = max(0, stop - start - _LARGEST) // 2
    return slice(start + cut, stop - cut)


def _rectangle(
    inside: Bool[np.ndarray, "rows cols"], tall: float, wide: float
) -> tuple[int, int, int, int]:
    """Return first and last row and column of the largest rectangle, rather a square."""
    best, found = 0.0, (0, 0, 0, 0)
    for top in range(len(inside)):
        shared = np.ones(inside.shape[1], bool)
        for bottom in range(top, len(inside)):
            shared &= inside[bottom]
            if not shared.any():
                break
            edges = np.flatnonzero(np.diff(np.r_[0, shared.view(np.int8), 0]))
            starts, stops = edges[::2], edges[1::2]
            run = int((stops - starts).argmax())
            sides = (bottom - top + 1) * tall, float(stops[run] - starts[run]) * wide
            if (size := min(sides) ** 2 * max(sides)) > best:
                best, found = size, (top, bottom, int(starts[run]), int(stops[run]) - 1)
    return found


def half_window(vectors: Vectors) -> int:
    """Return half the side of the window of local waves, px."""
    return int(np.ceil(np.hypot(*vectors.T).max()))


def local_waves(
    image: Float[np.ndarray, "height width"], points: Points, vectors: Vectors
) -> tuple[Complex[np.ndarray, "n waves"], Bool[np.ndarray, " n"]]:
    """Return the local amplitudes at some points, and at which of them the window fits."""
    half = half_window(vectors)
    offset = np.arange(-half, half + 1)
    hann = np.cos(np.pi * offset / (2 * half + 2)) ** 2
    taper = np.outer(hann, hann).ravel() / hann.sum() ** 2
    within = np.stack(np.meshgrid(offset, offset, indexing="ij"), -1).reshape(-1, 2)
    waves = WAVES @ np.linalg.inv(vectors).T  # cycles per px
    kernel = taper[:, None] * np.exp(-2j * np.pi * (within @ waves.T))
    kernel -= taper[:, None] * kernel.sum(0)  # blind to the mean of the window
    whole = np.round(np.nan_to_num(points, nan=-1e6)).astype(int)
    fits = ((whole >= half) & (whole < np.subtract(image.shape, half))).all(1)
    found = np.zeros((len(points), len(WAVES)), complex)
    windows = np.lib.stride_tricks.sliding_window_view(image, 2 * (2 * half + 1,))
    for some in np.array_split(np.flatnonzero(fits), 1 + len(points) // 1000):
        y, x = (whole[some] - half).T
        amplitude = windows[y, x].reshape(len(some), len(kernel)) @ kernel
        between = (points[some] - whole[some]) @ waves.T
        found[some] = amplitude * np.exp(2j * np.pi * between)
    return found, fits


def offsets(products: Phases, most: float = 0.5) -> Float[np.ndarray, "... 2"]:
    """Return the step t, cells, whose phases 2π h·t fit products of amplitudes best.

    Of steps with components up to `most`, cells, it maximises the sum over waves of
    Re(product · exp(-2πi h·t)): the correlation of two places.
    """
    flat = products.reshape(-1, len(WAVES))
    steps = np.arange(-8, 8) / 16
    steps = steps[np.abs(steps) <= most]
    tries = np.stack(np.meshgrid(steps, steps, indexing="ij"), -1).reshape(-1, 2)
    turned = np.exp(-2j * np.pi * (WAVES @ tries.T))
    t = tries[(flat @ turned).real.argmax(1)]
    for _ in range(4):  # Newton
        terms = flat * np.exp(-2j * np.pi * (t @ WAVES.T))
        slope = 2 * np.pi * terms.imag @ WAVES
        bend = np.einsum("nh,hi,hj->nij", terms.real, WAVES, WAVES) * 4 * np.pi**2
        size = 1e-9 * np.abs(bend).sum((1, 2)) + 1e-300  # so that a flat window has a solution
        bend += size[:, None, None] * np.eye(2)
        step = np.linalg.solve(bend, slope[..., None])[..., 0]
        t = t + np.clip(step, -1 / 32, 1 / 32)
    return np.asarray((t - np.round(t)).reshape(*products.shape[:-1], 2))


@dataclass(frozen=True, eq=False)
class SideLattice:
    """Lattice vectors next to a wall, from eight blocks of places: four along it, near and far.

    vectors: Of all blocks together, px, shape (2, 2).
    parts: Without each of the blocks, then of the near and of the far blocks alone, shape (10, 2,
        2).
    """

    vectors: Vectors
    parts: Float[np.ndarray, "parts 2 2"]

    @classmethod
    def around(
        cls,
        image: Float[np.ndarray, "height width"],
        points: Points,
        depths: Float[np.ndarray, " n"],
        inside: Callable[[Points], Bool[np.ndarray, " n"]],
        vectors: Vectors,
    ) -> "SideLattice | None":
        """Return the mean lattice around some points of known depth, or None if they are too few.

        The phases at pairs of places 1, 2, 4, ... cells apart correct each vector in turn, as long
        as a third of the pairs lie inside the domain.
        """
        amplitudes, fits = local_waves(image, points, vectors)
        points, amplitudes = points[fits], amplitudes[fits]
        if len(points) < _FEWEST:
            return None
        blocks = _blocks(points, depths[fits])
        refined = np.repeat(vectors[None], len(_PARTS), axis=0)
        for axis in (0, 1):
            times, vector = 1, vectors[axis]
            while True:
                there, fits = local_waves(image, points + times * vector, vectors)
                fits &= inside(points + times * vector)
                if fits.sum() < max(_FEWEST, len(points) / 3):
                    break
                # The places there are past lattice sites by t cells.
                products = there * amplitudes.conj() * fits[:, None]
                sums = np.stack([products[blocks == k].sum(0) for k in range(8)])
                measured = vector - offsets(_PARTS @ sums) @ vectors / times
                enough = _PARTS @ np.bincount(blocks[fits], minlength=8) >= _FEWEST
                refined[enough, axis] = measured[enough]
                if times == 1:  # a part without pairs of its own
                    refined[~enough, axis] = measured[0]
                vector, times = measured[0], 2 * times
            if times == 1:
                return None
        return cls(refined[0], refined[1:])


def on_lattice(
    image: Float[np.ndarray, "height width"], points: Points, vectors: Vectors
) -> tuple[Points, Bool[np.ndarray, " n"]]:
    """Return points moved to the brightest place of the cells around, and which could be.

    Their amplitudes are brought to fit the mean of all, in turns with it, by half a cell at most;
    then all are moved alike.
    """
    amplitudes, fits = local_waves(image, points, vectors)
    moved, amplitudes = points.copy(), amplitudes[fits]
    for _ in range(_ROUNDS):
        t = offsets(amplitudes.conj() * amplitudes.mean(0))
        moved[fits] += t @ vectors
        amplitudes = amplitudes * np.exp(2j * np.pi * t @ WAVES.T)
    moved[fits] += offsets(amplitudes.mean(0).conj()) @ vectors
    return moved, fits


def are_alike(
    image: Float[np.ndarray, "height width"], ends: Sequence[Points], vectors: Vectors
) -> bool:
    """Return whether mean cells of two sides correlate, with similar contrasts and levels."""
    blurred = uniform_filter(image, 2 * half_window(vectors) + 1)
    levels = [blurred[tuple(np.round(end).astype(int).T)].mean() for end in ends]
    found = [local_waves(image, on_lattice(image, end, vectors)[0], vectors) for end in ends]
    cells = [waves[fits].mean(0) for waves, fits in found]
    norms = [float(np.linalg.norm(cell)) for cell in cells]
    correlation = (cells[0].conj() @ cells[1]).real / np.prod(norms)
    apart = abs(levels[1] - levels[0]) / (2 * np.prod(norms)) ** 0.5
    return bool(
        correlation >= _CORRELATED and max(norms) <= _EQUAL * min(norms) and apart <= _LEVEL
    )


def _blocks(points: Points, depths: Float[np.ndarray, " n"]) -> Int[np.ndarray, " n"]:
    """Number eight blocks of points: 0 to 3 along their longer extent, 4 to 7 the deeper ones."""
    centred = points - points.mean(0)
    along = centred @ np.linalg.svd(centred, full_matrices=False)[2][0]
    fourths = 4 * np.argsort(np.argsort(along)) // len(points)
    return np.asarray(fourths + 4 * (depths > np.median(depths)))


def jackknifed(without: Float[np.ndarray, "blocks ..."]) -> Float[np.ndarray, "..."]:
    """Return the standard deviation of an estimate from those that leave out one block each."""
    number = len(without)
    variance: np.ndarray = ((without - without.mean(0)) ** 2).sum(0) * (number - 1) / number
    return np.asarray(variance**0.5)


def equivalent_bases(one: Vectors, two: Vectors) -> tuple[Vectors, Vectors] | None:
    """Return the integer matrices that bring two bases to the most alike ones of a common cell.

    The larger cell is taken for up to four of the smaller one's.
    """
    larger_first = abs(np.linalg.det(one)) > abs(np.linalg.det(two))
    large, small = (one, two) if larger_first else (two, one)
    every = np.stack(np.meshgrid(*4 * [np.arange(-3, 4)], indexing="ij"), -1).reshape(-1, 2, 2)
    determinants = np.round(np.linalg.det(every))
    every = every[(determinants >= 1) & (determinants <= 4)].astype(float)
    tilt, high, low = tilt_and_strain(every @ small, large)
    cost = np.deg2rad(np.abs(tilt)) + 4 * np.hypot(high, low) / 100
    best = every[cost.argmin()]
    if max(abs(high[cost.argmin()]), abs(low[cost.argmin()])) > _SAME_LATTICE:
        return None
    whole, part = np.eye(2), np.linalg.inv(best)
    return (part, whole) if larger_first else (whole, part)


def tilt_and_strain(one: np.ndarray, two: np.ndarray) -> Float[np.ndarray, "3 ..."]:
    """Return the tilt, degrees, and principal strains, per cent, of ``two = one @ F``."""
    change = np.linalg.solve(*np.broadcast_arrays(one, two))
    # x towards y is clockwise as images are shown.
    turn = np.arctan2(change[..., 0, 1] - change[..., 1, 0], change[..., 0, 0] + change[..., 1, 1])
    stretches = np.linalg.svd(change, compute_uv=False)
    strains = 100 * (np.moveaxis(stretches, -1, 0) - 1)
    return np.stack([np.degrees(turn), *strains])
