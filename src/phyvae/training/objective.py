"""The objective: the product (φ + β·KL)·(w + Ψ), and how its two factors are coupled."""

from collections.abc import Callable, Sequence
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import as_choice, as_nonnegative, as_number, brief, is_integer
from ..models import PatchModel
from ..models.posterior import Posterior
from ..patches.layout import Layout
from ..physics import PhysicsLoss
from .batches import Batch
from .parts import ObjectiveParts

__all__ = ["Coupling", "PhysicsObjective", "balanced", "force_of"]

Scalar = Float[Tensor, ""]
Force = Float[Tensor, "cells z_dim"]
Coupling = Literal["balanced", "product", "published"]
_TINY = 1e-12  # of w + Ψ: a flat map without slack


class PhysicsObjective(nn.Module):
    r"""The physics-driven objective, :math:`L = (\varphi + \beta\,\mathrm{KL})(w + \Psi)`.

    Parameters
    ----------
    physics
        A `PhysicsLoss`, or any callable ``maps -> scalar`` with maps of shape
        (channels, rows, cols). ``None`` is the plain shift-invariant VAE.
    w
        Slack, 0 <= w <= `w_max`: a map with :math:`\Psi = 0` still trains, and physics fades once
        Ψ falls below w. The larger w, the more edges the maps keep.
    channels
        Content latents that the physics acts on, counted from 0; ``None`` is all of them.
    coupling
        How the two factors train the encoder:

        ``"balanced"``
            Both terms of the product rule, the second rescaled in each step so that its RMS at
            the latent means is :math:`s\,\Psi / (w + \Psi)` times that of the first, with the
            `strength` s. Of several processes, each one balances on its own tile, and then the
            gradients are averaged.
        ``"product"``
            The exact gradient of the product, with −ELBO measured from its floor.
        ``"published"``
            The authors' code: :math:`\Psi` is a number without gradient, evaluated by
            `PhysicsLoss.published` on the shuffled batch as a square; raw −ELBO.
    strength
        For ``"balanced"``, >= 0: the force of physics on a site, in units of the typical force
        of the reconstruction, where :math:`\Psi \gg w`.
    w_max
        Largest `w` accepted. The paper stays within 0.5; raise it on purpose only.

    Raises
    ------
    ValueError
        If a setting is out of its range.

    References
    ----------
    Biswas, Ziatdinov & Kalinin (2023), eq. 2, https://arxiv.org/abs/2302.04216. The couplings
    ``"balanced"`` and the floor of −ELBO are ours.

    Examples
    --------
    >>> import phyvae
    >>> phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.1, channels=[1])
    PhysicsObjective(EdgeLoss(...), w=0.1, channels=(1,), coupling='balanced', strength=1)
    """

    def __init__(
        self,
        physics: PhysicsLoss | Callable[..., Tensor] | None = None,
        *,
        w: float = 0.1,
        channels: Sequence[int] | None = None,
        coupling: Coupling = "balanced",
        strength: float = 1.0,
        w_max: float = 0.5,
    ) -> None:
        super().__init__()
        if physics is not None and not callable(physics):
            raise TypeError(f"physics={physics!r} must be a PhysicsLoss, a callable or None.")
        if isinstance(physics, type):
            raise TypeError(f"physics={physics.__name__} is a class; pass {physics.__name__}().")
        as_nonnegative(w_max, "w_max")
        if not 0 <= as_number(w, "w") <= w_max:
            larger = "; a larger w weakens the physics. If you mean it, PhysicsObjective takes "
            larger += f"w_max={w:g}"
            raise ValueError(f"w={w} must lie in [0, {w_max:g}]{larger if w > w_max else ''}.")
        as_choice(coupling, "coupling", get_args(Coupling))
        as_nonnegative(strength, "strength")
        self.physics, self.w, self.coupling, self.strength = physics, w, coupling, strength
        self.w_max = w_max
        if isinstance(channels, int):
            raise TypeError(f"channels={channels} must be a list of latents: [{channels}].")
        listed = isinstance(channels, Sequence | range | None)
        if not listed or not all(map(is_integer, channels or ())):
            raise TypeError(f"channels={brief(channels)} must be a list of latents, such as [0].")
        self.channels = None if channels is None else tuple(channels)
        if self.channels is not None and (
            not self.channels
            or min(self.channels) < 0
            or len(set(self.channels)) < len(self.channels)
        ):
            raise ValueError(f"channels={channels} must be distinct and >= 0, at least one.")

    def __repr__(self) -> str:
        return (
            f"PhysicsObjective({self.physics!r}, w={self.w:g}, channels={self.channels}, "
            f"coupling={self.coupling!r}, strength={self.strength:g}"
            f"{f', w_max={self.w_max:g}' if self.w_max != 0.5 else ''})"
        )

    @property
    def needs_map(self) -> bool:
        """Whether training looks at the map of a whole tile, or at the decoded batch alone."""
        return self.physics is not None and self.coupling != "published"

    def check(self, model: PatchModel) -> None:
        """Raise an error if the physics is not meant for the model's maps, as far as is known."""
        if model.map_names is None or self.physics is None:
            return
        count = len(model.map_names)
        acted_on, first = self.acts_on(count), count
        if model.classes is not None:  # the last channels, see `PatchModel.classes`
            first = model.classes.start - (model.content.start or 0)
        if isinstance(self.physics, PhysicsLoss):
            self.physics.check_kinds([k >= first for k in acted_on])

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch that begins, from 0, for losses with a schedule; see `Scheduled`."""
        if isinstance(self.physics, PhysicsLoss):
            self.physics.set_epoch(epoch)

    def psi(self, content: Float[Tensor, "n channels"], layout: Layout) -> Scalar:
        """Return Ψ of content latents, one row per patch of the layout.

        It carries gradient, except with ``coupling="published"``, where it is the authors' number.
        """
        if not isinstance(layout, Layout) or content.ndim != 2 or len(content) != len(layout):
            raise ValueError(
                f"content={brief(content)} must have a row of latents for each patch of the "
                f"layout, {brief(layout)}: psi(layout.values(maps), layout), with "
                "layout = Layout.of(grid)."
            )
        if self.physics is None:
            return content.new_zeros(())
        content = content[:, list(self.acts_on(content.shape[1]))]
        if self.coupling == "published":
            published = getattr(self.physics, "published", self.physics)
            return content.new_tensor(float(published(layout.raster(content.detach()))))
        psi = layout.evaluate(self.physics, content)
        if not isinstance(psi, Tensor) or psi.ndim != 0:
            got, cure = type(psi).__name__, "compute it from the maps with torch alone."
            if isinstance(psi, Tensor):
                got, cure = f"shape {tuple(psi.shape)}", "end it with .mean()."
            raise ValueError(
                f"{self.physics!r} returned {got}, but a physics loss is a scalar tensor; {cure}"
            )
        return psi

    def combine(
        self, reconstruction: Scalar, kl: Scalar, floor: Scalar, psi: Scalar, beta: float
    ) -> ObjectiveParts:
        """Return the objective and its parts, eq. 2 with −ELBO measured from its floor."""
        neg_elbo = reconstruction + beta * kl
        if not self.needs_map:
            floor = torch.zeros_like(floor)
        factor = 1.0 if self.physics is None else self.w + psi
        return ObjectiveParts(
            loss=(neg_elbo - floor) * factor,
            neg_elbo=neg_elbo,
            reconstruction=reconstruction,
            kl=kl,
            floor=floor,
            psi=psi,
            beta=reconstruction.new_tensor(beta),
        )

    def backward(self, model: PatchModel, batch: Batch, beta: float = 1.0) -> ObjectiveParts:
        """Add the gradient of the objective to the model's parameters; return the parts.

        The tile is encoded whole, and Ψ is that of its map. Only the batch is decoded.

        Parameters
        ----------
        model
            The VAE.
        batch
            The patches to encode, and those of them to decode.
        beta
            Weight of the KL divergence, >= 0.
        """
        tile, decoded, decoding = batch.tile, batch.decoded, batch.decoding
        dtype, means = decoding.dtype or model.like.dtype, None
        sites = batch.sites if self.needs_map else decoded
        if self.needs_map and sites is not None:
            with torch.no_grad():
                means = model.posterior(tile, dtype).mean
        if sites is not None:
            tile, decoded = tile[sites], torch.arange(len(decoded), device=decoded.device)
        posterior = model.posterior(tile, dtype)
        # The backward pass is split at the posterior: the decoder's gradient and Ψ's meet here,
        # are weighed against each other, and go through the encoder once.
        leaf, patches = posterior.leaf(), tile[decoded]
        reconstruction, kl = model.terms(patches, leaf[decoded], beta, decoding)
        floor = model.floor(patches, decoding.pixels).mean()
        means = leaf.mean if means is None else means.requires_grad_()
        psi = self.psi(means[:, model.content], self._layout(batch))
        parts = self.combine(reconstruction, kl, floor, psi.detach(), beta)
        parts.loss.backward()
        gradient = self._gradient(leaf, means, psi, parts, decoded, sites)
        # The deviation of a class, or of a regression, is no output of the network.
        outputs = zip((posterior.mean, posterior.std), gradient, strict=True)
        trained = [(output, at) for output, at in outputs if output.requires_grad]
        torch.autograd.backward([output for output, _ in trained], [at for _, at in trained])
        return parts.detach()

    def _layout(self, batch: Batch) -> Layout:
        """Return the places of the patches whose map Ψ sees."""
        if self.needs_map:
            return batch.layout
        count = len(batch.decoded)
        return Layout((1, count)) if self.physics is None else Layout.square(count)

    def _gradient(
        self,
        leaf: Posterior,
        means: Force,
        psi: Scalar,
        parts: ObjectiveParts,
        decoded: Tensor,
        sites: Tensor | None,
    ) -> list[Tensor]:
        """Return the gradient at the encoder's means and deviations, once the decoder's is there.

        `leaf` has collected that of ``parts.loss``; Ψ's, by `means`, is weighed and added.
        """
        # Only the mean of a class probability has a gradient.
        at_mean, at_std = (
            torch.zeros_like(part) if part.grad is None else part.grad
            for part in (leaf.mean, leaf.std)
        )
        if self.needs_map:
            force = force_of(psi, means, self.physics)
            if self.coupling == "product":
                force = (parts.neg_elbo - parts.floor).detach() * force
            else:
                ratio = self.strength * parts.psi / (self.w + parts.psi).clamp(min=_TINY)
                force = balanced(force, at_mean[decoded], leaf.signal().detach(), ratio)
            share = len(leaf.mean) / len(means)
            at_mean = at_mean + (force if sites is None else force[sites] / share)
        return [at_mean, at_std]

    def acts_on(self, latent_dim: int) -> tuple[int, ...]:
        """Return the content latents that the physics acts on, of so many."""
        channels = tuple(range(latent_dim)) if self.channels is None else self.channels
        if max(channels) >= latent_dim:
            raise ValueError(
                f"channels={channels} but the model has {latent_dim} latent maps, "
                f"0 to {latent_dim - 1}."
            )
        return channels


def force_of(psi: Scalar, means: Force, physics: object) -> Force:
    """Return the gradient of Ψ at the latent means."""
    if not psi.requires_grad:
        raise ValueError(
            f"{physics!r} returned a value without gradient, so it cannot train the "
            'encoder; compute it from the maps with torch, or use coupling="published".'
        )
    return torch.autograd.grad(psi, means)[0]


def balanced(
    force: Force,
    gradient: Float[Tensor, "n z_dim"],
    signal: Float[Tensor, " z_dim"],
    ratio: Scalar,
) -> Force:
    """Return the force rescaled, so that its RMS at a site is `ratio` times the gradient's.

    −ELBO is a mean over n decoded patches and Ψ a number for N encoded ones, so the gradient
    of one site's own share is n, respectively N, times the one computed.

    The latents share the force in proportion to their signal, the variance of their means as a
    part of their whole variance. In standardised maps a latent that has hardly formed yet would
    feel the largest force of all, and never form.

    force: Gradient of Ψ at the means of all patches of the tile.
    gradient: Gradient of the product's other term at the means of the decoded patches.
    signal: Share of each latent's variance that lies between patches, 0 to 1.
    ratio: Ratio of the two, >= 0.
    """
    first, second = len(gradient) * _rms(gradient), len(force) * _rms(force)
    acted_on = second > 0
    share = torch.where(acted_on, signal * first, 0.0)
    wanted = torch.where(acted_on, first, 0.0).square().sum().sqrt()
    total = share.square().sum().sqrt()
    scale = ratio * wanted / torch.where(total > 0, total, 1.0)
    return scale * share / torch.where(acted_on, second, 1.0) * force


def _rms(values: Float[Tensor, "sites z_dim"]) -> Float[Tensor, " z_dim"]:
    return values.square().mean(0).sqrt()
