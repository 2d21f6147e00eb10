"""Autocorrelation: latent maps that are alike, or unlike, at a given distance."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import as_flag, as_number, sides_of
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .checking import check_neighbours
from .masking import Cells, Maps, Scalar
from .standardising import ROUNDING, scaled

__all__ = ["Autocorrelation"]


class Autocorrelation(PhysicsLoss):
    r"""Correlation of cells at a given distance, rewarded or punished.

    .. math:: \Psi = \frac{1 \mp C}{2} \in [0, 1], \qquad
        C = \frac{\sum 2 z_i z_j}{\sum (z_i^2 + z_j^2)}

    for `alike` true and false, over all pairs of cells i, j of the standardised map (mean 0,
    standard deviation 1 per channel) whose distance is the given one to half a map pixel, or which
    differ by the given vector; channels are averaged. It reaches beyond neighbours: with `alike`
    domains are not narrower than the distance, without it stripes are as wide as the distance.
    Noise has 0.5.

    Parameters
    ----------
    distance
        Map pixels, or nm if there is a `pixel_size`: a length, at least one map pixel, for all
        directions; or a vector (dy, dx), which is rounded to whole map pixels.
    alike
        Whether cells at this distance should be alike, or opposite.
    pixel_size
        Height and width of a pixel of the scan, nm, or one number for both. Lengths then are in
        nm: a grid has its step, and a map by itself is taken for a scan.

    Notes
    -----
    ``alike=False`` breaks the law "noise costs more than one wall" on purpose: across a domain the
    wall's map is alike. An oblique vector breaks "a mirrored map costs the same".

    References
    ----------
    Matheron (1963), Principles of geostatistics, https://doi.org/10.2113/gsecongeo.58.8.1246.
    :math:`1 - C` is his variogram, relative to the variance of the same pairs.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> stripes = torch.tensor([1.0, 1.0, -1.0, -1.0]).repeat(4).expand(1, 16, 16)
    >>> [round(float(phyvae.Autocorrelation((0, d))(stripes)), 3) for d in (1, 2, 4)]
    [0.467, 1.0, 0.0]
    """

    def __init__(
        self,
        distance: int | float | Sequence[int | float],
        *,
        alike: bool = True,
        pixel_size: float | tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        vector = tuple(distance) if isinstance(distance, tuple | list) else None
        if vector is not None and len(vector) != 2:
            raise ValueError(f"distance={distance} must be a length, or a vector (dy, dx).")
        numbers = [as_number(d, "distance") for d in ((distance,) if vector is None else vector)]
        self._length = numbers[0] if vector is None else math.hypot(*numbers)
        sides_of(pixel_size)
        self.distance = distance if vector is None else vector
        self.alike, self.pixel_size = as_flag(alike, "alike"), pixel_size
        self._check_reaches(1.0 if pixel_size is None else 0.0)

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the loss over pairs of cells that both count."""
        check_neighbours(maps, needs="a distance")
        size, edges = pixel.measured(self.pixel_size)
        self._check_reaches(size)
        edges = size * edges[0], size * edges[1]
        self._check_fits(maps, edges)
        z, counts = scaled(maps, mask)
        pairs = self._pairs(z, size, edges)
        products = _correlated(z, z, pairs)
        squares = _correlated(z.square(), counts.to(z)[None], pairs)
        # The Fourier transform leaves rounding errors.
        flat = squares <= ROUNDING * torch.finfo(z.dtype).eps
        correlation = products / torch.where(flat, 1.0, squares)
        psi = (1 - correlation if self.alike else 1 + correlation) / 2
        return torch.where(flat, 0.0, psi.clamp(min=0)).mean()

    def _check_reaches(self, size: float) -> None:
        if not size <= self._length < math.inf:
            raise ValueError(
                f"distance={self.distance} is {self._length / (size or 1):.3g} map pixels, but "
                "must be at least one, that of a neighbour."
            )

    def _vector(self, edges: tuple[float, float]) -> tuple[int, int]:
        """Return the vector in cells."""
        assert isinstance(self.distance, tuple)
        dy, dx = self.distance
        return round(dy / edges[0]), round(dx / edges[1])

    def _check_fits(self, maps: Tensor, edges: tuple[float, float]) -> None:
        rows, cols = maps.shape[1:]
        if isinstance(self.distance, tuple):
            dy, dx = self._vector(edges)
            fits = abs(dy) < rows and abs(dx) < cols
        else:
            fits = self._length <= max((rows - 1) * edges[0], (cols - 1) * edges[1])
        if not fits:
            raise ValueError(
                f"distance={self.distance} reaches beyond a map of {rows} x {cols} cells of "
                f"{edges[0]:.3g} x {edges[1]:.3g}, so it has no pair of them; choose a shorter "
                "distance or a larger tile."
            )

    def _pairs(
        self, maps: Tensor, size: float, edges: tuple[float, float]
    ) -> Float[Tensor, "rows2 cols2"]:
        """Return 1 at the differences of the pairs that count, in the FFT's own order."""
        offsets = (
            torch.fft.fftfreq(2 * n, 1 / (2 * n), device=maps.device) for n in maps.shape[1:]
        )
        y, x = torch.meshgrid(*offsets, indexing="ij")
        if isinstance(self.distance, tuple):
            dy, dx = self._vector(edges)
            away = torch.minimum(torch.hypot(y - dy, x - dx), torch.hypot(y + dy, x + dx))
        else:
            height, width = (edge / size for edge in edges)
            distance = torch.hypot(y * height, x * width)
            away = ((distance - self._length / size).abs() - 0.5).clamp(min=0)
        return (away < 1e-4).to(maps)

    def __repr__(self) -> str:
        return (
            f"Autocorrelation({self.distance}, alike={self.alike}, pixel_size={self.pixel_size})"
        )


def _correlated(
    a: Maps, b: Float[Tensor, "... rows cols"], pairs: Float[Tensor, "rows2 cols2"]
) -> Float[Tensor, " channels"]:
    """Return the mean of a_i b_j over the pairs, as many as cells; the padding has none."""
    size = tuple(pairs.shape)
    spectra = torch.fft.rfft2(a, s=size), torch.fft.rfft2(b, s=size)
    found: Tensor = torch.fft.irfft2(spectra[0].conj() * spectra[1], s=size)
    return (found * pairs).sum((-2, -1)) / (pairs.sum() * a[0].numel())
