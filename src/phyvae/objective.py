"""The objective: the product (φ + β·KL)·(w + Ψ), and how its two factors are coupled."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from ._given import as_number, brief, is_integer
from .graph import SiteGraph
from .known import Data
from .layout import Layout
from .physics import PhysicsLoss
from .physics.base import check_maps
from .posterior import Posterior

if TYPE_CHECKING:
    from .models import PatchModel

__all__ = ["Coupling", "ObjectiveParts", "PhysicsObjective"]

Coupling = Literal["balanced", "product", "published"]


@dataclass(frozen=True)
class ObjectiveParts:
    """The objective and what it is made of; scalars, per patch, in nats where not said otherwise.

    Attributes
    ----------
    loss
        (neg_elbo - floor) * (w + psi); neg_elbo alone without physics.
    neg_elbo
        reconstruction + beta * kl.
    reconstruction
        φ, the negative log-likelihood.
    kl
        KL divergence of the posterior from the prior.
    floor
        The part of the reconstruction that no decoder could avoid; 0 where the coupling takes
        the raw −ELBO.
    psi
        Ψ, dimensionless.
    beta
        Weight of the KL divergence, dimensionless.
    """

    loss: Float[Tensor, ""]
    neg_elbo: Float[Tensor, ""]
    reconstruction: Float[Tensor, ""]
    kl: Float[Tensor, ""]
    floor: Float[Tensor, ""]
    psi: Float[Tensor, ""]
    beta: Float[Tensor, ""]

    def detach(self) -> "ObjectiveParts":
        """Return the same numbers without gradient."""
        return ObjectiveParts(*(getattr(self, f.name).detach() for f in fields(self)))

    def stack(self) -> Float[Tensor, " parts"]:
        """Return the parts as one tensor, in the order of the fields."""
        return torch.stack([getattr(self, f.name) for f in fields(self)])


class PhysicsObjective(nn.Module):
    r"""The physics-driven objective, :math:`L = (\varphi + \beta\,\mathrm{KL})(w + \Psi)`.

    Parameters
    ----------
    physics
        A `PhysicsLoss`, or any callable ``maps -> scalar`` with maps of shape
        (channels, rows, cols). ``None`` is the plain shift-invariant VAE.
    w
        Slack, so that a map with :math:`\Psi = 0` still trains: 0 <= w <= `w_max`. It weighs Ψ in
        ``"product"``. In ``"balanced"`` both terms scale with w + Ψ and `strength` does the
        weighing; Adam, which ignores a common factor, hardly notices w.
    channels
        Content latents that the physics acts on, counted from 0; ``None`` is all of them.
    coupling
        How the two factors train the encoder:

        ``"balanced"``
            Both terms of the product rule, the second rescaled in each step so that its RMS at
            the latent means is `strength` times that of the first. Of several processes, each
            one balances on its own tile, and then the gradients are averaged.
        ``"product"``
            The exact gradient of the product, with −ELBO measured from its floor.
        ``"published"``
            The authors' code: :math:`\Psi` is a number without gradient, evaluated by
            `PhysicsLoss.published` on the shuffled batch as a square; raw −ELBO.
    strength
        Ratio for ``"balanced"``, >= 0. Each site then feels a physical force of this many times
        the typical force of the reconstruction.
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
    PhysicsObjective(EdgeLoss(...), w=0.1, channels=(1,), coupling='balanced', strength=0.3)
    """

    def __init__(
        self,
        physics: PhysicsLoss | Callable[..., Tensor] | None = None,
        *,
        w: float = 0.1,
        channels: Sequence[int] | None = None,
        coupling: Coupling = "balanced",
        strength: float = 0.3,
        w_max: float = 0.5,
    ) -> None:
        super().__init__()
        if physics is not None and not callable(physics):
            raise TypeError(f"physics={physics!r} must be a PhysicsLoss, a callable or None.")
        if isinstance(physics, type):
            raise TypeError(f"physics={physics.__name__} is a class; pass {physics.__name__}().")
        if not 0 <= as_number(w_max, "w_max") < math.inf:
            raise ValueError(f"w_max={w_max} must be >= 0 and finite.")
        if not 0 <= as_number(w, "w") <= w_max:
            larger = (
                f"; the paper stays within 0.5, a larger w weakens the physics. If you mean it, "
                f"pass w_max={w:g}"
            )
            raise ValueError(f"w={w} must lie in [0, {w_max:g}]{larger if w > w_max else ''}.")
        if not isinstance(coupling, str) or coupling not in get_args(Coupling):
            raise ValueError(f"coupling={brief(coupling)} must be one of {get_args(Coupling)}.")
        if not 0 <= as_number(strength, "strength") < math.inf:
            raise ValueError(f"strength={strength} must be >= 0 and finite.")
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
            f"coupling={self.coupling!r}, strength={self.strength:g})"
        )

    @property
    def needs_map(self) -> bool:
        """Whether training looks at the map of a whole tile, or at the decoded batch alone."""
        return self.physics is not None and self.coupling != "published"

    def check(self, model: "PatchModel") -> None:
        """Raise an error if the physics is not meant for the model's maps, as far as is known."""
        if model.map_names is None or self.physics is None:
            return
        count = len(model.map_names)
        acted_on, first = self._acted_on(count), count
        if model.classes is not None:  # the last channels, see `PatchModel.classes`
            first = model.classes.start - (model.content.start or 0)
        if isinstance(self.physics, PhysicsLoss):
            self.physics.check_kinds([k >= first for k in acted_on])

    def set_epoch(self, epoch: int) -> None:
        """Tell the physics which epoch begins, counted from 0; see `Scheduled`."""
        if isinstance(self.physics, PhysicsLoss):
            self.physics.set_epoch(epoch)

    def psi(
        self,
        maps: Float[Tensor, "channels rows cols"],
        mask: Tensor | None = None,
        graph: SiteGraph | None = None,
    ) -> Float[Tensor, ""]:
        """Return Ψ of the content maps of a tile, shape (channels, rows, cols).

        It carries gradient, except with ``coupling="published"``, where it is the authors' number.
        """
        check_maps(maps, mask)
        if self.physics is None:
            return maps.new_zeros(())
        if self.coupling == "published" and graph is not None:
            raise ValueError(
                'coupling="published" lays its batches out as squares, but these sites have no '
                'lattice; use coupling="balanced".'
            )
        maps = maps[list(self._acted_on(len(maps)))]
        if self.coupling == "published":
            published = getattr(self.physics, "published", self.physics)
            return maps.new_tensor(float(published(maps.detach())))
        if graph is not None:
            psi = self._on_graph(maps[:, 0], graph)
        else:
            psi = self.physics(maps) if mask is None else self.physics(maps, mask)
        if not isinstance(psi, Tensor) or psi.ndim != 0:
            got, cure = type(psi).__name__, "compute it from the maps with torch alone."
            if isinstance(psi, Tensor):
                got, cure = f"shape {tuple(psi.shape)}", "end it with .mean()."
            raise ValueError(
                f"{self.physics!r} returned {got}, but a physics loss is a scalar tensor; {cure}"
            )
        return psi

    def combine(
        self,
        reconstruction: Float[Tensor, ""],
        kl: Float[Tensor, ""],
        floor: Float[Tensor, ""],
        psi: Float[Tensor, ""],
        beta: float,
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

    def backward(
        self,
        model: "PatchModel",
        tile: Data,
        layout: Layout | tuple[int, int],
        batch: Int[Tensor, " n"],
        *,
        sites: Int[Tensor, " sites"] | None = None,
        beta: float = 1.0,
        generator: torch.Generator | None = None,
        pixels: Int[Tensor, " pixels"] | None = None,
        dtype: torch.dtype | None = None,
        compiled: bool = False,
    ) -> ObjectiveParts:
        """Add the gradient of the objective to the model's parameters; return the parts.

        The tile is encoded whole, and Ψ is that of its map. Only the batch is decoded.

        Parameters
        ----------
        model
            The VAE.
        tile
            Neighbouring patches, row by row, shape (n, *patch_shape).
        layout
            (rows, cols) of the tile, which they fill, or where in it they lie.
        batch
            Positions within `tile` of the patches to decode, shape (n,).
        sites
            Positions within `tile` through which Ψ trains the encoder: the batch, then others
            drawn uniformly. Ψ is that of all positions in any case, and its force on fewer is
            scaled up, so the expected gradient is the same. ``None`` is all positions.
        beta
            Weight of the KL divergence, >= 0.
        generator
            Source of the latent noise, on the model's device.
        pixels
            Flat indices of the pixels to decode; ``None`` decodes all.
        dtype
            Of the networks' hidden layers; ``None`` is that of the tile.
        compiled
            Whether torch.compile translates the decoder's hidden layers.
        """
        layout = layout if isinstance(layout, Layout) else Layout(layout)
        dtype, means = model.like.dtype if dtype is None else dtype, None
        if not self.needs_map:
            sites = batch
        elif sites is not None:
            with torch.no_grad():
                means = model.posterior(tile, dtype).mean
        if sites is not None:
            tile, batch = tile[sites], torch.arange(len(batch), device=batch.device)
        posterior = model.posterior(tile, dtype)
        # The backward pass is split at the posterior: the decoder's gradient and Ψ's meet here,
        # are weighed against each other, and go through the encoder once.
        leaf, patches = posterior.leaf(), tile[batch]
        reconstruction, kl = model.terms(
            patches,
            leaf[batch],
            beta,
            generator=generator,
            pixels=pixels,
            dtype=dtype,
            compiled=compiled,
        )
        floor = model.floor(patches, pixels).mean()
        means = leaf.mean if means is None else means.requires_grad_()
        psi = self.tile_psi(means[:, model.content], layout)
        parts = self.combine(reconstruction, kl, floor, psi.detach(), beta)
        parts.loss.backward()
        gradient = self.gradient(leaf, means, psi, parts, batch, sites)
        # The deviation of a class, or of a regression, is no output of the network.
        outputs = zip((posterior.mean, posterior.std), gradient, strict=True)
        trained = [(output, at) for output, at in outputs if output.requires_grad]
        torch.autograd.backward([output for output, _ in trained], [at for _, at in trained])
        return parts.detach()

    def gradient(
        self,
        leaf: Posterior,
        means: Float[Tensor, "cells z_dim"],
        psi: Float[Tensor, ""],
        parts: ObjectiveParts,
        batch: Int[Tensor, " n"],
        sites: Int[Tensor, " sites"] | None,
    ) -> list[Tensor]:
        """Return the gradient at the encoder's means and deviations, once the decoder's is there.

        `leaf` has collected that of ``parts.loss``; Ψ's, by `means`, is weighed and added.
        """
        # A latent may be seen by its mean alone, as the probability of a class is.
        gradient, at_std = (
            torch.zeros_like(part) if part.grad is None else part.grad
            for part in (leaf.mean, leaf.std)
        )
        if self.needs_map:
            force = self._force(psi, means)
            if self.coupling == "product":
                force = (parts.neg_elbo - parts.floor).detach() * force
            else:
                force = self._balance(gradient, force, leaf, batch) * force
            share = len(leaf.mean) / len(means)
            gradient = gradient + (force if sites is None else force[sites] / share)
        return [gradient, at_std]

    def tile_psi(self, content: Float[Tensor, "n channels"], layout: Layout) -> Float[Tensor, ""]:
        """Return Ψ of the tile's map; for ``"published"``, of the batch laid out as a square."""
        if self.physics is None:
            return content.new_zeros(())
        if self.coupling == "published":
            side = math.isqrt(len(content))
            if side**2 != len(content):
                raise ValueError(
                    f'coupling="published" lays a batch out as a square, but {len(content)} '
                    "patches were drawn; choose batch_size as a square number not above the "
                    "grid's size, such as 100."
                )
            layout = Layout((side, side))
        return self.psi(layout.maps(content), layout.mask, layout.graph)

    def _on_graph(self, values: Float[Tensor, "channels n"], graph: SiteGraph) -> Tensor:
        """Return Ψ of values at sites that have no raster."""
        if not isinstance(self.physics, PhysicsLoss):
            raise ValueError(
                f"{self.physics!r} is a function of a raster, but these sites have none; subclass "
                "PhysicsLoss and give it a method on_graph(values, graph)."
            )
        return self.physics.on_graph(values, graph)

    def _force(self, psi: Tensor, mean: Tensor) -> Tensor:
        """Return the gradient of Ψ at the latent means."""
        if not psi.requires_grad:
            raise ValueError(
                f"{self.physics!r} returned a value without gradient, so it cannot train the "
                'encoder; compute it from the maps with torch, or use coupling="published".'
            )
        return torch.autograd.grad(psi, mean)[0]

    def _balance(
        self, gradient: Tensor, force: Tensor, posterior: Posterior, batch: Tensor
    ) -> Float[Tensor, " z_dim"]:
        """Return the factor of the force on each latent that brings it to its stated ratio.

        −ELBO is a mean over n decoded patches and Ψ a number for N encoded ones, so the gradient
        of one site's own share is n, respectively N, times the one computed.

        The latents share the force by how much they say, the variance of their means as a part of
        their whole variance. In standardised maps a latent that has hardly formed yet would feel
        the largest force of all, and never form.
        """
        first = len(batch) * _rms(gradient[batch])
        second = len(force) * _rms(force)
        acted_on = second > 0
        share = torch.where(acted_on, posterior.signal().detach() * first, 0.0)
        wanted = torch.where(acted_on, first, 0.0).square().sum().sqrt()
        total = share.square().sum().sqrt()
        scale = self.strength * wanted / torch.where(total > 0, total, 1.0)
        return scale * share / torch.where(acted_on, second, 1.0)

    def _acted_on(self, latent_dim: int) -> tuple[int, ...]:
        channels = tuple(range(latent_dim)) if self.channels is None else self.channels
        if max(channels) >= latent_dim:
            raise ValueError(
                f"channels={channels} but the model has {latent_dim} latent maps, "
                f"0 to {latent_dim - 1}."
            )
        return channels


def _rms(values: Float[Tensor, "sites z_dim"]) -> Float[Tensor, " z_dim"]:
    return values.square().mean(0).sqrt()
