"""Periodic order of latent maps: superlattices and charge-density waves, by their wavevectors."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import as_choice, as_number, as_positive, brief, sides_of
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .checking import check_neighbours
from .finite import ratio
from .masking import Cells, Maps, Scalar
from .standardising import scaled

__all__ = ["PeriodicOrder"]


class PeriodicOrder(PhysicsLoss):
    r"""Share of the Fourier power of the latent maps outside given wavevectors, or at them.

    .. math:: \Psi = \frac{\sum_k (1 - W_k)\,|\hat z_k|^2}{\sum_k |\hat z_k|^2} \in [0, 1],
        \qquad W_k = \max_q \exp\Big(-\frac{|k \mp q|^2}{2 t^2}\Big)

    with :math:`\hat z` the discrete Fourier transform of the standardised map (mean 0, standard
    deviation 1 per channel); the sums run over wavevectors and channels. A ring of radius
    :math:`q` takes :math:`(|k| - q)^2` in the exponent: order of one period in any direction. A
    map that is a wave with wavevector q has 0, noise nearly 1. With ``punish="at"`` it is
    :math:`W_k` instead of :math:`1 - W_k`: that order is punished, for example a moiré.

    Parameters
    ----------
    wavevectors
        Pairs (ky, kx), y down the rows; each one stands for its opposite, too. Periods per map
        pixel, at most 0.5 in each component, or periods per nm if there is a `pixel_size`.
    ring
        Length of wavevectors of all directions, in the same unit, instead of `wavevectors`.
    tolerance
        :math:`t`, in the same unit, > 0; ``None`` is one sample of the map's own spectrum, one
        period per map side.
    punish
        ``"outside"``, or ``"at"``.
    pixel_size
        Height and width of a pixel of the scan, nm, or one number for both. Lengths then are in
        nm: a grid has its step, and a map by itself is taken for a scan.

    Notes
    -----
    ``punish="outside"`` breaks the law "noise costs more than one wall" on purpose: noise has some
    of every wave, a wall hardly any. Wavevectors off the axes, without their mirror images, break
    "a mirrored map costs the same".

    References
    ----------
    Grüner (1988), The dynamics of charge-density waves, https://doi.org/10.1103/RevModPhys.60.1129

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> wave = torch.cos(2 * torch.pi * torch.arange(32) / 4).expand(1, 32, 32)
    >>> round(float(phyvae.PeriodicOrder([(0, 1 / 4)])(wave)), 3)
    0.0
    >>> round(float(phyvae.PeriodicOrder(ring=1 / 4, punish="at")(wave)), 3)
    1.0
    """

    def __init__(
        self,
        wavevectors: Sequence[Sequence[int | float]] | None = None,
        *,
        ring: float | None = None,
        tolerance: float | None = None,
        punish: Literal["outside", "at"] = "outside",
        pixel_size: float | tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        sides_of(pixel_size)
        if (wavevectors is None) == (ring is None):
            raise ValueError(
                f"wavevectors={wavevectors} and ring={ring}: give one of the two, wavevectors as "
                "pairs (ky, kx) or the ring's radius."
            )
        if ring is not None:
            as_positive(ring, "ring")
        vectors = None if wavevectors is None else _as_vectors(wavevectors)
        if vectors is not None and (not vectors or any(len(q) != 2 for q in vectors)):
            raise ValueError(f"wavevectors={wavevectors} must be pairs (ky, kx), not none.")
        if tolerance is not None:
            as_positive(tolerance, "tolerance", "; None is one sample of the map's own spectrum")
        self.wavevectors, self.ring, self.tolerance = vectors, ring, tolerance
        self.punish = as_choice(punish, "punish", ("outside", "at"))
        self.pixel_size = pixel_size
        self._check_periods((1.0, 1.0) if pixel_size is None else (0.0, 0.0))

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the share of the power; masked-out cells are set to the mean."""
        check_neighbours(maps, needs="a wave")
        spectrum = torch.view_as_real(torch.fft.fft2(scaled(maps, mask)[0]))
        power = spectrum.square().sum(-1)
        size, edges = pixel.measured(self.pixel_size)
        self._check_periods((size * edges[0], size * edges[1]))
        window = self._window(maps, size, edges)
        if self.punish == "outside":
            window = 1 - window
        return ratio((power * window).sum(), power.sum())

    def _window(
        self, maps: Tensor, size: float, edges: tuple[float, float]
    ) -> Float[Tensor, "rows cols"]:
        """Return how much each wavevector counts as a given one, in the FFT's own order."""
        rows, cols = maps.shape[1:]
        frequencies = (torch.fft.fftfreq(n, device=maps.device).to(maps) for n in (rows, cols))
        ky, kx = torch.meshgrid(*frequencies, indexing="ij")
        if self.ring is not None:
            sides = zip((rows, cols), edges, strict=True)
            step = 1 / min(n * edge for n, edge in sides if n > 1)
            width = step if self.tolerance is None else self.tolerance * size
            k = torch.hypot(ky / edges[0], kx / edges[1])  # periods per map pixel
            return _gaussian((k - self.ring * size) / width)
        window = torch.zeros_like(ky)
        assert self.wavevectors is not None
        for q in self.wavevectors:
            qy, qx = (part * size * edge for part, edge in zip(q, edges, strict=True))
            if self.tolerance is None:
                height, width = 1 / rows, 1 / cols
            else:
                height, width = (self.tolerance * size * edge for edge in edges)
            self._check_resolved(q, (rows, cols), (qy, qx), (height, width))
            for sign in (1, -1):
                # Differences around the spectrum's edge: 0.5 and -0.5 are one wave.
                y = (ky - sign * qy + 0.5).remainder(1) - 0.5
                x = (kx - sign * qx + 0.5).remainder(1) - 0.5
                window = torch.maximum(window, _gaussian(torch.hypot(y / height, x / width)))
        return window

    def _check_periods(self, edges: tuple[float, float]) -> None:
        """Raise an error if a wave is none, or shorter than two pixels with such edges."""
        if self.ring is not None and not self.ring * max(edges) <= 0.5:
            raise ValueError(_beyond("ring", self.ring, self.pixel_size, max(edges)))
        for q in self.wavevectors or ():
            periods = [abs(part) * edge for part, edge in zip(q, edges, strict=True)]
            if not any(q) or not max(periods) <= 0.5 or not all(map(math.isfinite, q)):
                raise ValueError(_beyond("wavevectors", q, self.pixel_size, max(edges)))

    def _check_resolved(
        self,
        named: tuple[float, ...],
        sides: tuple[int, int],
        q: tuple[float, float],
        widths: tuple[float, float],
    ) -> None:
        away = [
            abs(f * n - round(f * n)) / n / w for f, n, w in zip(q, sides, widths, strict=True)
        ]
        if math.hypot(*away) > 2:
            raise ValueError(
                f"wavevectors: {named} lies between the samples of the spectrum of {sides[0]} x "
                f"{sides[1]} cells, further away than twice tolerance={self.tolerance}; raise the "
                "tolerance or choose a larger tile."
            )

    def __repr__(self) -> str:
        where = f"ring={self.ring}" if self.wavevectors is None else f"{self.wavevectors}"
        return (
            f"PeriodicOrder({where}, tolerance={self.tolerance}, punish={self.punish!r}, "
            f"pixel_size={self.pixel_size})"
        )


def _gaussian(distance: Tensor) -> Tensor:
    return torch.exp(-distance.square() / 2)


def _as_vectors(wavevectors: object) -> tuple[tuple[float, ...], ...]:
    try:
        return tuple(
            tuple(as_number(k, "wavevectors") for k in q)
            for q in wavevectors  # type: ignore[attr-defined]
        )
    except TypeError:
        raise TypeError(
            f"wavevectors={brief(wavevectors)} must be a list of pairs (ky, kx), such as "
            "[(0, 0.25)]."
        ) from None


def _beyond(name: str, q: float | tuple[float, ...], pixel_size: object, edge: float) -> str:
    unit, most = "map pixel" if pixel_size is None else "nm", 0.5 / (edge or 1.0)
    return (
        f"{name}: {q} periods per {unit} must not be 0, nor beyond {most:.3g} in a component: two "
        "map pixels are the shortest period of a map."
    )
