"""The simulated scan of every phantom: sampled positions, contamination and noise."""

from collections.abc import Callable
from functools import cached_property
from typing import TypeAlias

import numpy as np
from jaxtyping import Bool
from scipy.ndimage import gaussian_filter

from .._checks import as_number, as_seed, brief, is_integer
from .field import Array, FieldOfView, SlowWaves, rotated
from .flaws import Flaws
from .phantom import Phantom

__all__ = [
    "Domain",
    "SimulatedScan",
    "depth_from_edge",
    "rendered",
    "residue",
    "thickness",
    "thinned",
    "with_faults",
]

Domain: TypeAlias = Callable[[Array, Array], Array]  # (y, x) on the specimen, px -> label
_COLUMN_SPREAD = 0.03  # relative standard deviation of the columns' brightness
_LINE_JITTER = 0.05  # of the drift
_RANDOM_FLAWS = ("strain", "vacuum", "thickness", "residue", "faults")
_RESIDUE = 1.5  # of the specimen's range: signal of dense residue
_HEADROOM = 0.3  # of the same: range above the specimen at which the detector saturates
_MOST = 1e9  # electrons; NumPy samples no larger Poisson numbers
_HOT_ROW = 0.5  # of the image's range, above its highest value
_HOT_PIXEL = (1.0, 10.0)  # the same, from and to
_EDGE_ROUGHNESS = 0.02  # of the shorter side: standard deviation of the edge
_RADII = (0.05, 0.1)  # of the shorter side: radius of a patch of residue
_CLOUDS = ((0.4, 0.3), (0.1, 0.1))  # width, in its radius, and height of its unevenness


class SimulatedScan:
    """One scan of a specimen: its sampled positions, its noise, and the random generators."""

    def __init__(
        self,
        shape: tuple[int, int],
        lattice: float,
        distortion: float,
        background: float,
        dose: float | None,
        noise: float,
        seed: int,
        noise_seed: int | None,
        flaws: Flaws | None,
        *,
        finest: int = 4,
        fewest: int = 12,
    ) -> None:
        if not finest <= as_number(lattice, "lattice") < np.inf:
            raise ValueError(
                f"lattice={lattice} px must be >= {finest} px, or columns merge; enlarge it."
            )
        pair = isinstance(shape, tuple | list) and len(shape) == 2
        if not pair or not all(map(is_integer, shape)):
            raise TypeError(f"shape={brief(shape)} must be (height, width), px, whole numbers.")
        if min(shape) < fewest * lattice:
            raise ValueError(
                f"shape={shape} px must be (height, width), each >= {fewest} lattice constants of "
                f"{lattice} px, or a domain has no room; enlarge shape or reduce lattice."
            )
        if not 0 <= as_number(distortion, "distortion") <= min(shape) / 10:
            raise ValueError(
                f"distortion={distortion} px must lie in [0, {min(shape) / 10:g}] px, a tenth of "
                "the shorter side, or the scan samples a row twice; reduce it."
            )
        for name, value in (("background", background), ("noise", noise)):
            if not 0 <= as_number(value, name) < _MOST:
                raise ValueError(
                    f"{name}={value} must be finite and >= 0, and below {_MOST:g}; "
                    "0 switches it off."
                )
        if dose is not None and not 0 < as_number(dose, "dose") < _MOST:
            raise ValueError(
                f"dose={dose} electrons per pixel must lie in (0, {_MOST:g}); "
                "None switches Poisson noise off."
            )
        as_seed(seed)
        if noise_seed is not None:
            as_seed(noise_seed, "noise_seed")
        self.flaws = Flaws() if flaws is None else flaws
        if not isinstance(self.flaws, Flaws):
            raise TypeError(f"flaws={brief(flaws)} must be phantoms.Flaws(...), or None.")
        self.flaws.check_shape(shape)
        self.shape, self.lattice, self.distortion = shape, float(lattice), distortion
        self.background, self.dose, self.noise = background, dose, noise
        self.rng = np.random.default_rng(seed)
        self.noise_rng = self.rng if noise_seed is None else np.random.default_rng(noise_seed)
        phase = np.arange(shape[0])[:, None] / shape[0] + self.rng.random(2)
        drift = distortion * np.sin(2 * np.pi * phase)  # (height, 2), px
        drift[:, 1] += self.rng.normal(0, _LINE_JITTER * distortion, shape[0])
        # Generators of their own: no flaw changes the random numbers of anything else.
        self._rngs = {
            flaw: np.random.default_rng([seed, k]) for k, flaw in enumerate(_RANDOM_FLAWS, start=1)
        }
        self.view = FieldOfView(shape, drift, self.flaws, self._rngs["strain"])
        self.extent = self.view.extent

    @property
    def positions(self) -> tuple[Array, Array]:
        """The position (y, x) on the specimen of each pixel, px, each (height, width)."""
        return self.view.positions

    def square_net(self, spacing: float, turn: float = 0.0) -> Array:
        """Sites (n, 2) of a square net that covers the scan, turned about its centre, degrees.

        Without a turn, one lies on the image's corner (-0.5).
        """
        corner = abs(np.sin(np.deg2rad(turn) / 2)) * np.hypot(*self.view.extent)
        margin = int((self.distortion + self.view.reach + corner) / spacing) + 2
        lines = [
            spacing * np.arange(-margin, n / spacing + margin) - 0.5 for n in self.view.extent
        ]
        net = np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)
        return rotated(net, self.view.centre, turn) if turn else net

    def stem(
        self,
        columns: list[tuple[Array, Array]],
        domain: Domain,
        pedestals: tuple[float, ...],
        column: float,
        sites: Array,
        names: tuple[str, ...],
    ) -> Phantom:
        """Record columns (positions (n, 2), heights (n,)) on a pedestal per domain.

        They are Gaussians; `column` is their standard deviation in lattice constants.
        """
        places, heights = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        heights = heights * (1 + _COLUMN_SPREAD * self.rng.standard_normal(len(heights)))
        there = ~self._vacuum
        signal = rendered(self.view, places, heights, column * self.lattice, there)
        pedestal = np.array(pedestals)[domain(*self.positions)]
        return self.record(signal + pedestal, domain, sites, names)

    def record(
        self,
        signal: Array,
        domain: Domain,
        sites: Array,
        names: tuple[str, ...],
        smear: float = 0.0,
    ) -> Phantom:
        """Add contamination and noise (smeared along the lines, over `smear` px), then scale."""
        signal = self._with_background(signal)
        residue, most = self._residue(signal)
        signal = signal + residue
        recorded = signal
        if self.dose is not None:
            recorded = self.noise_rng.poisson(self.dose * np.maximum(signal, 0)) / self.dose
        grains = self.noise_rng.standard_normal(self.shape)
        if smear:
            blur = np.exp(-2 * (np.pi * smear * np.fft.rfftfreq(self.shape[1])) ** 2)
            grains = np.fft.irfft(np.fft.rfft(grains) * blur, self.shape[1])
        recorded = np.minimum(recorded + self.noise * grains / grains.std(), most)
        hidden = self._vacuum | (signal.min() + residue >= most)
        recorded, faulty = with_faults(recorded, self.flaws, self._rngs["faults"])
        low, span = recorded.min(), np.ptp(recorded)
        domains = np.where(hidden, -1, domain(*self.positions))
        return Phantom(
            image=((recorded - low) / span).astype(np.float32),
            clean=((np.minimum(signal, most) - low) / span).astype(np.float32),
            domains=domains,
            sites=self._seen(sites, domains),
            lattice=self.lattice,
            names=names,
            faulty=faulty,
        )

    def _with_background(self, signal: Array) -> Array:
        """Return the specimen's signal with its thickness, its edge and slow contamination."""
        y, x = self.positions
        slow = np.zeros(self.shape)
        for _ in range(6):
            wave = 2 * np.pi * self.rng.uniform(-1.5, 1.5, 2) / self.shape
            slow += np.cos(wave[0] * y + wave[1] * x + self.rng.uniform(0, 2 * np.pi))
        if self.flaws.thickness:
            signal = signal * thickness(self.view, self.flaws.thickness, self._rngs["thickness"])
        signal = signal + self.background * (slow - slow.mean()) / slow.std()
        return signal if self._depth is None else signal * thinned(self._depth / self.lattice)

    def _residue(self, signal: Array) -> tuple[Array, float]:
        """Return the residue's signal, and that at which the detector saturates."""
        if not self.flaws.residue:
            return np.zeros(self.shape), np.inf
        density = residue(self.view, self.flaws.residue, self._rngs["residue"])
        return _RESIDUE * np.ptp(signal) * density, signal.max() + _HEADROOM * np.ptp(signal)

    def _seen(self, sites: Array, domains: Array) -> Array:
        """Return the pixels (n, 2) of those sites that the image shows."""
        pixels = self.view.appear(sites)
        last = np.array(self.shape) - 1
        pixels = pixels[((pixels >= 0) & (pixels <= last)).all(axis=1)]
        shown = domains[tuple(np.rint(pixels).astype(np.int64).T)] >= 0
        return np.asarray(pixels[shown])

    @cached_property
    def _depth(self) -> Array | None:
        """How far inside the specimen's edge each pixel lies, px; None without vacuum."""
        share = self.flaws.vacuum
        return depth_from_edge(self.view, share, self._rngs["vacuum"]) if share else None

    @cached_property
    def _vacuum(self) -> Bool[np.ndarray, "height width"]:
        """Which pixels lie beyond the specimen's edge."""
        return np.zeros(self.shape, dtype=bool) if self._depth is None else self._depth < 0


def rendered(view: FieldOfView, places: Array, heights: Array, sigma: float, seen: Array) -> Array:
    """Return the intensity (height, width) of columns: positions (n, 2), px, and heights (n,).

    Columns whose centres appear at pixels that are not `seen` are left out.
    """
    y, x = view.positions
    # Wide enough for lines that jitter apart.
    tall, wide = (int(4 * sigma / side + view.jitter) + 1 for side in (view.aspect, 1.0))
    nearest = np.rint(view.appear(places)).astype(np.int64)
    limit = np.array(view.shape)
    kept = ((nearest >= -tall - wide) & (nearest < limit + tall + wide)).all(axis=1)
    kept &= seen[tuple(nearest.clip(0, limit - 1).T)]
    places, heights, nearest = places[kept], heights[kept], nearest[kept]
    row = nearest[:, 0, None, None] + np.arange(-tall, tall + 1)[:, None]
    col = nearest[:, 1, None, None] + np.arange(-wide, wide + 1)
    inside = (row >= 0) & (row < limit[0]) & (col >= 0) & (col < limit[1])
    pixel, owner = (row * limit[1] + col)[inside], np.nonzero(inside)[0]
    distance = np.hypot(y.flat[pixel] - places[owner, 0], x.flat[pixel] - places[owner, 1])
    peaks = heights[owner] * np.exp(-((distance / sigma) ** 2) / 2)
    return np.bincount(pixel, peaks, y.size).reshape(view.shape)


def with_faults(
    image: Array, flaws: Flaws, rng: np.random.Generator
) -> tuple[Array, Bool[np.ndarray, "height width"]]:
    """Return an image with dead and hot rows and pixels, and where they are."""
    low, high = image.min(), image.max()
    image, faulty = image.copy(), np.zeros(image.shape, dtype=bool)
    lines = rng.permutation(image.shape[0])[: flaws.dead_rows + flaws.hot_rows]
    image[lines] = high + _HOT_ROW * (high - low)
    image[lines[: flaws.dead_rows]] = low
    faulty[lines] = True
    free = rng.permutation(np.flatnonzero(~faulty))[: flaws.dead_pixels + flaws.hot_pixels]
    dead, hot = free[: flaws.dead_pixels], free[flaws.dead_pixels :]
    image.flat[dead] = low
    image.flat[hot] = high + rng.uniform(*_HOT_PIXEL, len(hot)) * (high - low)
    faulty.flat[free] = True
    return image, faulty


def thickness(view: FieldOfView, change: float, rng: np.random.Generator) -> Array:
    """Return a slow factor of the intensity of each pixel, within 1 ± `change` and touching it."""
    waves = SlowWaves(rng, view.extent, most=0.7)(*view.field)
    waves -= (waves.max() + waves.min()) / 2
    return np.asarray(1 + change * waves / np.abs(waves).max())


def depth_from_edge(view: FieldOfView, share: float, rng: np.random.Generator) -> Array:
    """Return how far inside a rough edge each pixel lies, px; a share of them is outside, < 0."""
    y, x = view.field
    angle = rng.uniform(0, 2 * np.pi)
    across = np.sin(angle) * y + np.cos(angle) * x
    rough = SlowWaves(rng, view.extent, most=4.0)(y, x)
    side = min(view.extent)
    across = across + _EDGE_ROUGHNESS * side * rough / rough.std()
    return np.asarray(across - np.quantile(across, share))


def thinned(depth: Array) -> Array:
    """Return the factor of the intensity at some depths from an edge, lattice constants."""
    there = 1 / (1 + np.exp(np.clip(-depth / 0.12, -50, 50)))
    return np.asarray(there * (1 - 0.5 * np.exp(-np.maximum(depth, 0) / 4)))


def residue(view: FieldOfView, count: int, rng: np.random.Generator) -> Array:
    """Return the density of patches of residue at each pixel, 0 to about 1: uneven clouds."""
    y, x = view.field
    side, density = min(view.extent), np.zeros(view.shape)
    for _ in range(count):
        centre = rng.uniform(0.1, 0.9, 2) * view.extent
        radius = rng.uniform(*_RADII) * side
        distance = np.hypot(y - centre[0], x - centre[1]) / radius
        cloud = (
            1.3
            - distance
            + sum(share * _noise(view.shape, width * radius, rng) for width, share in _CLOUDS)
        )
        density += np.clip(cloud, 0, 1) ** 1.5
    return density


def _noise(shape: tuple[int, int], width: float, rng: np.random.Generator) -> Array:
    """Return smooth noise of standard deviation 1."""
    smooth = gaussian_filter(rng.standard_normal(shape), width, mode="wrap")
    return np.asarray(smooth / smooth.std())
