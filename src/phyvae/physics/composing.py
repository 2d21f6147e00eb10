"""Losses made of another one: its reciprocal, on some channels, with a weight by epoch."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .._checks import as_nonnegative, as_number, brief, check_takes, is_integer
from ..patches.graph import SiteGraph
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .masking import Cells, Maps, Scalar, Values

__all__ = ["Maximize", "OnChannels", "Scheduled"]


class Maximize(PhysicsLoss):
    r"""The reciprocal of a loss, :math:`1 / (1 + \Psi) \in (0, 1]`: a reward, not a penalty.

    With `EdgeLoss` the latent maps show more edges, the opposite of a physical prior; the paper
    uses it as a control (fig. A4). The reciprocal keeps the loss positive, as eq. 2 needs.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> phyvae.Maximize(phyvae.EdgeLoss())(torch.ones(1, 8, 8))
    tensor(1.)
    """

    def __init__(self, loss: PhysicsLoss) -> None:
        super().__init__()
        _check_loss(loss)
        self.loss = loss

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the reciprocal of one plus the loss."""
        return 1 / (1 + self.loss.unchecked(maps, mask, pixel))

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the reciprocal of one plus the loss on a graph."""
        return 1 / (1 + self.loss.on_graph(values, graph))

    def published(self, maps: Maps) -> float:
        """Return the reciprocal of one plus the published number."""
        return 1 / (1 + self.loss.published(maps))

    def __repr__(self) -> str:
        return f"Maximize({self.loss!r})"


class OnChannels(PhysicsLoss):
    """A loss of some of the latent maps; the others do not matter to it.

    It lets every latent have a physics of its own:
    ``OnChannels(EdgeLoss(), [0]) + OnChannels(DirichletEnergy(), [1])``. The `channels` of
    `PhysicsObjective` are chosen first, and those here are counted among them.

    Parameters
    ----------
    loss
        The loss.
    channels
        Content latents, counted from 0, in the order in which the loss shall see them.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> maps = torch.rand(3, 8, 8)
    >>> loss = phyvae.OnChannels(phyvae.BoundCharge(), [2, 0])
    >>> bool(loss(maps) == phyvae.BoundCharge()(maps[[2, 0]]))
    True
    """

    def __init__(self, loss: PhysicsLoss, channels: Sequence[int]) -> None:
        super().__init__()
        _check_loss(loss)
        if not isinstance(channels, Sequence) or isinstance(channels, str):
            raise TypeError(f"channels={channels!r} must be a list of latents, such as [0].")
        fits = channels and all(is_integer(k) and k >= 0 for k in channels)
        if not fits or len(set(channels)) < len(channels):
            raise ValueError(f"channels={channels} must be distinct and >= 0, at least one.")
        self.loss, self.channels = loss, tuple(channels)

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the loss of the chosen maps."""
        return self.loss.unchecked(self._chosen(maps), mask, pixel)

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the loss of the chosen values at sites without a lattice."""
        return self.loss.on_graph(self._chosen(values), graph)

    def published(self, maps: Maps) -> float:
        """Return the published number of the chosen maps."""
        return self.loss.published(self._chosen(maps))

    def check_kinds(self, classes: Sequence[bool]) -> None:
        """Raise an error if the loss is not meant for the chosen channels."""
        self._check_count(len(classes))
        self.loss.check_kinds([classes[k] for k in self.channels])

    def _check_count(self, count: int) -> None:
        if max(self.channels) >= count:
            raise ValueError(
                f"channels={self.channels} but the maps have {count}, 0 to {count - 1}."
            )

    def _chosen(self, maps: Tensor) -> Tensor:
        self._check_count(len(maps))
        return torch.stack([maps[k] for k in self.channels])

    def __repr__(self) -> str:
        return f"OnChannels({self.loss!r}, {list(self.channels)})"


class Scheduled(PhysicsLoss):
    """A loss with a weight that depends on the epoch: ``schedule(epoch)``.

    The trainer calls `set_epoch` at the beginning of each epoch; before the first one, the weight
    is that of epoch 0. With the coupling ``"balanced"`` it is the relation between the terms of a
    sum that counts: a common factor of all terms cancels in the balance.

    Parameters
    ----------
    loss
        The loss.
    schedule
        ``epoch -> weight``, epochs counted from 0, or a number; every weight >= 0. `LinearBeta` is
        one. A checkpoint holds a `LinearBeta` or a number, but not the code of a function.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> maps = torch.rand(1, 8, 8)
    >>> loss = phyvae.EdgeLoss() + phyvae.Scheduled(
    ...     phyvae.Curvature(), phyvae.LinearBeta(0.0, 1.0, epochs=10)
    ... )
    >>> bool(loss(maps) == phyvae.EdgeLoss()(maps))
    True
    >>> loss.set_epoch(9)
    >>> bool(loss(maps) == phyvae.EdgeLoss()(maps) + phyvae.Curvature()(maps))
    True
    """

    # A buffer: it goes into checkpoints, so that a loaded trainer has the weight of its epoch.
    weight: Tensor

    def __init__(self, loss: PhysicsLoss, schedule: float | Callable[[int], float]) -> None:
        super().__init__()
        _check_loss(loss)
        if isinstance(schedule, type):
            raise TypeError(f"schedule={schedule.__name__} is a class; pass an instance of it.")
        if callable(schedule):
            check_takes(schedule, (0,), "schedule", "a number, or epoch -> weight")
        self.loss, self.schedule = loss, schedule
        self.register_buffer("weight", torch.tensor(self._weight(0)))

    def set_epoch(self, epoch: int) -> None:
        """Take the weight of this epoch, counted from 0, here and in the losses within."""
        super().set_epoch(epoch)
        self.weight.fill_(self._weight(epoch))

    def _weight(self, epoch: int) -> float:
        given = self.schedule(epoch) if callable(self.schedule) else self.schedule
        name = f"schedule at epoch {epoch}"
        weight = as_number(given, name, "a number, or epoch -> weight")
        return as_nonnegative(weight, name, "; to reward instead of punish, use Maximize(loss)")

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the loss times the weight of the epoch."""
        return self.weight.to(maps) * self.loss.unchecked(maps, mask, pixel)

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the loss at sites without a lattice times the weight of the epoch."""
        return self.weight.to(values) * self.loss.on_graph(values, graph)

    def published(self, maps: Maps) -> float:
        """Return the published number times the weight of the epoch."""
        return float(self.weight) * self.loss.published(maps)

    def __repr__(self) -> str:
        return f"Scheduled({self.loss!r}, {self.schedule!r})"


def _check_loss(loss: object) -> None:
    if not isinstance(loss, PhysicsLoss):
        given = f"{loss.__name__}, a class" if isinstance(loss, type) else brief(loss)
        raise TypeError(f"loss={given}, must be a PhysicsLoss, such as EdgeLoss().")
