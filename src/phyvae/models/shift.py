"""The shift-invariant VAE: pyroVED's `iVAE`, without its global state and with a closed form."""

from collections.abc import Sequence
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import (
    as_choice,
    as_device,
    as_flag,
    as_integer,
    as_nonnegative,
    as_positive,
    as_seed,
    brief,
    is_integer,
)
from ..patches.grid import PatchGrid
from ..patches.known import Patches
from .backend import iVAE, no_global_effects, sampler
from .likelihood import check_range
from .options import Decoding
from .patch_encoder import PatchEncoder, as_patches
from .posterior import Posterior
from .spatial_decoder import SpatialDecoder

__all__ = ["ShiftVAE", "as_layers", "as_patch_shape", "as_shift_priors"]

Activation = Literal["tanh", "relu", "lrelu", "softplus", "gelu"]


class ShiftVAE(PatchEncoder, SpatialDecoder, iVAE):  # type: ignore[misc]  # pyroVED is untyped
    r"""Shift-invariant variational autoencoder, a `pyroved.models.iVAE` with translation only.

    A patch is encoded into a shift and a few content latents; the decoder evaluates the content
    at shifted coordinates. So the content does not depend on where in the patch the atoms sit.
    Networks, parameter names and weights are pyroVED's: ``load_state_dict`` takes the weights of a
    pyroVED model of the same sizes, and the other way round.

    Parameters
    ----------
    patch_shape
        (height, width) of a patch, px, or (length,) of a spectrum.
    latent_dim
        Number of content latents, >= 1.
    dx_prior, dy_prior
        Prior standard deviation of the shift along the first and the second patch axis, down and
        to the right, in half patch sizes (the patch spans -1 to 1): both as ``dx_prior=(0.3,
        0.2)``, or one number for both. For patches at any lattice phase, a third of a lattice
        constant is right: 0.3 for patches of two lattice constants; the default, 0.1, is
        pyroVED's and suits patches on lattice sites. The names are pyroVED's: dx is *down*.
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
        ``"cpu"``, ``"cuda"`` or a `torch.device`; ``None`` is CUDA if torch finds any, else the
        CPU, as in pyroVED. Later, use ``.to(device)``.
    invariances
        ``["t"]``, under pyroVED's name; for others see `adapt`.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=24)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, latent_dim=2, seed=0)
    >>> model.latent_maps(grid).shape == (2, *grid.shape)
    True
    """

    def __init__(
        self,
        patch_shape: Sequence[int],
        latent_dim: int = 2,
        *,
        dx_prior: float | tuple[float, float] = 0.1,
        dy_prior: float | None = None,
        hidden_dim_e: Sequence[int] = (128, 128),
        hidden_dim_d: Sequence[int] = (128, 128),
        activation: Activation = "tanh",
        sampler_d: Literal["bernoulli", "gaussian"] = "bernoulli",
        decoder_sig: float = 0.5,
        sigmoid_d: bool = True,
        coordinate_scale: float = 10.0,
        seed: int = 0,
        device: torch.device | str | None = None,
        invariances: Sequence[str] = ("t",),
    ) -> None:
        if not isinstance(invariances, list | tuple) or tuple(invariances) != ("t",):
            raise ValueError(
                f'invariances={brief(invariances)} must be ["t"], shifts; with others, or none, '
                "phyvae.adapt(pyroved.models.iVAE(patch_shape, invariances=...)) trains as well."
            )
        where = as_device(device)
        down, right = as_shift_priors(dx_prior, dy_prior)
        settings: dict[str, Any] = {  # in the order of a model file
            "patch_shape": as_patch_shape(patch_shape),
            "latent_dim": as_integer(latent_dim, "latent_dim", 1),
            "dx_prior": down,
            "dy_prior": right,
            "hidden_dim_e": as_layers(hidden_dim_e, "hidden_dim_e"),
            "hidden_dim_d": as_layers(hidden_dim_d, "hidden_dim_d"),
            "activation": as_choice(activation, "activation", get_args(Activation)),
            "sampler_d": as_choice(sampler_d, "sampler_d", ("bernoulli", "gaussian")),
            "decoder_sig": as_positive(decoder_sig, "decoder_sig"),
            "sigmoid_d": as_flag(sigmoid_d, "sigmoid_d"),
            "coordinate_scale": as_positive(coordinate_scale, "coordinate_scale"),
            "seed": as_seed(seed),
        }
        if settings["sampler_d"] == "bernoulli" and not settings["sigmoid_d"]:
            raise ValueError(
                "sigmoid_d=False with sampler_d='bernoulli': probabilities need the sigmoid; use "
                "sampler_d='gaussian' for an unbounded output."
            )
        shape, coordinate_scale = settings["patch_shape"], settings["coordinate_scale"]
        own = {k: list(v) if isinstance(v, tuple) else v for k, v in settings.items()}
        del own["coordinate_scale"], own["patch_shape"]
        with no_global_effects():
            super().__init__(shape, invariances=["t"], device="cpu", **own)
        with torch.no_grad():
            for parameter in self.decoder.coord_latent.fc_coord.parameters():
                parameter.mul_(coordinate_scale)
        # pyroVED keeps these as plain attributes, which stay behind on .to(device) and .double().
        for name in ("grid", "t_prior"):
            value = getattr(self, name)
            delattr(self, name)
            self.register_buffer(name, value, persistent=False)
        self.patch_shape, self.latent_dim = shape, settings["latent_dim"]
        self.sampler_name, self.decoder_sig = settings["sampler_d"], settings["decoder_sig"]
        self.sampler_d = sampler(self.sampler_name, self.decoder_sig)
        self.sigmoid_d, self._settings = settings["sigmoid_d"], settings
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
    def map_names(self) -> list[str]:  # type: ignore[override]
        """Titles of the latent maps, for figures."""
        return [f"$z_{{{k + 1}}}$" for k in range(self.latent_dim)]

    @property
    def like(self) -> Tensor:
        """A tensor with the device and type of the model's weights."""
        return self.grid

    def check(self, grid: PatchGrid) -> None:
        """Raise an error if the decoder cannot reach the intensities of the grid's image."""
        if grid.known is not None:
            raise ValueError(
                "the grid comes with known values, of which a ShiftVAE makes no use; take the "
                "grid without them, or phyvae.adapt of a pyroVED model that does."
            )
        low, high = float(grid.image.min()), float(grid.image.max())
        check_range(low, high, self.sampler_name, sigmoid=self.sigmoid_d)

    def terms(
        self, patches: Patches, posterior: Posterior, beta: float, decoding: Decoding = Decoding()
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return reconstruction and KL of a batch, nats per patch; see `PatchModel.terms`."""
        latents = posterior.sample(decoding.generator)
        reconstruction = self.mean_reconstruction(patches.pixels, latents, decoding)
        return reconstruction, posterior.kl().mean()

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
            Standard normal sample behind z, shape (n, z_dim); sampled by default.
        generator
            Source of the noise, on the model's device. Default: torch's global one.
        """
        batch = as_patches(batch, self)
        if len(batch) == 0:
            raise ValueError("batch is empty, so it has no mean; pass at least one patch.")
        low, high = (float(value) for value in batch.aminmax())
        check_range(low, high, self.sampler_name, what="batch")
        beta = as_nonnegative(beta, "beta")
        posterior = self.posterior(Patches(batch))
        if noise is None:
            latents = posterior.sample(generator)
        else:
            latents = posterior.mean + posterior.std * noise
        return self.reconstruction(batch, latents).mean() + beta * posterior.kl().mean()


def as_patch_shape(shape: object) -> tuple[int, ...]:
    """Return the shape of a patch, checked."""
    is_list = isinstance(shape, Sequence) and not isinstance(shape, str)
    if not is_list or not all(map(is_integer, shape)):  # type: ignore[call-overload]
        raise TypeError(
            f"patch_shape={brief(shape)} must be whole numbers, (height, width) or (length,), "
            "such as grid.patch_shape."
        )
    numbers = tuple(int(n) for n in shape)  # type: ignore[attr-defined]
    if len(numbers) not in (1, 2) or min(numbers) < 2:
        raise ValueError(
            f"patch_shape={numbers} must be (height, width) or (length,), each at least 2."
        )
    return numbers


def as_shift_priors(dx_prior: object, dy_prior: object) -> tuple[float, float]:
    """Return the prior standard deviation of the shift down and to the right."""
    if not isinstance(dx_prior, tuple | list):
        dx_prior = (dx_prior, dx_prior if dy_prior is None else dy_prior)
    elif dy_prior is not None or len(dx_prior) != 2:
        raise ValueError(
            f"dx_prior={brief(dx_prior)} with dy_prior={brief(dy_prior)}: give dx_prior as a "
            "pair, down and to the right, or as one number with or without dy_prior."
        )
    return as_positive(dx_prior[0], "dx_prior"), as_positive(dx_prior[1], "dy_prior")


def as_layers(units: object, name: str) -> tuple[int, ...]:
    """Return the units of hidden layers, checked."""
    if not isinstance(units, Sequence) or isinstance(units, str) or not units:
        raise TypeError(f"{name}={brief(units)} must be a list of layers' units: (128, 128).")
    return tuple(as_integer(n, f"each of {name}", 1, " unit") for n in units)
