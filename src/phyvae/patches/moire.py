"""Moiré of a patch grid with the lattice: a wave in latent maps that no domain makes."""

from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float, Real
from torch import Tensor

from .._checks import as_array, as_maps, as_pair, as_vectors

__all__ = ["Moire", "aliases_of", "find_moire"]

_ORDERS = 2  # highest order of the wave vectors along the shorter side of the cell
_PERIODS = 3.0  # least number of periods in the map: slower waves may be domains
_SHARE = 0.2  # least share of a map's variance that a wave has
_LOBE = 2.0  # half width of a wave in the spectrum of a Hann window, periods in the map

Map = Float[np.ndarray, "rows cols"]
Waves = Float[np.ndarray, "waves 2"]


@dataclass(frozen=True)
class Moire:
    """Moiré of the step of a patch grid with the unit cell.

    Attributes
    ----------
    share
        Of each map, the share of its variance that the strongest wave has; 0 where none stands
        out: there, it is no moiré.
    period
        Of each map, the length of that wave, cells; infinite where there is none.
    step
        A step along y and x, px, whose waves are as short as can be: no more than a few cells,
        so that maps average them away. It is the one in use where no other is better.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> wave = np.cos(2 * np.pi * np.arange(40) * 11 / 12.6) + np.zeros((40, 1))
    >>> found = phyvae.find_moire(wave, [[12.6, 0.0], [0.0, 12.6]], step=11)
    >>> found.period.round(1), found.step
    (array([7.9]), (6, 6))
    >>> found.signal([0.9])  # a wave of moiré has no part in domains
    array([0.])
    """

    share: Float[np.ndarray, " channels"]
    period: Float[np.ndarray, " channels"]
    step: tuple[int, int]

    def signal(self, signal: npt.ArrayLike | Tensor) -> Float[np.ndarray, " channels"]:
        """Return shares of signal, such as ``model.signal(grid)``, with 0 for moiré.

        Lattice waves are no noise, so a model takes them for signal; `phyvae.segment` leaves a
        map of signal 0 out.

        Parameters
        ----------
        signal
            Share of each map's variance that is signal, shape (channels,).

        Raises
        ------
        ValueError
            If there is not one for each map.
        """
        shares = as_array(signal, "signal")
        if shares.shape != self.share.shape:
            raise ValueError(
                f"signal of shape {shares.shape} must have a share for each of the "
                f"{len(self.share)} maps: shape {self.share.shape}."
            )
        return np.where(self.share > 0, 0.0, shares)


def find_moire(
    maps: npt.ArrayLike | Tensor,
    cell: npt.ArrayLike,
    step: int | tuple[int, int],
    *,
    mask: npt.ArrayLike | Tensor | None = None,
) -> Moire:
    r"""Return which latent maps hold moiré, and the step of the shortest waves.

    Patches at a step :math:`s` see a lattice with wave vectors :math:`\mathbf k = m \mathbf b_1 +
    n \mathbf b_2`, cycles per px, at phases :math:`s \mathbf k` per cell: only the part within
    half a cycle is left, and a latent that follows where the lattice sits in a patch is a wave of
    that vector, :math:`s \mathbf k` modulo 1.

    Parameters
    ----------
    maps
        Latent maps of a raster, shape (channels, rows, cols).
    cell
        The two vectors of the unit cell, (y, x) each, px, shape (2, 2).
    step
        Step of the patch grid along y and x, px: ``grid.step``.
    mask
        True where a cell holds a patch, as for `phyvae.segment`.

    Returns
    -------
    Moire

    Raises
    ------
    ValueError
        If `cell` does not hold two vectors that span the plane, or maps are a list of sites.

    Notes
    -----
    A wave is moiré if it has at least 0.2 of a map's variance, and is the peak of its spectrum:
    that of domains and slow changes is at less than 3 periods in the map. Slower waves cannot be
    separated from domains, and are not looked for; `phyvae.count_domains` takes them for slow
    changes. Orders up to 2 along the shorter vector are looked for, and waves as short along the
    longer one.

    Examples
    --------
    >>> import numpy as np
    >>> wave = np.cos(2 * np.pi * np.arange(40) * 11 / 12.6) + np.zeros((40, 1))
    >>> found = find_moire(wave, [[12.6, 0.0], [0.0, 12.6]], 11)
    >>> found.period.round(1).tolist(), bool(found.share[0] > 0.9), found.step
    ([7.9], True, (6, 6))

    A latent that is moiré has no part in domains:

    >>> halves = np.repeat([0.0, 1.0], 20) + np.zeros((40, 1))
    >>> maps = np.stack([halves, wave])
    >>> signal = find_moire(maps, [[12.6, 0.0], [0.0, 12.6]], 11).signal([0.9, 0.9])
    >>> signal.tolist()
    [0.9, 0.0]
    >>> import phyvae
    >>> labels = phyvae.segment(maps, classes=2, signal=signal)
    >>> bool((labels == halves).all()), phyvae.count_domains(maps[signal > 0])
    (True, 2)
    """
    channels, patches = as_maps(maps, mask)
    if len(patches) == 1:
        raise ValueError(
            f"maps of shape {channels.shape} have one row, as those of sites without a lattice: "
            "patches on sites have no step, and make no moiré."
        )
    steps = np.array(as_pair(step, "step"))
    vectors = _reciprocal(cell)
    aliases = aliases_of(vectors, steps)
    cycles = np.linalg.norm(aliases * patches.shape, axis=1)
    aliases = aliases[cycles >= _PERIODS]
    share, period = np.zeros(len(channels)), np.full(len(channels), np.inf)
    for index, one in enumerate(channels):
        if len(aliases):
            share[index], period[index] = _wave(one, patches, aliases)
    return Moire(share, period, _other_step(vectors, steps))


def _reciprocal(cell: npt.ArrayLike) -> Waves:
    """Return the wave vectors of the lattice, up to a sign, cycles per px."""
    orders = [
        (m, n)
        for m, n in product(range(_ORDERS + 1), range(-_ORDERS, _ORDERS + 1))
        if (m, n) > (0, 0)
    ]
    return np.asarray(np.array(orders) @ np.linalg.inv(as_vectors(cell, "cell")).T)


def aliases_of(vectors: Waves, step: np.ndarray) -> Waves:
    """Return the waves that a step leaves of the lattice's, cycles per cell."""
    phases = vectors * step
    folded: np.ndarray = phases - np.round(phases)
    return folded


def _wave(one: Map, patches: np.ndarray, aliases: Waves) -> tuple[float, float]:
    """Return share and period of the strongest alias that stands out; 0 and infinity if none."""
    rows, cols = patches.shape
    y, x = np.nonzero(patches)
    window = (np.hanning(rows + 2)[1:-1, None] * np.hanning(cols + 2)[1:-1])[patches]
    left = one[patches] - np.average(one[patches], weights=window)
    total = float((window * left**2).sum())
    if total <= 1e-12 * float((window * one[patches] ** 2).sum()):
        return 0.0, np.inf
    faded = np.zeros(patches.shape)
    faded[patches] = window * left
    phases = np.exp(-2j * np.pi * (aliases @ np.stack([y, x])))
    shares = _power(phases @ faded[patches], window, total)
    spectrum = _power(np.fft.fft2(faded), window, total)
    best = int(shares.argmax())
    if shares[best] < max(_SHARE, float(spectrum[_elsewhere(aliases, (rows, cols))].max())):
        return 0.0, np.inf
    return min(1.0, float(shares[best])), float(1 / np.linalg.norm(aliases[best]))


def _power(amplitudes: np.ndarray, window: np.ndarray, total: float) -> Float[np.ndarray, "..."]:
    """Return the share of variance that waves of complex amplitudes have."""
    return np.asarray(2 * np.abs(amplitudes) ** 2 / (window.sum() * total))


def _elsewhere(aliases: Waves, shape: tuple[int, int]) -> Bool[np.ndarray, "rows cols"]:
    """Return where a spectrum holds no wave of moiré."""
    waves = np.stack(np.meshgrid(*map(np.fft.fftfreq, shape), indexing="ij"), axis=-1)
    away = waves[:, :, None] - np.concatenate([aliases, -aliases])
    away -= np.round(away)
    return np.asarray((np.linalg.norm(away * shape, axis=3) > _LOBE).all(axis=2))


def _other_step(vectors: Waves, step: Real[np.ndarray, " 2"]) -> tuple[int, int]:
    """Return the step from half to one and a half of this whose slowest wave is fastest."""
    first = vectors[np.argsort(np.linalg.norm(vectors, axis=1))[:4]]
    ranges = [range(max(1, round(0.5 * s)), round(1.5 * s) + 1) for s in step]
    best = max(
        product(*ranges),
        key=lambda pair: (
            np.linalg.norm(aliases_of(first, np.array(pair)), axis=1).min().round(3),
            -float(np.abs(np.array(pair) - step).sum()),
        ),
    )
    return int(best[0]), int(best[1])
