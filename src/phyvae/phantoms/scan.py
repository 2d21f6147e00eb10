"""The simulated scan of every phantom: sampled positions, contamination and noise."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from .._checks import as_number, as_seed, brief, is_integer

__all__ = ["Array", "Domain", "Phantom", "Scan"]

Array: TypeAlias = np.ndarray[Any, np.dtype[Any]]
Domain: TypeAlias = Callable[[Array, Array], Array]  # (y, x) on the specimen, px -> label

_COLUMN_SPREAD = 0.03  # relative standard deviation of the columns' brightness
_LINE_JITTER = 0.05  # of the drift
_MOST = 1e9  # electrons; NumPy samples no larger Poisson numbers


@dataclass(frozen=True, eq=False, repr=False)
class Phantom:
    """A simulated image with its ground truth.

    Attributes
    ----------
    image
        The recorded image, shape (height, width), float32. Noise is added and never clipped; then
        the image is scaled so that its minimum is 0 and its maximum 1.
    clean
        The same without noise, on the scale of `image`: their difference is the noise.
    domains
        The label of the domain at each pixel, shape (height, width), 0 to ``len(names) - 1``.
    sites
        Unit cell origins as they appear in the image, shape (n, 2), (y, x) in px: centres for
        atom-centred patches. A columns of perovskites, all columns of NiO, maxima of graphene.
    lattice
        Lattice constant, px.
    names
        The domains' names, in the order of the labels.
    """

    image: Float[np.ndarray, "height width"]
    clean: Float[np.ndarray, "height width"]
    domains: Int[np.ndarray, "height width"]
    sites: Float[np.ndarray, "sites 2"]
    lattice: float
    names: tuple[str, ...]

    def __repr__(self) -> str:
        height, width = self.image.shape
        return (
            f"Phantom({height} x {width} px, lattice={self.lattice:g} px, "
            f"domains: {', '.join(self.names)})"
        )


class Scan:
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
        self.shape, self.lattice, self.distortion = shape, float(lattice), distortion
        self.background, self.dose, self.noise = background, dose, noise
        self.rng = np.random.default_rng(seed)
        self.noise_rng = self.rng if noise_seed is None else np.random.default_rng(noise_seed)
        phase = np.arange(shape[0])[:, None] / shape[0] + self.rng.random(2)
        self.drift = distortion * np.sin(2 * np.pi * phase)  # (height, 2), px
        self.drift[:, 1] += self.rng.normal(0, _LINE_JITTER * distortion, shape[0])

    @property
    def positions(self) -> tuple[Array, Array]:
        """The position (y, x) on the specimen of each pixel, px, each (height, width)."""
        y, x = np.indices(self.shape)
        return y + self.drift[:, :1], x + self.drift[:, 1:]

    def appear(self, sites: Array) -> Array:
        """Map positions on the specimen (n, 2) to pixels (n, 2): the inverse of `positions`."""
        rows = np.arange(self.shape[0])
        y = sites[:, 0] - np.interp(sites[:, 0], rows + self.drift[:, 0], self.drift[:, 0])
        return np.stack([y, sites[:, 1] - np.interp(y, rows, self.drift[:, 1])], axis=1)

    def square_net(self, spacing: float) -> Array:
        """Sites (n, 2) of a square net, one on the image's corner (-0.5), that covers the scan."""
        margin = int(self.distortion / spacing) + 2
        lines = [spacing * np.arange(-margin, n / spacing + margin) - 0.5 for n in self.shape]
        return np.stack(np.meshgrid(*lines, indexing="ij"), axis=-1).reshape(-1, 2)

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
        y, x = self.positions
        sigma = column * self.lattice
        places, heights = (np.concatenate(parts) for parts in zip(*columns, strict=True))
        heights = heights * (1 + _COLUMN_SPREAD * self.rng.standard_normal(len(heights)))
        # Each column is rendered in its own window, wide enough for lines that jitter apart.
        half = int(4 * sigma + np.abs(np.diff(self.drift[:, 1])).max()) + 1
        window = np.arange(-half, half + 1)
        nearest = np.rint(self.appear(places)).astype(np.int64)
        row = nearest[:, 0, None, None] + window[:, None]
        col = nearest[:, 1, None, None] + window
        inside = (row >= 0) & (row < self.shape[0]) & (col >= 0) & (col < self.shape[1])
        pixel, owner = (row * self.shape[1] + col)[inside], np.nonzero(inside)[0]
        distance = np.hypot(y.flat[pixel] - places[owner, 0], x.flat[pixel] - places[owner, 1])
        peaks = heights[owner] * np.exp(-((distance / sigma) ** 2) / 2)
        signal = np.bincount(pixel, peaks, y.size).reshape(self.shape)
        return self.record(signal + np.array(pedestals)[domain(y, x)], domain, sites, names)

    def record(
        self,
        signal: Array,
        domain: Domain,
        sites: Array,
        names: tuple[str, ...],
        smear: float = 0.0,
    ) -> Phantom:
        """Add contamination and noise (smeared along the lines, over `smear` px), then scale."""
        y, x = self.positions
        slow = np.zeros(self.shape)
        for _ in range(6):
            wave = 2 * np.pi * self.rng.uniform(-1.5, 1.5, 2) / self.shape
            slow += np.cos(wave[0] * y + wave[1] * x + self.rng.uniform(0, 2 * np.pi))
        signal = signal + self.background * (slow - slow.mean()) / slow.std()
        recorded = signal
        if self.dose is not None:
            recorded = self.noise_rng.poisson(self.dose * np.maximum(signal, 0)) / self.dose
        grains = self.noise_rng.standard_normal(self.shape)
        if smear:
            blur = np.exp(-2 * (np.pi * smear * np.fft.rfftfreq(self.shape[1])) ** 2)
            grains = np.fft.irfft(np.fft.rfft(grains) * blur, self.shape[1])
        recorded = recorded + self.noise * grains / grains.std()
        low, span = recorded.min(), np.ptp(recorded)
        pixels = self.appear(sites)
        seen = ((pixels >= 0) & (pixels <= np.array(self.shape) - 1)).all(axis=1)
        return Phantom(
            image=((recorded - low) / span).astype(np.float32),
            clean=((signal - low) / span).astype(np.float32),
            domains=domain(y, x),
            sites=pixels[seen],
            lattice=self.lattice,
            names=names,
        )
