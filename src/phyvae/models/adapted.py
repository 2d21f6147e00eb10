"""The base class of adapted pyroVED models: pose, decoder and likelihood."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Bernoulli, ContinuousBernoulli, Normal

from .._checks import brief, is_integer
from ..compute.own_state import at_rest, own_state
from ..patches.grid import PatchGrid
from .backend import sampler
from .likelihood import Sampler, check_range
from .refinable import Refinable, px_per_shift

__all__ = ["Adapted", "as_input"]


Known = int | Sequence[float] | np.ndarray | Tensor
"""A class by its number, or values of properties."""


class Adapted(Refinable):
    """A pyroVED model as phyvae trains it.

    Attributes
    ----------
    vae : torch.nn.Module
        The pyroVED model itself.
    """

    def __init__(self, vae: Any, patch_shape: Sequence[int] | None) -> None:
        super().__init__()
        own = _patch_shape(vae) or patch_shape
        if own is None:
            raise ValueError(
                f"patch_shape is needed: this {type(vae).__name__} does not keep the shape of its "
                "input; adapt(model, patch_shape=grid.patch_shape)."
            )
        if patch_shape is not None and tuple(own) != tuple(patch_shape):
            raise ValueError(
                f"patch_shape={tuple(patch_shape)}, but the model was made for {tuple(own)}."
            )
        self.vae, self.patch_shape = vae, tuple(own)
        self.sampler_name, self.decoder_sig = _sampler(vae)
        vae.sampler_d = sampler(self.sampler_name, self.decoder_sig)

    @property
    def device(self) -> torch.device:
        """Where the model is; change it with ``.to(device)``."""
        return self.like.device

    @property
    def columns(self) -> dict[str, slice]:
        """Columns of the posterior's mean by name."""
        return self.latent_columns

    @property
    def latent_columns(self) -> dict[str, slice]:
        """Columns of pyroVED's latents by name: angle, shift and scale, then content."""
        named, first = {}, 0
        for letter, name in {"r": "angle", "t": "shift", "s": "scale"}.items():
            if letter in (self.vae.invariances or ()):
                width = self.vae.ndim if letter == "t" else 1
                named[name] = slice(first, first + width)
                first += width
        return {**named, "content": slice(first, None)}

    @property
    def content(self) -> slice:
        """Columns of the posterior's mean that make the latent maps."""
        return self.columns["content"]

    @property
    def latent_dim(self) -> int:
        """Number of content latents that the decoder takes."""
        return int(self.vae.z_dim) - int(self.latent_columns["content"].start)

    @property
    def condition_dim(self) -> int:
        """Number of values that the decoder takes besides latents: classes or properties."""
        return 0

    @property
    def map_names(self) -> Sequence[str]:  # type: ignore[override]
        """Titles of the latent maps."""
        return [f"$z_{{{k + 1}}}$" for k in range(self.latent_dim)]

    @property
    def settings(self) -> dict[str, Any]:
        """The settings that pyroVED's model keeps, for a file; its weights have the sizes."""
        names = ("z_dim", "c_dim", "discrete_dim", "num_classes", "reg_dim", "invariances")
        own = {name: getattr(self.vae, name) for name in names if hasattr(self.vae, name)}
        likelihood = {"sampler_d": self.sampler_name, "decoder_sig": self.decoder_sig}
        return {"patch_shape": self.patch_shape, **own, **likelihood}

    def check(self, grid: PatchGrid) -> None:
        """Raise an error if the grid's intensities or known values do not suit the model."""
        self.check_image(float(grid.image.min()), float(grid.image.max()))
        self.check_known(grid.known)

    def check_image(self, low: float, high: float) -> None:
        """Raise an error if the decoder cannot reach the image's intensities."""
        check_range(low, high, self.sampler_name)

    def check_known(self, known: Tensor | None) -> None:
        """Raise an error if the known values do not suit the model: here, if there are any."""
        if known is not None:
            raise ValueError(
                f"the grid comes with known values, of which {type(self.vae).__name__} makes no "
                "use; take the grid without them."
            )

    @property
    def shift_scale(self) -> Float[Tensor, " axes"]:
        """Displacement in px, down and to the right positive, of one unit of each shift latent."""
        if "shift" not in self.columns:
            return super().shift_scale
        return px_per_shift(self.vae.t_prior, self.patch_shape)

    def displacements(self, pose: Float[Tensor, "n pose"]) -> Float[Tensor, "n axes"]:
        """Return the displacement of each patch from its decoded content, px; see `shifts`."""
        # The decoder evaluates at s R p + t, so content is at -R^T t / s: in the patch's axes.
        places, columns = super().displacements(pose), self.latent_columns
        if places.shape[1] and "scale" in columns:
            prior = self.vae.sc_prior.to(pose)
            places = places / (1 + prior * pose[:, columns["scale"]])
        if places.shape[1] == 2 and "angle" in columns:
            half = places.new_tensor([(n - 1) / 2 for n in self.patch_shape])
            places = _rotated(places / half, pose[:, columns["angle"].start]) * half
        return places

    def coordinates(self, latents: Float[Tensor, "n z_dim"]) -> Float[Tensor, "n pixels axes"]:
        """Return the coordinates at which each pixel is decoded: rotated, scaled, then shifted."""
        vae, columns = self.vae, self.latent_columns
        at: Tensor = vae.grid.expand(len(latents), *vae.grid.shape)
        if "angle" in columns:
            at = _rotated(at, latents[:, columns["angle"]])
        if "scale" in columns:
            at = at * (1 + vae.sc_prior * latents[:, columns["scale"], None])
        if "shift" in columns:
            at = at + (latents[:, columns["shift"]] * vae.t_prior)[:, None]
        return at

    def decoder_input(
        self, latents: Float[Tensor, "n z_dim"], condition: Float[Tensor, "n values"] | None
    ) -> Float[Tensor, "n inputs"]:
        """Return content latents and condition, side by side."""
        z = latents[:, self.latent_columns["content"]]
        return z if condition is None else torch.cat([z, condition], dim=-1)

    def decoded(
        self, latents: Float[Tensor, "n z_dim"], condition: Float[Tensor, "n values"] | None = None
    ) -> Float[Tensor, "n pixels"]:
        """Return the decoded pixels of all latents, shape (n, pixels).

        Parameters
        ----------
        latents
            Pose and content, shape (n, z_dim).
        condition
            Class probabilities or properties, shape (n, condition_dim), if the decoder takes any.
        """
        z, net = self.decoder_input(latents, condition), self.vae.decoder
        has_pose = self.latent_columns["content"].start > 0
        output: Tensor = net(self.coordinates(latents), z) if has_pose else net(z)
        return output.reshape(len(latents), -1)

    @own_state(grad=False)
    def decode(
        self, z: Float[Tensor, "n latents"], known: Known | None = None
    ) -> Float[Tensor, "n *decoded"]:
        """Return the decoded patches of content latents, without rotation, scaling or shift.

        Parameters
        ----------
        z
            Content latents, shape (n, latents).
        known
            Of all patches: the number of their class, or their properties, one value each.
        """
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(f"z has shape {tuple(z.shape)}, but must be (n, {self.latent_dim}).")
        pose = self.like.new_zeros(len(z), self.latent_columns["content"].start)
        condition = self._condition(known)
        if condition is not None:
            condition = condition.expand(len(z), -1)
        with at_rest(self):
            found = self.decoded(torch.cat([pose, z.to(self.like)], dim=1), condition)
        return found.reshape(len(z), *(self.patch_shape if self.draws_patches else (-1,))).cpu()

    def _condition(self, known: Known | None) -> Float[Tensor, " values"] | None:
        """Return the decoder's condition, one for all patches, from a class or properties."""
        count, who = self.condition_dim, type(self.vae).__name__
        if known is None and count == 0:
            return None
        if count == 0:
            raise ValueError(f"known={brief(known)}, but this {who} decodes latents alone.")
        if known is None:
            raise ValueError(
                f"known=None, but this {who} decodes latents together with {count} values; pass "
                "a class, known=0, or the values."
            )
        if is_integer(known) and 0 <= known < count:
            return F.one_hot(torch.tensor(known), count).to(self.like)
        values = torch.as_tensor(known).to(self.like)
        if values.shape != (count,):
            raise ValueError(
                f"known={brief(known)} must be a class from 0 to {count - 1}, or {count} values."
            )
        return values

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "Adapted":
        """Move also the tensors that pyroVED keeps as plain attributes, and its device."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name in ("grid", "t_prior", "sc_prior"):
            if hasattr(self.vae, name):
                setattr(self.vae, name, fn(getattr(self.vae, name)))
        self.vae.device = self.like.device
        return self


def as_input(network: nn.Module, patches: Float[Tensor, "n *patch"]) -> Tensor:
    """Return the patches as a network takes them: one that convolves needs a channel axis."""
    convolves = any(isinstance(m, nn.Conv1d | nn.Conv2d) for m in network.modules())
    return patches[:, None] if convolves else patches


def _rotated(points: Float[Tensor, "*points 2"], angle: Tensor) -> Float[Tensor, "*points 2"]:
    """Return (y, x) rotated by an angle per leading axis."""
    cos, sin = angle.cos(), angle.sin()
    y, x = points.unbind(-1)
    return torch.stack([y * cos - x * sin, y * sin + x * cos], dim=-1)


def _patch_shape(vae: Any) -> Sequence[int] | None:
    """Return the shape of the decoded patches, if the model or its decoder keeps it."""
    shape = getattr(vae, "data_dim", None) or getattr(vae.decoder, "reshape", None)
    return shape if isinstance(shape, Sequence) else None


def _sampler(vae: Any) -> tuple[Sampler, float]:
    """Return pyroVED's name of the distribution of a pixel, and its deviation if it has one."""
    distribution = vae.sampler_d(torch.full((1,), 0.5))
    if isinstance(distribution, Bernoulli):
        return "bernoulli", 0.0
    if isinstance(distribution, ContinuousBernoulli):
        return "continuous_bernoulli", 0.0
    if isinstance(distribution, Normal):
        return "gaussian", float(distribution.scale)
    raise TypeError(
        f"the model's pixels have a {type(distribution).__name__} distribution, but must have a "
        "Bernoulli, ContinuousBernoulli or Normal distribution."
    )
