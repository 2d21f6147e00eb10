"""What the adapted pyroVED models have in common."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Bernoulli, ContinuousBernoulli, Normal

from .._checks import brief, is_integer
from ..patches.grid import PatchGrid
from ..patches.known import Patches
from .interface import PatchModel, at_rest, px_per_shift
from .likelihood import Sampler, check_range, chosen, lowest

__all__ = [
    "Adapted", "as_input", "check_classes", "check_complete", "check_given", "check_width",
    "unit_vectors",
]  # fmt: skip


Known = int | Sequence[float] | np.ndarray | Tensor
"""A class by its number, or values of properties."""


class Adapted(PatchModel):
    """A pyroVED model as phyvae trains it.

    Attributes
    ----------
    vae : torch.nn.Module
        The model itself.
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

    @property
    def device(self) -> torch.device:
        """Where the model is; change it with ``.to(device)``."""
        return self.like.device

    @property
    def columns(self) -> dict[str, slice]:
        """What the columns of the posterior's mean are, by name."""
        return self.latent_columns

    @property
    def latent_columns(self) -> dict[str, slice]:
        """What the columns of pyroVED's latents are, by name."""
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

    def check(self, grid: PatchGrid) -> None:
        """Raise an error if the decoder cannot draw the grid's image, or if values are missing."""
        self._check_image(float(grid.image.min()), float(grid.image.max()))
        self._check_known(grid.known)

    def _check_image(self, low: float, high: float) -> None:
        check_range(low, high, self.sampler_name)

    def _check_known(self, known: Tensor | None) -> None:
        if known is not None:
            raise ValueError(
                f"the grid comes with known values, of which {type(self.vae).__name__} makes no "
                "use; take the grid without them."
            )

    @property
    def settings(self) -> dict[str, Any]:
        """What is known of how the model was made; its weights tell the rest."""
        names = ("z_dim", "c_dim", "discrete_dim", "num_classes", "reg_dim", "invariances")
        own = {name: getattr(self.vae, name) for name in names if hasattr(self.vae, name)}
        likelihood = {"sampler_d": self.sampler_name, "decoder_sig": self.decoder_sig}
        return {"patch_shape": self.patch_shape, **own, **likelihood}

    def floor(self, patches: Patches, pixels: Tensor | None = None) -> Float[Tensor, " n"]:
        """Return the lowest reconstruction that any decoder could reach, nats per patch."""
        data, scale = chosen(self.targets(patches), pixels)
        return scale * lowest(self.sampler_name, data, self.decoder_sig).sum(-1)

    @property
    def shift_scale(self) -> Float[Tensor, " axes"]:
        """Displacement in px, down and to the right positive, of one unit of each shift latent."""
        if "shift" not in self.columns:
            return super().shift_scale
        return px_per_shift(self.vae.t_prior, self.patch_shape)

    def displacements(self, moves: Float[Tensor, "n moves"]) -> Float[Tensor, "n axes"]:
        """Return how far each patch's content lies from where it is drawn, px; see `shifts`."""
        # The decoder draws at s R p + t, so content lies at -R^T t / s: along the patch's axes.
        places, columns = super().displacements(moves), self.latent_columns
        if places.shape[1] and "scale" in columns:
            prior = self.vae.sc_prior.to(moves)
            places = places / (1 + prior * moves[:, columns["scale"]])
        if places.shape[1] == 2 and "angle" in columns:
            angle = moves[:, columns["angle"].start]
            cos, sin = angle.cos(), angle.sin()
            half = places.new_tensor([(n - 1) / 2 for n in self.patch_shape])
            y, x = (places / half).unbind(-1)
            places = torch.stack([y * cos - x * sin, y * sin + x * cos], dim=-1) * half
        return places

    def coordinates(self, latents: Float[Tensor, "n z_dim"]) -> Float[Tensor, "n pixels axes"]:
        """Return the coordinates at which each patch is drawn: turned, scaled, then shifted."""
        vae, columns = self.vae, self.latent_columns
        at: Tensor = vae.grid.expand(len(latents), *vae.grid.shape)
        if "angle" in columns:
            angle = latents[:, columns["angle"]]
            cos, sin = angle.cos(), angle.sin()
            y, x = at.unbind(-1)
            at = torch.stack([y * cos - x * sin, y * sin + x * cos], dim=-1)
        if "scale" in columns:
            at = at * (1 + vae.sc_prior * latents[:, columns["scale"], None])
        if "shift" in columns:
            at = at + (latents[:, columns["shift"]] * vae.t_prior)[:, None]
        return at

    @property
    def latent_dim(self) -> int:
        """Number of content latents that the decoder draws from."""
        return int(self.vae.z_dim) - int(self.latent_columns["content"].start)

    @property
    def map_names(self) -> Sequence[str]:  # type: ignore[override]
        """Titles of the latent maps."""
        return [f"$z_{{{k + 1}}}$" for k in range(self.latent_dim)]

    @property
    def beside(self) -> int:
        """Number of values that the decoder takes beside them: classes or properties."""
        return 0

    def drawn(
        self, latents: Float[Tensor, "n z_dim"], beside: Float[Tensor, "n values"] | None = None
    ) -> Float[Tensor, "n pixels"]:
        """Return the pixels that the decoder draws from all latents, shape (n, pixels)."""
        z, net = latents[:, self.latent_columns["content"]], self.vae.decoder
        z = z if beside is None else torch.cat([z, beside], dim=-1)
        moves = self.latent_columns["content"].start > 0
        output: Tensor = net(self.coordinates(latents), z) if moves else net(z)
        return output.reshape(len(latents), -1)

    @torch.no_grad()
    def decode(
        self, z: Float[Tensor, "n latents"], known: Known | None = None
    ) -> Float[Tensor, "n *drawn"]:
        """Return what the decoder draws from content latents: unturned, unscaled, unshifted.

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
        told = self._told(known)
        beside = None if told is None else told.expand(len(z), -1)
        with at_rest(self):
            drawn = self.drawn(torch.cat([pose, z.to(self.like)], dim=1), beside)
        return drawn.reshape(len(z), *(self.patch_shape if self.draws_patches else (-1,))).cpu()

    def _told(self, known: Known | None) -> Float[Tensor, " values"] | None:
        """Return what the decoder takes beside the latents."""
        count, who = self.beside, type(self.vae).__name__
        if known is None and count == 0:
            return None
        if count == 0:
            raise ValueError(f"known={brief(known)}, but this {who} draws from its latents alone.")
        if known is None:
            raise ValueError(
                f"known=None, but this {who} draws from {count} values beside its latents; pass "
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
        """Move what pyroVED keeps as plain attributes, too, and the device it believes in."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        for name in ("grid", "t_prior", "sc_prior"):
            if hasattr(self.vae, name):
                setattr(self.vae, name, fn(getattr(self.vae, name)))
        self.vae.device = self.like.device
        return self


def _patch_shape(vae: Any) -> Sequence[int] | None:
    """Return the shape of what the model draws, if it or its decoder keeps it."""
    drawn = getattr(vae, "data_dim", None) or getattr(vae.decoder, "reshape", None)
    return drawn if isinstance(drawn, Sequence) else None


def as_input(network: nn.Module, patches: Float[Tensor, "n *patch"]) -> Tensor:
    """Return the patches as a network takes them: one that convolves wants a channel axis."""
    convolves = any(isinstance(m, nn.Conv1d | nn.Conv2d) for m in network.modules())
    return patches[:, None] if convolves else patches


def unit_vectors(known: Float[Tensor, "n values"], count: int) -> Float[Tensor, "n count"]:
    """Return classes, a column of numbers, as unit vectors; `count` values are left alone."""
    if known.shape[1] == count:
        return known
    return F.one_hot(known[:, 0].long(), count).to(known)


def check_given(known: Tensor | None, who: str, what: str) -> Tensor:
    """Return what is known, or raise an error if nothing is."""
    if known is None:
        raise ValueError(f"{who} needs {what} of each patch: grid.with_known(values).")
    return known


def check_complete(known: Tensor, who: str) -> None:
    """Raise an error if a value is missing."""
    missing = int(known.isnan().any(1).sum())
    if missing:
        raise ValueError(
            f"{who} needs the values of each patch, but {missing} of {len(known)} are unknown."
        )


def check_width(known: Tensor, count: int, who: str) -> None:
    """Raise an error unless `count` values are known of each patch."""
    if known.shape[1] != count:
        raise ValueError(
            f"the grid has {known.shape[1]} known value(s) per patch, but {who} takes {count}."
        )


def check_classes(known: Tensor, count: int, who: str) -> None:
    """Raise an error unless the known values are classes from 0 to `count` - 1."""
    check_width(known, 1, who)
    values = known[~known.isnan()]
    if ((values != values.round()) | (values < 0) | (values >= count)).any():
        raise ValueError(
            f"the grid's known values lie in [{values.min():g}, {values.max():g}], but {who} "
            f"takes classes, whole numbers from 0 to {count - 1}."
        )


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
        f"the model draws pixels from a {type(distribution).__name__}, but must from a "
        "Bernoulli, ContinuousBernoulli or Normal distribution."
    )
