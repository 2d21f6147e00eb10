"""The spatial decoder of `ShiftVAE`: patches from latents, and their likelihood."""

import math
from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from .._checks import as_integer, as_number, brief
from ..compute.own_state import own_state
from ..patches.known import Patches
from .decoding import is_dense_tanh, total_loss
from .likelihood import chosen, gaussian_constant
from .options import Decoding
from .refinable import Refinable, px_per_shift

__all__ = ["SpatialDecoder"]


class SpatialDecoder(Refinable):
    """The decoder half of `ShiftVAE`: pyroVED's ``sDecoderNet`` with translation.

    Latents are shifts first, then content.
    """

    grid: Tensor
    t_prior: Tensor
    decoder: Any  # pyroVED's network, or the user's
    coord: int
    z_dim: int
    latent_dim: int
    sigmoid_d: bool
    decodes_pixels = True
    has_fast_path = True

    @property
    def content(self) -> slice:
        """Columns of the posterior that hold content, not shifts."""
        return slice(self.coord, self.z_dim)

    @property
    def columns(self) -> dict[str, slice]:
        """Columns of the posterior's mean by name: shift first, then content."""
        return {"shift": slice(0, self.coord), "content": self.content}

    @property
    def shift_scale(self) -> Float[Tensor, " axes"]:
        """Displacement in px, down and to the right positive, of one unit of each shift latent."""
        return px_per_shift(self.t_prior, self.patch_shape)

    def reconstruction(
        self,
        patches: Float[Tensor, "n *patch"],
        latents: Float[Tensor, "n z_dim"],
        pixels: Tensor | None = None,
    ) -> Float[Tensor, " n"]:
        """Return the negative log-likelihood of patches given latents, nats per patch.

        Parameters
        ----------
        patches
            Shape (n, *patch_shape).
        latents
            Samples of z, shape (n, z_dim), shifts first.
        pixels
            Flat indices of the pixels to decode. Their sum is scaled up to the whole patch, so
            uniformly sampled pixels leave the expectation unchanged. ``None`` decodes all.
        """
        data, scale = chosen(patches.flatten(1), pixels)
        return scale * self._pixel_loss(self._output(latents, pixels), data).sum(-1)

    def mean_reconstruction(
        self,
        patches: Float[Tensor, "n *patch"],
        latents: Float[Tensor, "n z_dim"],
        decoding: Decoding = Decoding(),
    ) -> Float[Tensor, ""]:
        """Return the mean of `reconstruction`, by the fast way that training takes.

        Loss and gradient are computed together, so it can be differentiated once. With another
        activation than tanh it is `reconstruction`, under torch's autocast.

        Parameters
        ----------
        patches, latents
            As for `reconstruction`.
        decoding
            Pixels to decode, and type of the hidden layers. The decoder's output and the loss
            are in that of the patches in any case.
        """
        net, pixels = self.decoder, decoding.pixels
        if not is_dense_tanh(net.fc_layers):
            half = decoding.dtype == torch.bfloat16
            with torch.autocast(self.like.device.type, torch.bfloat16, enabled=half):
                return self.reconstruction(patches, latents, pixels).mean()
        data, scale = chosen(patches.flatten(1), pixels)
        parts = self._first_layer(latents, pixels)
        dtype = decoding.dtype or data.dtype
        layers = (net.fc_layers, net.out)
        total = total_loss(self._pixel_loss, data, *parts, *layers, dtype)
        return scale / len(patches) * total

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches | None = None
    ) -> Float[Tensor, "n pixels"]:
        """Return the mean of each pixel given latents, shifts first."""
        output = self._output(latents)
        return output.sigmoid() if self.sigmoid_d else output

    @own_state(grad=False)
    def decode(
        self,
        z: Float[Tensor, "n latent_dim"],
        *,
        shift: Float[Tensor, "*n coord"] | None = None,
        batch_size: int = 256,
    ) -> Float[Tensor, "n *patch"]:
        """Return the patches of content latents, shape (n, *patch_shape), on the CPU.

        Parameters
        ----------
        z
            Content, shape (n, latent_dim).
        shift
            Shift, shape (n, 2), or (n, 1) for spectra, or one for all: down and to the right, in
            half patch sizes, as in pyroVED; of latents z, ``z * model.t_prior``. Default: 0.
        batch_size
            Patches decoded at a time.
        """
        if not isinstance(z, Tensor) or z.is_complex():
            raise TypeError(f"z={brief(z)} must be a real tensor: torch.as_tensor(z).")
        as_integer(batch_size, "batch_size", 1, " patch")
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(
                f"z has shape {tuple(z.shape)}, but must be (n, {self.latent_dim}): content only."
            )
        shift = z.new_zeros(self.coord) if shift is None else shift
        shift = shift.expand(len(z), -1) if shift.ndim == 1 else shift
        if shift.shape != (len(z), self.coord):
            raise ValueError(
                f"shift has shape {tuple(shift.shape)}, but must be ({len(z)}, {self.coord})."
            )
        content, moved = z.to(self.like), shift.to(self.like) / self.t_prior
        latents = torch.cat([moved, content], dim=1)
        parts = [self.pixel_means(part).cpu() for part in latents.split(batch_size)]
        return torch.cat(parts).reshape(-1, *self.patch_shape)

    def manifold2d(
        self, d: int = 9, *, limits: tuple[float, float, float, float] | None = None
    ) -> Float[Tensor, "n *patch"]:
        """Return the patches of a d x d raster of the first two content latents.

        As pyroVED's, whose raster lies at even steps of the prior's quantiles, 5 % to 95 %, or of
        `limits`; but it only decodes, and `phyvae.plot_manifold` plots.

        Parameters
        ----------
        d
            Raster points along each latent, >= 2.
        limits
            (z1 low, z1 high, z2 low, z2 high).

        Returns
        -------
        Tensor
            Shape (d * d, *patch_shape); z1 falls from row to row of the raster, z2 rises from
            column to column.
        """
        as_integer(d, "d", 2, " raster points")
        quantiles = limits is None
        limits = (0.05, 0.95) * 2 if limits is None else limits
        if not isinstance(limits, Sequence) or isinstance(limits, str) or len(limits) != 4:
            raise TypeError(
                f"limits={brief(limits)} must be (z1 low, z1 high, z2 low, z2 high), or None."
            )
        low1, high1, low2, high2 = (as_number(edge, "limits") for edge in limits)
        if not all(map(math.isfinite, (low1, high1, low2, high2))):
            raise ValueError(f"limits={limits} must be finite.")
        z = torch.zeros(d, d, max(2, self.latent_dim))
        z[..., 0] = torch.linspace(high1, low1, d)[:, None]
        z[..., 1] = torch.linspace(low2, high2, d)
        z[..., :2] = torch.special.ndtri(z[..., :2]) if quantiles else z[..., :2]
        return self.decode(z[..., : self.latent_dim].reshape(d * d, -1))

    def _pixel_loss(
        self, output: Float[Tensor, "*rows"], data: Float[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows"]:
        """Return each pixel's negative log-likelihood from the decoder's output, nats."""
        output = output.to(data.dtype)
        if self.sampler_name == "bernoulli":
            return F.binary_cross_entropy_with_logits(output, data, reduction="none")
        mean = output.sigmoid() if self.sigmoid_d else output
        squared = ((data - mean) / self.decoder_sig) ** 2
        return 0.5 * squared + gaussian_constant(self.decoder_sig)

    def _output(
        self, latents: Float[Tensor, "n z_dim"], pixels: Tensor | None = None
    ) -> Float[Tensor, "n pixels"]:
        """Return the decoder's output before its sigmoid."""
        net = self.decoder
        per_pixel, per_patch = self._first_layer(latents, pixels)
        hidden = net.coord_latent.activation(per_pixel + per_patch[:, None])
        output: Tensor = net.out(net.fc_layers(hidden)).squeeze(-1)
        return output

    def _first_layer(
        self, latents: Float[Tensor, "n z_dim"], pixels: Tensor | None
    ) -> tuple[Float[Tensor, "pixels hidden"], Float[Tensor, "n hidden"]]:
        """Return the two parts of the decoder's first layer before its activation.

        A shift moves all coordinates alike, so the layer splits into a part of the pixel, shared
        by all patches, and a part of the patch, shared by all its pixels.
        """
        net = self.decoder
        shift, content = latents[:, : self.coord], latents[:, self.content]
        grid = self.grid if pixels is None else self.grid[pixels]
        per_pixel = net.coord_latent.fc_coord(grid)
        per_patch = F.linear(shift * self.t_prior, net.coord_latent.fc_coord.weight)
        return per_pixel, per_patch + net.coord_latent.fc_latent(content)
