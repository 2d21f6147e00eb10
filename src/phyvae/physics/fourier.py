"""SL2: long-range order of latent maps, by the Fourier intensity off the centre."""

import math
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import as_choice, as_nonnegative
from .base import PhysicsLoss
from .checking import check_maps
from .finite import ratio
from .masking import Cells, Maps, Scalar
from .standardising import scaled

__all__ = ["SL2", "FourierLoss"]


class FourierLoss(PhysicsLoss):
    r"""Share of Fourier intensity off the centre of the latent maps (SL2): long-range order.

    .. math:: \Psi = \frac{\sum_{|k| > r} \log(1 + |\hat z_k|)}{\sum_k \log(1 + |\hat z_k|)}
        \in [0, 1]

    with :math:`\hat z` the discrete Fourier transform of the standardised map (mean 0, standard
    deviation 1 per channel); the sums run over wavevectors and channels. A map that varies slowly
    has most of its intensity near the centre. A flat map is free.

    Parameters
    ----------
    radius
        Radius :math:`r` of the centre, frequency samples (periods per map), >= 0.
    scaling
        ``"standard"``, or the paper's ``"none"``. Without standardisation the constant part of
        the map counts as centre, so an offset of the map lowers the loss.

    Notes
    -----
    Nearly all wavevectors lie off the centre, and the logarithm lifts weak ones: white noise on
    48 x 48 cells has 0.998, a disc with noise of a tenth of its contrast 0.995. Compare values of
    maps of one shape and with one radius only, by how far they lie below that of noise.

    The paper takes as centre the 2 x 2 samples at and before the middle of the shifted spectrum;
    ``published(maps)`` gives its number to the digit.

    References
    ----------
    Biswas, Ziatdinov & Kalinin (2023), https://arxiv.org/abs/2302.04216. Evaluated there in
    NumPy, so without gradient; this one is differentiable.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> wave = torch.linspace(0, 6.28, 32).cos().expand(1, 32, 32)
    >>> noise = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
    >>> loss = phyvae.FourierLoss(radius=2.0)
    >>> bool(loss(wave) < loss(noise))
    True
    """

    def __init__(
        self, radius: float = 1.0, *, scaling: Literal["standard", "none"] = "standard"
    ) -> None:
        super().__init__()
        self.radius = as_nonnegative(radius, "radius", unit=" frequency samples")
        self.scaling = as_choice(scaling, "scaling", ("standard", "none"))

    def forward(self, maps: Maps, mask: Cells | None = None) -> Scalar:
        """Return the share of intensity off the centre; masked-out cells are set to the mean."""
        rows, cols = maps.shape[1:]
        if self.radius >= math.hypot(rows // 2, cols // 2):
            raise ValueError(
                f"radius={self.radius} covers every frequency of a {rows} x {cols} map, so the "
                "loss would always be 0; choose a smaller radius or a larger tile."
            )
        z, _ = scaled(maps, mask, self.scaling)
        intensity = torch.log1p(torch.fft.fft2(z).abs())
        outside = (intensity * self._off_centre(maps)).sum()
        return ratio(outside, intensity.sum())

    def _off_centre(self, maps: Tensor) -> Float[Tensor, "rows cols"]:
        """Return 1 where a wavevector lies off the centre, in the FFT's own (unshifted) order."""
        ky, kx = (torch.fft.fftfreq(n, 1 / n, device=maps.device) for n in maps.shape[1:])
        return (torch.hypot(ky[:, None], kx) > self.radius + 1e-6).to(maps)

    def published(self, maps: Maps) -> float:
        """Return the authors' number: not standardised, 2 x 2 samples as centre."""
        check_maps(maps, None)
        spectrum = np.fft.fftshift(np.fft.fft2(maps.detach().cpu().double().numpy()), axes=(1, 2))
        intensity = np.log(np.abs(spectrum) + 1)
        y, x = (int(n / 2) for n in maps.shape[1:])
        centre = intensity[:, y - 1 : y + 1, x - 1 : x + 1].sum()
        total = intensity.sum()
        return float((total - centre) / total) if total > 0 else 0.0

    def __repr__(self) -> str:
        return f"FourierLoss(radius={self.radius:g})"


SL2 = FourierLoss
"""The paper's name for `FourierLoss`."""
