"""The field of view: where on the specimen each pixel lies, and where a site appears."""

from functools import cached_property
from typing import Any, TypeAlias

import numpy as np

from .flaws import Flaws

__all__ = ["Array", "FieldOfView", "SlowWaves", "rotated"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]


class SlowWaves:
    """A random function of position that varies slowly over an extent: a sum of cosines.

    rng: Source of wave vectors, phases and directions.
    extent: Height and width over which no wave has more than `most` periods along an axis.
    most: See `extent`.
    """

    def __init__(
        self, rng: np.random.Generator, extent: tuple[float, float], most: float = 1.0
    ) -> None:
        self.vectors = 2 * np.pi * rng.uniform(-most, most, (4, 2)) / np.array(extent)
        self.phases = rng.uniform(0, 2 * np.pi, 4)
        angles = rng.uniform(0, 2 * np.pi, 4)
        self.directions = np.stack([np.sin(angles), np.cos(angles)], axis=1)

    def __call__(self, y: Array, x: Array) -> Array:
        """Return the sum of the waves at positions of any shape."""
        return np.asarray(np.cos(self._turns(y, x)).sum(axis=-1))

    def vector(self, y: Array, x: Array) -> Array:
        """Return the sum of the waves along their directions, (y, x) in a last axis."""
        return np.asarray(np.cos(self._turns(y, x)) @ self.directions)

    def steepest(self, y: Array, x: Array) -> float:
        """Return the largest component of the gradient of `vector` at some positions."""
        slopes = np.einsum(
            "...w,wi,wj->...ij", np.sin(self._turns(y, x)), self.directions, self.vectors
        )
        return float(np.abs(slopes).max())

    def _turns(self, y: Array, x: Array) -> Array:
        return np.asarray(np.stack([y, x], axis=-1) @ self.vectors.T + self.phases)


class FieldOfView:
    """Pixels and the positions on the specimen that they show.

    A pixel lies at a position of the field of view, which drift, line jitter and the pixel's
    aspect decide; rotation and strain take it to the specimen. Lengths are in pixel widths.

    shape: Height and width, px.
    drift: Displacement (y, x) of each row, px, shape (height, 2).
    flaws: Of which rotation, strain and aspect count here.
    rng: Source of the strain.
    """

    def __init__(
        self, shape: tuple[int, int], drift: Array, flaws: Flaws, rng: np.random.Generator
    ) -> None:
        self.shape, self.drift = shape, drift
        self.jitter = np.abs(np.diff(drift[:, 1])).max()  # px, of a line against the next
        self.aspect, self.rotation = flaws.pixel_aspect, flaws.rotation
        self.extent = (shape[0] * self.aspect, float(shape[1]))
        self.centre = np.array(self.extent) / 2 - 0.5
        self.strain = SlowWaves(rng, self.extent)
        coarse = np.meshgrid(*(np.linspace(0, side, 65) for side in self.extent), indexing="ij")
        self.amplitude = flaws.strain / self.strain.steepest(*coarse)

    @cached_property
    def field(self) -> tuple[Array, Array]:
        """The position (y, x) in the field of view of each pixel, each (height, width)."""
        y, x = np.indices(self.shape)
        return (y + self.drift[:, :1]) * self.aspect, x + self.drift[:, 1:]

    @cached_property
    def positions(self) -> tuple[Array, Array]:
        """The position (y, x) on the specimen of each pixel, each (height, width)."""
        y, x = self.field
        if self.amplitude:
            shift = self.amplitude * self.strain.vector(y, x)
            y, x = y + shift[..., 0], x + shift[..., 1]
        if self.rotation:
            points = rotated(np.stack([y, x], axis=-1), self.centre, -self.rotation)
            y, x = points[..., 0], points[..., 1]
        return y, x

    @property
    def reach(self) -> float:
        """How far rotation and strain move a position at most."""
        turn = 2 * abs(np.sin(np.deg2rad(self.rotation) / 2)) * np.hypot(*self.extent) / 2
        return float(turn + self.amplitude * len(self.strain.phases))

    def appear(self, sites: Array) -> Array:
        """Map positions on the specimen (n, 2) to pixels (n, 2): the inverse of `positions`."""
        points = rotated(sites, self.centre, self.rotation) if self.rotation else sites
        if self.amplitude:
            field = points
            for _ in range(20):  # a contraction by the strain, at least tenfold a round or so
                field = points - self.amplitude * self.strain.vector(*field.T)
            points = field
        rows = np.arange(self.shape[0])
        down = points[:, 0] / self.aspect
        y = down - np.interp(down, rows + self.drift[:, 0], self.drift[:, 0])
        return np.stack([y, points[:, 1] - np.interp(y, rows, self.drift[:, 1])], axis=1)


def rotated(points: Array, centre: Array, degrees: float) -> Array:
    """Rotate positions (..., 2) about a centre, x towards y."""
    angle = np.deg2rad(degrees)
    along_y = np.array([np.cos(angle), -np.sin(angle)])
    along_x = np.array([np.sin(angle), np.cos(angle)])
    y, x = np.moveaxis(points - centre, -1, 0)
    return np.asarray(centre + y[..., None] * along_y + x[..., None] * along_x)
