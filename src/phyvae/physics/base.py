"""The base class of physics losses, with the sums and multiples that its operators return."""

import abc
from collections.abc import Iterator, Sequence
from typing import cast

import torch
from torch import Tensor, nn

from .._checks import as_nonnegative
from ..patches.graph import SiteGraph
from ..patches.map_pixel import SQUARE, MapPixel
from .checking import check_maps, check_values
from .masking import Cells, Maps, Scalar, Values

__all__ = ["PhysicsLoss", "Sum", "Weighted"]


class PhysicsLoss(nn.Module, abc.ABC):
    r"""A physics loss :math:`\Psi \ge 0` of latent maps; subclass it for new physics.

    One method is needed: ``forward(maps, mask=None)``, with ``maps`` of shape
    (channels, rows, cols) and ``mask`` of shape (rows, cols), true where a grid cell holds a
    patch. It returns a scalar >= 0, differentiable with respect to the maps.

    Losses compose: ``EdgeLoss() + 0.5 * FourierLoss()``.

    Where lengths matter, ``forward(maps, mask=None, pixel=MapPixel())`` gets the map's pixel, too,
    as the grid has it: ``height, width = pixel.edges`` divide steps down and across.

    A loss that compares neighbours can serve sites without a lattice, too: give it
    ``on_graph(values, graph)`` (see `SiteGraph`).

    Notes
    -----
    Let the loss ignore the scale and the offset of a map (see `standardise`); otherwise the
    network lowers it by shrinking the map instead of ordering it.
    `phyvae.testing.check_physics_loss` checks this and the other laws.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> class Smoothness(phyvae.PhysicsLoss):
    ...     def forward(self, maps, mask=None):
    ...         z = phyvae.standardise(maps, mask)
    ...         return z.diff(dim=-1).square().mean() + z.diff(dim=-2).square().mean()
    >>> Smoothness()(torch.ones(2, 8, 8))
    tensor(0.)
    """

    sees_places: bool = True
    """Whether it matters which cell lies where; if not, sites without a lattice are a row."""

    def __call__(
        self, maps: Tensor, mask: Tensor | None = None, pixel: MapPixel = SQUARE
    ) -> Tensor:
        """Check the maps and the mask, then return the loss."""
        check_maps(maps, mask)
        return self.unchecked(maps, mask, pixel)

    def unchecked(
        self, maps: Tensor, mask: Tensor | None = None, pixel: MapPixel = SQUARE
    ) -> Tensor:
        """Return the loss of maps that are checked already, by a loss that contains this one."""
        given = (maps,) if mask is None else (maps, mask)
        also = pixel.taken_by(self.forward)
        return cast(Tensor, super().__call__(*given, **also))  # not `forward`: hooks run, too

    @abc.abstractmethod
    def forward(self, maps: Maps, mask: Cells | None = None) -> Scalar:
        """Return the loss of the maps, a scalar >= 0."""

    @torch.no_grad()
    def published(self, maps: Maps) -> float:
        """Return the number that the authors' released code takes for this loss.

        It serves ``coupling="published"``. A loss that the authors did not publish is itself.
        """
        return float(self(maps))

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the loss of values at sites without a lattice, a scalar >= 0.

        Parameters
        ----------
        values
            Latent values, one per site, shape (channels, n).
        graph
            Which sites are neighbours.

        Raises
        ------
        ValueError
            If this loss has no such form: its neighbours, or its waves, take rows and columns.
        """
        if not self.sees_places:
            check_values(values, graph)
            return self.unchecked(values[:, None])
        raise ValueError(
            f"{self!r} needs a raster of (rows, cols), but these sites have no lattice; use a "
            "loss that has on_graph, such as EdgeLoss() or TotalVariation(), or lay the sites "
            "out: PatchGrid.at(image, sites, size)."
        )

    def check_kinds(self, classes: Sequence[bool]) -> None:
        """Raise an error if the loss, or one within it, is not meant for such maps.

        `classes` is true for each channel that is the probability of a class, false for content
        latents. A trainer calls this before training, if it knows the kinds.
        """
        for loss in _losses_within(self):
            loss.check_kinds(classes)

    def set_epoch(self, epoch: int) -> None:
        """Set the epoch of the losses within this one, counted from 0; see `Scheduled`."""
        for loss in _losses_within(self):
            loss.set_epoch(epoch)

    def __add__(self, other: "PhysicsLoss") -> "PhysicsLoss":
        if not isinstance(other, PhysicsLoss):
            return NotImplemented
        return Sum(self, other)

    def __radd__(self, other: int) -> "PhysicsLoss":
        # Python's sum() of losses starts from 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, weight: int | float) -> "PhysicsLoss":
        if not isinstance(weight, int | float):
            return NotImplemented
        return Weighted(self, weight)

    __rmul__ = __mul__

    def __truediv__(self, divisor: int | float) -> "PhysicsLoss":
        if not isinstance(divisor, int | float):
            return NotImplemented
        return Weighted(self, 1 / divisor)


def _losses_within(module: nn.Module) -> Iterator[PhysicsLoss]:
    for child in module.children():
        if isinstance(child, PhysicsLoss):
            yield child
        else:
            yield from _losses_within(child)


class Sum(PhysicsLoss):
    """The sum of physics losses: ``first + second``."""

    def __init__(self, *terms: PhysicsLoss) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the sum of the losses."""
        return torch.stack([term.unchecked(maps, mask, pixel) for term in self._losses()]).sum()

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the sum of the losses on a graph."""
        return torch.stack([term.on_graph(values, graph) for term in self._losses()]).sum()

    def _losses(self) -> Iterator[PhysicsLoss]:
        return (term for term in self.terms if isinstance(term, PhysicsLoss))

    def published(self, maps: Maps) -> float:
        """Return the sum of the published numbers."""
        return sum(term.published(maps) for term in self._losses())

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.terms))


class Weighted(PhysicsLoss):
    """A physics loss times a number >= 0: ``0.5 * loss``."""

    def __init__(self, loss: PhysicsLoss, weight: float) -> None:
        super().__init__()
        why = f", times {loss!r}; to reward instead of punish, use Maximize(loss)"
        self.loss, self.weight = loss, as_nonnegative(weight, "weight", why)

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the loss times the weight."""
        return self.weight * self.loss.unchecked(maps, mask, pixel)

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the loss on a graph times the weight."""
        return self.weight * self.loss.on_graph(values, graph)

    def published(self, maps: Maps) -> float:
        """Return the published number times the weight."""
        return self.weight * self.loss.published(maps)

    def __repr__(self) -> str:
        return f"{self.weight:g} * {self.loss!r}"
