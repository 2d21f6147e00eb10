"""The shift-invariant VAE: pyroVED's `iVAE`, without its global state and with a closed form."""

import math
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import as_device, as_integer, as_number, as_seed, brief, is_integer
from ..patches.grid import PatchGrid
from ..patches.known import Patches
from .backend import fcEncoderNet, iVAE, no_global_effects
from .decoding import after_first, dense_tanh, is_dense_tanh, total_loss
from .interface import PatchModel, px_per_shift
from .likelihood import check_range, chosen, lowest
from .options import Decoding
from .posterior import Posterior
from .sliding import first_layer, pays

__all__ = ["ShiftVAE"]


class ShiftVAE(PatchModel, iVAE):  # type: ignore[misc]  # pyroVED is untyped
    r"""Shift-invariant variational autoencoder, a `pyroved.models.iVAE` with translation only.

    A patch is encoded into a shift and a few content latents; the decoder draws the content at
    the shifted coordinates. So the content does not depend on where in the patch the atoms sit.
    Networks, parameter names and weights are pyroVED's: ``load_state_dict`` takes the weights of a
    pyroVED model of the same sizes, and the other way round.

    Parameters
    ----------
    patch_shape
        (height, width) of a patch, px, or (length,) of a spectrum.
    latent_dim
        Number of content latents, >= 1.
    dx_prior, dy_prior
        Prior standard deviation of the shift along the first and the second patch axis, in half
        patch sizes (the patch spans -1 to 1). `dy_prior` defaults to `dx_prior`. For patches at
        any lattice phase, a third of a lattice constant is right: 0.3 for patches of two lattice
        constants; the default, 0.1, is pyroVED's and suits patches on lattice sites.
    hidden_dim_e, hidden_dim_d
        Units of the hidden layers of encoder and decoder.
    activation
        ``"tanh"``, ``"relu"``, ``"lrelu"``, ``"softplus"`` or ``"gelu"``, of the hidden layers.
    sampler_d
        Distribution of a pixel, ``"bernoulli"`` (intensities in [0, 1]) or ``"gaussian"``.
    decoder_sig
        Standard deviation of a pixel with the Gaussian sampler, > 0: the noise, in units of the
        grid's image. The default, pyroVED's, is half the range of a scaled image, far more than
        most noise; too large a value makes the maps collapse, too small a one fits the noise.
    sigmoid_d
        Whether the decoder's output passes through a sigmoid; needed by ``"bernoulli"``. Then a
        grid whose image leaves [0, 1] is refused. Without it the image may have any range, but
        should be of order 1: the untrained decoder is, and far larger values are not learned.
    coordinate_scale
        Factor on the decoder's initial coordinate layer, > 0. At 1, pyroVED's value, the decoder
        starts out smooth across a patch and takes thousands of steps to find a lattice; at the
        default it starts with detail as fine as a lattice, and tens of epochs do.
    seed
        Seed of the weights, 0 <= seed < 2**63. The global random state is left as it was.
    device
        ``"cpu"``, ``"cuda"`` or a `torch.device`; later, use ``.to(device)``.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=24)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, latent_dim=2, seed=0)
    >>> model.latent_maps(grid).shape == (2, *grid.shape)
    True
    """

    grid: Tensor
    t_prior: Tensor
    encoder_z: Any  # pyroVED's networks, or the user's
    decoder: Any
    coord: int
    z_dim: int
    decodes_pixels = True
    has_fast_path = True

    def __init__(
        self,
        patch_shape: Sequence[int],
        latent_dim: int = 2,
        *,
        dx_prior: float = 0.1,
        dy_prior: float | None = None,
        hidden_dim_e: Sequence[int] = (128, 128),
        hidden_dim_d: Sequence[int] = (128, 128),
        activation: Literal["tanh", "relu", "lrelu", "softplus", "gelu"] = "tanh",
        sampler_d: Literal["bernoulli", "gaussian"] = "bernoulli",
        decoder_sig: float = 0.5,
        sigmoid_d: bool = True,
        coordinate_scale: float = 10.0,
        seed: int = 0,
        device: torch.device | str = "cpu",
    ) -> None:
        if not isinstance(patch_shape, Sequence):
            raise TypeError(
                f"patch_shape={patch_shape!r} must be (height, width) or (length,), such as "
                "grid.patch_shape."
            )
        patch_shape = tuple(patch_shape)
        dy_prior = dx_prior if dy_prior is None else dy_prior
        _check_settings(patch_shape, latent_dim, activation, sampler_d, sigmoid_d)
        hidden_dim_e = _layers(hidden_dim_e, "hidden_dim_e")
        hidden_dim_d = _layers(hidden_dim_d, "hidden_dim_d")
        as_seed(seed)
        where = as_device(device)
        _check_positive(
            dx_prior=dx_prior,
            dy_prior=dy_prior,
            decoder_sig=decoder_sig,
            coordinate_scale=coordinate_scale,
        )
        with no_global_effects():
            super().__init__(
                patch_shape,
                latent_dim,
                ["t"],
                0,
                list(hidden_dim_e),
                list(hidden_dim_d),
                activation,
                sampler_d,
                sigmoid_d,
                seed,
                dx_prior=float(dx_prior),
                dy_prior=float(dy_prior),
                decoder_sig=decoder_sig,
                device="cpu",
            )
        with torch.no_grad():
            for parameter in self.decoder.coord_latent.fc_coord.parameters():
                parameter.mul_(coordinate_scale)
        # pyroVED keeps these as plain attributes, which stay behind on .to(device) and .double().
        for name in ("grid", "t_prior"):
            value = getattr(self, name)
            delattr(self, name)
            self.register_buffer(name, value, persistent=False)
        self.patch_shape, self.latent_dim = patch_shape, latent_dim
        self.sampler_name, self.decoder_sig, self.sigmoid_d = sampler_d, decoder_sig, sigmoid_d
        self._settings = {
            "patch_shape": patch_shape,
            "latent_dim": latent_dim,
            "dx_prior": dx_prior,
            "dy_prior": dy_prior,
            "hidden_dim_e": hidden_dim_e,
            "hidden_dim_d": hidden_dim_d,
            "activation": activation,
            "sampler_d": sampler_d,
            "decoder_sig": decoder_sig,
            "sigmoid_d": sigmoid_d,
            "coordinate_scale": coordinate_scale,
            "seed": seed,
        }
        self.to(where)

    @property
    def device(self) -> torch.device:
        """Where the model is; change it with ``.to(device)``."""
        return self.grid.device if "grid" in self._buffers else torch.device("cpu")

    @device.setter
    def device(self, device: torch.device | str) -> None:
        # pyroVED's constructor assigns it once; the buffers decide.
        pass

    @property
    def settings(self) -> dict[str, Any]:
        """The constructor's arguments, but for the device."""
        return dict(self._settings)

    @property
    def content(self) -> slice:
        """Columns of the posterior that hold content, not shifts."""
        return slice(self.coord, self.z_dim)

    @property
    def map_names(self) -> list[str]:  # type: ignore[override]
        """Titles of the latent maps, for figures."""
        return [f"$z_{{{k + 1}}}$" for k in range(self.latent_dim)]

    @property
    def columns(self) -> dict[str, slice]:
        """What the columns of the posterior are: shift first, then content."""
        return {"shift": slice(0, self.coord), "content": self.content}

    @property
    def like(self) -> Tensor:
        """A tensor with the device and type of the model's weights."""
        return self.grid

    def check(self, grid: PatchGrid) -> None:
        """Raise an error if the decoder cannot draw the intensities of the grid's image."""
        if grid.known is not None:
            raise ValueError(
                "the grid comes with known values, of which a ShiftVAE makes no use; take the "
                "grid without them, or phyvae.adapt of a pyroVED model that does."
            )
        low, high = float(grid.image.min()), float(grid.image.max())
        check_range(low, high, self.sampler_name, sigmoid=self.sigmoid_d)

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the encoder's Gaussians for patches of shape (n, *patch_shape).

        With `dtype`, as in training: pyroVED's encoder with tanh runs its hidden layers in it.
        """
        pixels = patches.pixels.contiguous()  # pyroVED's encoder takes no other strides
        if tuple(pixels.shape[1:]) != self.patch_shape:
            raise ValueError(
                f"patches have shape {tuple(pixels.shape[1:])}, but this model was made for "
                f"{self.patch_shape}; use one patch size for both."
            )
        encoder = self.encoder_z
        if dtype is None or not is_dense_tanh(getattr(encoder, "fc_layers", None)):
            return Posterior(*encoder(pixels))
        hidden = dense_tanh(encoder.fc_layers, pixels.flatten(1), dtype)
        return Posterior(encoder.fc11(hidden), encoder.activation_out(encoder.fc12(hidden)))

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
            uniformly drawn pixels leave the expectation unchanged. ``None`` decodes all.
        """
        data, scale = chosen(patches.flatten(1), pixels)
        return scale * self._pixel_loss(self._decoder_output(latents, pixels), data).sum(-1)

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
            with torch.autocast(self.device.type, torch.bfloat16, enabled=half):
                return self.reconstruction(patches, latents, pixels).mean()
        data, scale = chosen(patches.flatten(1), pixels)
        parts = self._first_layer(latents, pixels)
        dtype = decoding.dtype or data.dtype
        layers = (net.fc_layers, net.out)
        total = total_loss(self._pixel_loss, data, *parts, *layers, dtype)
        return scale / len(patches) * total

    def terms(
        self,
        patches: Patches,
        posterior: Posterior,
        beta: float,
        decoding: Decoding = Decoding(),
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return reconstruction and KL of a batch, nats per patch; see `PatchModel.terms`."""
        latents = posterior.draw(decoding.generator)
        reconstruction = self.mean_reconstruction(patches.pixels, latents, decoding)
        return reconstruction, posterior.kl().mean()

    def _pixel_loss(
        self, output: Float[Tensor, "*rows"], data: Float[Tensor, "*rows"]
    ) -> Float[Tensor, "*rows"]:
        """Return each pixel's negative log-likelihood from the decoder's output, nats."""
        output = output.to(data.dtype)
        if self.sampler_name == "bernoulli":
            return F.binary_cross_entropy_with_logits(output, data, reduction="none")
        mean = output.sigmoid() if self.sigmoid_d else output
        return 0.5 * ((data - mean) / self.decoder_sig) ** 2 + self._gaussian_constant

    def floor(self, patches: Patches, pixels: Tensor | None = None) -> Float[Tensor, " n"]:
        """Return the lowest negative log-likelihood that any decoder could reach, nats per patch.

        Bernoulli: the entropy of grey pixels. Gaussian: the constant of the normal distribution.
        """
        data, scale = chosen(patches.flat, pixels)
        return scale * lowest(self.sampler_name, data, self.decoder_sig).sum(-1)

    def neg_elbo(
        self,
        batch: Float[Tensor, "n *patch"],
        beta: float = 1.0,
        *,
        noise: Float[Tensor, "n z_dim"] | None = None,
        generator: torch.Generator | None = None,
    ) -> Float[Tensor, ""]:
        """Return the negative ELBO, reconstruction plus β times KL, in nats per patch.

        The KL divergence is the closed form; the reconstruction is a one-sample estimate. It
        equals Pyro's `TraceMeanField_ELBO` on the same model, data and noise, divided by n.

        Parameters
        ----------
        batch
            Patches, shape (n, *patch_shape).
        beta
            Weight of the KL divergence, >= 0.
        noise
            Standard normal sample behind z, shape (n, z_dim); drawn from `generator` by default.
        generator
            Source of the noise, on the model's device. Default: torch's global one.
        """
        batch = self._checked(batch)
        if len(batch) == 0:
            raise ValueError("batch is empty, so it has no mean; pass at least one patch.")
        low, high = (float(value) for value in batch.aminmax())
        check_range(low, high, self.sampler_name, what="batch")
        if not 0 <= as_number(beta, "beta") < math.inf:
            raise ValueError(f"beta={beta} must be finite and >= 0.")
        posterior = self.posterior(Patches(batch))
        if noise is None:
            latents = posterior.draw(generator)
        else:
            latents = posterior.mean + posterior.std * noise
        return self.reconstruction(batch, latents).mean() + beta * posterior.kl().mean()

    @property
    def _gaussian_constant(self) -> float:
        return math.log(self.decoder_sig) + 0.5 * math.log(2 * math.pi)

    def _decoder_output(
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

    @torch.no_grad()
    def encode(
        self, patches: Float[Tensor, "n *patch"], *, batch_size: int = 4096
    ) -> tuple[Float[Tensor, "n z_dim"], Float[Tensor, "n z_dim"]]:
        """Return means and standard deviations of the posterior, shifts first, on the CPU.

        As pyroVED's `encode`, but it runs on the model's device and draws nothing.
        """
        as_integer(batch_size, "batch_size", 1, " patch")
        parts = [
            self.posterior(Patches(part)) for part in self._checked(patches).split(batch_size)
        ]
        return torch.cat([p.mean.cpu() for p in parts]), torch.cat([p.std.cpu() for p in parts])

    def _checked(self, patches: object) -> Tensor:
        """Return patches as the networks take them, or refuse what has no patches."""
        if not isinstance(patches, Tensor):
            raise TypeError(
                f"patches={brief(patches)} must be a tensor, shape (n, *patch_shape): "
                "torch.as_tensor(patches); of a PatchGrid, grid.gather(grid.indices)."
            )
        if patches.is_complex():
            raise TypeError(f"patches have dtype {patches.dtype}, but must be real.")
        return patches.to(self.grid)

    @torch.no_grad()
    def decode(
        self,
        z: Float[Tensor, "n latent_dim"],
        *,
        shift: Float[Tensor, "n coord"] | None = None,
        batch_size: int = 256,
    ) -> Float[Tensor, "n *patch"]:
        """Return the patches of content latents, shape (n, *patch_shape), on the CPU.

        Parameters
        ----------
        z
            Content, shape (n, latent_dim).
        shift
            Shift latents, shape (n, 2), or (n, 1) for spectra, in units of the prior. Default: 0.
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
        shift = z.new_zeros(len(z), self.coord) if shift is None else shift
        if shift.shape != (len(z), self.coord):
            raise ValueError(
                f"shift has shape {tuple(shift.shape)}, but must be ({len(z)}, {self.coord})."
            )
        latents = torch.cat([shift, z], dim=1).to(self.grid)
        parts = [self.pixel_means(part).cpu() for part in latents.split(batch_size)]
        return torch.cat(parts).reshape(-1, *self.patch_shape)

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches | None = None
    ) -> Float[Tensor, "n pixels"]:
        """Return the mean of each pixel of patches that have these latents, shifts first."""
        output = self._decoder_output(latents)
        return output.sigmoid() if self.sigmoid_d else output

    def manifold2d(
        self, d: int = 9, *, limits: tuple[float, float, float, float] | None = None
    ) -> Float[Tensor, "n *patch"]:
        """Return the patches of a d x d raster of the first two content latents.

        As pyroVED's, but it only decodes; `phyvae.plot_manifold` draws.

        Parameters
        ----------
        d
            Raster points along each latent, >= 2.
        limits
            (z1 low, z1 high, z2 low, z2 high); default the 5 % and 95 % quantiles of the prior.

        Returns
        -------
        Tensor
            Shape (d * d, *patch_shape); z1 falls from row to row of the raster, z2 rises from
            column to column.
        """
        as_integer(d, "d", 2, " raster points")
        edge = 1.6448536
        limits = (-edge, edge, -edge, edge) if limits is None else limits
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
        return self.decode(z[..., : self.latent_dim].reshape(d * d, -1))

    @property
    def shift_scale(self) -> Float[Tensor, " axes"]:
        """Displacement in px, down and to the right positive, of one unit of each shift latent."""
        return px_per_shift(self.t_prior, self.patch_shape)

    def _posteriors(self, grid: PatchGrid, batch_size: int) -> Iterator[tuple[Tensor, Posterior]]:
        """Yield flat grid indices, and the posterior there, until all patches have come once."""
        if grid.is_raster and self._slides() and pays(grid):
            net, layers = self.encoder_z, self.encoder_z.fc_layers
            fast = is_dense_tanh(layers)
            for index, first in first_layer(layers[0], grid, batch_size):
                hidden = after_first(layers, first) if fast else layers[1:](first)
                yield index, Posterior(net.fc11(hidden), net.activation_out(net.fc12(hidden)))
        else:
            yield from super()._posteriors(grid, batch_size)

    def _slides(self) -> bool:
        """Return whether `posterior` is pyroVED's fully connected encoder, and nothing else."""
        net = self.encoder_z
        return (
            type(self).posterior is ShiftVAE.posterior
            and type(net) is fcEncoderNet
            and type(net.fc_layers[0]) is nn.Linear
            and net.fc_layers[0].weight.dtype in (torch.float32, torch.float64)
        )


def _check_settings(
    patch_shape: tuple[int, ...], latent_dim: int, activation: str, sampler_d: str, sigmoid_d: bool
) -> None:
    if isinstance(patch_shape, str) or not all(map(is_integer, patch_shape)):
        raise TypeError(
            f"patch_shape={patch_shape!r} must be whole numbers, (height, width) or (length,)."
        )
    if len(patch_shape) not in (1, 2) or any(n < 2 for n in patch_shape):
        raise ValueError(
            f"patch_shape={patch_shape} must be (height, width) or (length,), each at least 2."
        )
    as_integer(latent_dim, "latent_dim", 1)
    if not isinstance(sigmoid_d, bool):
        raise TypeError(f"sigmoid_d={brief(sigmoid_d)} must be True or False.")
    activations = ("tanh", "relu", "lrelu", "softplus", "gelu")
    if not isinstance(activation, str) or activation not in activations:
        raise ValueError(f"activation={activation!r} must be one of {activations}.")
    if not isinstance(sampler_d, str) or sampler_d not in ("bernoulli", "gaussian"):
        raise ValueError(f"sampler_d={sampler_d!r} must be 'bernoulli' or 'gaussian'.")
    if sampler_d == "bernoulli" and not sigmoid_d:
        raise ValueError(
            "sigmoid_d=False with sampler_d='bernoulli': probabilities need the sigmoid; use "
            "sampler_d='gaussian' for an unbounded output."
        )


def _check_positive(**settings: float) -> None:
    for name, value in settings.items():
        if not 0 < as_number(value, name) < math.inf:
            raise ValueError(f"{name}={value} must be > 0 and finite.")


def _layers(units: object, name: str) -> tuple[int, ...]:
    """Return the units of hidden layers, checked."""
    if not isinstance(units, Sequence) or isinstance(units, str) or not units:
        raise TypeError(f"{name}={brief(units)} must be a list of layers' units: (128, 128).")
    return tuple(as_integer(n, f"each of {name}", 1, " unit") for n in units)
