"""What a physics loss is: a non-negative number that a latent map pays for."""

import abc
import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from .._checks import as_number, brief, refuse_channels_last
from ..patches.graph import SiteGraph

__all__ = [
    "Maximize",
    "PhysicsLoss",
    "check_channels",
    "check_loss",
    "check_maps",
    "check_neighbours",
    "check_scaling",
    "check_values",
    "in_pixels",
    "length",
    "root",
    "standardise",
    "standardise_values",
]


class PhysicsLoss(nn.Module, abc.ABC):
    r"""A physics loss :math:`\Psi \ge 0` of latent maps; subclass it for new physics.

    One method is needed: ``forward(maps, mask=None)``, with ``maps`` of shape
    (channels, rows, cols) and ``mask`` of shape (rows, cols), true where a grid cell holds a
    patch. It returns a scalar >= 0, differentiable with respect to the maps.

    Losses compose: ``EdgeLoss() + 0.5 * FourierLoss()``.

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

    if TYPE_CHECKING:
        __call__: Callable[..., Tensor]

    @abc.abstractmethod
    def forward(
        self,
        maps: Float[Tensor, "channels rows cols"],
        mask: Bool[Tensor, "rows cols"] | None = None,
    ) -> Float[Tensor, ""]:
        """Return the loss of the maps, a scalar >= 0."""

    @torch.no_grad()
    def published(self, maps: Float[Tensor, "channels rows cols"]) -> float:
        """Return the number that the authors' released code takes for this loss.

        It serves ``coupling="published"``. A loss that the authors did not publish is itself.
        """
        return float(self(maps))

    def on_graph(self, values: Float[Tensor, "channels n"], graph: SiteGraph) -> Float[Tensor, ""]:
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
            return self(values[:, None])
        raise ValueError(
            f"{self!r} needs a raster of (rows, cols), but these sites have no lattice; use a "
            "loss that has on_graph, such as EdgeLoss() or TotalVariation(), or lay the sites "
            "out: PatchGrid.at(image, sites, size)."
        )

    def check_kinds(self, classes: Sequence[bool]) -> None:
        """Raise an error if the loss, or one within it, is not meant for maps of such a kind.

        `classes` says of each channel whether it is the probability of a class, and no other
        latent. A trainer asks before it begins, if it knows.
        """
        for loss in _losses_within(self):
            loss.check_kinds(classes)

    def set_epoch(self, epoch: int) -> None:
        """Tell the losses within this one which epoch begins, counted from 0; see `Scheduled`."""
        for loss in _losses_within(self):
            loss.set_epoch(epoch)

    def __add__(self, other: "PhysicsLoss") -> "PhysicsLoss":
        if not isinstance(other, PhysicsLoss):
            return NotImplemented
        return _Sum(self, other)

    def __radd__(self, other: int) -> "PhysicsLoss":
        # Python's sum() of losses starts from 0.
        return self if isinstance(other, int) and other == 0 else NotImplemented

    def __mul__(self, weight: int | float) -> "PhysicsLoss":
        if not isinstance(weight, int | float):
            return NotImplemented
        return _Weighted(self, weight)

    __rmul__ = __mul__

    def __truediv__(self, divisor: int | float) -> "PhysicsLoss":
        if not isinstance(divisor, int | float):
            return NotImplemented
        return _Weighted(self, 1 / divisor)


def _losses_within(module: nn.Module) -> Iterator[PhysicsLoss]:
    for child in module.children():
        if isinstance(child, PhysicsLoss):
            yield child
        else:
            yield from _losses_within(child)


class _Sum(PhysicsLoss):
    def __init__(self, *terms: PhysicsLoss) -> None:
        super().__init__()
        self.terms = nn.ModuleList(terms)

    def forward(
        self,
        maps: Float[Tensor, "channels rows cols"],
        mask: Bool[Tensor, "rows cols"] | None = None,
    ) -> Float[Tensor, ""]:
        return torch.stack([term(maps, mask) for term in self.terms]).sum()

    def on_graph(self, values: Float[Tensor, "channels n"], graph: SiteGraph) -> Float[Tensor, ""]:
        return torch.stack([term.on_graph(values, graph) for term in self._losses()]).sum()

    def _losses(self) -> Iterator[PhysicsLoss]:
        return (term for term in self.terms if isinstance(term, PhysicsLoss))

    def published(self, maps: Float[Tensor, "channels rows cols"]) -> float:
        return sum(term.published(maps) for term in self._losses())

    def __repr__(self) -> str:
        return " + ".join(map(repr, self.terms))


class _Weighted(PhysicsLoss):
    def __init__(self, loss: PhysicsLoss, weight: float) -> None:
        super().__init__()
        if not 0 <= as_number(weight, f"weight of {loss!r}") < math.inf:
            raise ValueError(
                f"weight={weight} of {loss!r} must be >= 0; to reward what a loss punishes, use "
                "Maximize(loss)."
            )
        self.loss, self.weight = loss, float(weight)

    def forward(
        self,
        maps: Float[Tensor, "channels rows cols"],
        mask: Bool[Tensor, "rows cols"] | None = None,
    ) -> Float[Tensor, ""]:
        return self.weight * self.loss(maps, mask)

    def on_graph(self, values: Float[Tensor, "channels n"], graph: SiteGraph) -> Float[Tensor, ""]:
        return self.weight * self.loss.on_graph(values, graph)

    def published(self, maps: Float[Tensor, "channels rows cols"]) -> float:
        return self.weight * self.loss.published(maps)

    def __repr__(self) -> str:
        return f"{self.weight:g} * {self.loss!r}"


class Maximize(PhysicsLoss):
    r"""Reward what `loss` punishes, :math:`1 / (1 + \Psi) \in (0, 1]`.

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
        check_loss(loss)
        self.loss = loss

    def forward(
        self,
        maps: Float[Tensor, "channels rows cols"],
        mask: Bool[Tensor, "rows cols"] | None = None,
    ) -> Float[Tensor, ""]:
        """Return the reciprocal of one plus the loss."""
        return 1 / (1 + self.loss(maps, mask))

    def on_graph(self, values: Float[Tensor, "channels n"], graph: SiteGraph) -> Float[Tensor, ""]:
        """Return the reciprocal of one plus the loss on a graph."""
        return 1 / (1 + self.loss.on_graph(values, graph))

    def published(self, maps: Float[Tensor, "channels rows cols"]) -> float:
        """Return the reciprocal of one plus the published number."""
        return 1 / (1 + self.loss.published(maps))

    def __repr__(self) -> str:
        return f"Maximize({self.loss!r})"


def standardise(
    maps: Float[Tensor, "channels rows cols"],
    mask: Bool[Tensor, "rows cols"] | None = None,
) -> Float[Tensor, "channels rows cols"]:
    """Return each map with mean 0 and standard deviation 1; a flat map becomes 0.

    The mean and the deviation carry gradient. Without it, training lowers a loss by shrinking or
    offsetting the map.

    Parameters
    ----------
    maps
        Latent maps, shape (channels, rows, cols).
    mask
        Cells that count, shape (rows, cols), bool; the others become 0, and with them all if
        none counts.

    Raises
    ------
    ValueError
        If the maps have other axes (channels last), or are no floats.

    Examples
    --------
    >>> import torch
    >>> from phyvae import standardise
    >>> z = standardise(torch.rand(2, 9, 7))
    >>> torch.allclose(z.std(dim=(1, 2), correction=0), torch.ones(2))
    True
    """
    check_maps(maps, mask)
    weight = torch.ones_like(maps[0]) if mask is None else mask.to(maps)
    maps = torch.where(weight > 0, maps, 0.0)  # not a product: NaN * 0 is NaN
    weight = weight / weight.sum().clamp(min=1)
    centred = maps - (maps * weight).sum(dim=(-2, -1), keepdim=True)
    variance = (centred.square() * weight).sum(dim=(-2, -1), keepdim=True)
    # A map that varies by rounding errors only is flat: dividing them by their own size would
    # turn them into structure, and the root has no gradient at zero.
    rounding = 16 * torch.finfo(maps.dtype).eps * maps.detach().abs().amax((-2, -1), keepdim=True)
    flat = variance.detach() <= rounding.square()
    # Values whose squares overflow have no variance: better not a number than taken for flat.
    variance = torch.where(variance.isinf(), torch.nan, variance)
    flat = flat & variance.isfinite()
    deviation = torch.where(flat, 1.0, variance).sqrt()
    return torch.where(flat | (weight == 0), 0.0, centred / deviation)


def standardise_values(
    values: Float[Tensor, "channels n"], graph: SiteGraph, scaling: str = "standard"
) -> Float[Tensor, "channels n"]:
    """Return values at sites, checked, with mean 0 and standard deviation 1 per channel.

    A physics loss needs little more for sites without a lattice (`PhysicsLoss.on_graph`)::

        z = standardise_values(values, graph)
        return graph.sums(graph.differences(z).square()).mean() / 2

    is the mean squared slope. `scaling` "none" only checks.
    """
    check_values(values, graph)
    return standardise(values[:, None])[:, 0] if scaling == "standard" else values


def check_values(values: Tensor, graph: SiteGraph) -> None:
    """Raise a ValueError unless values is (channels, n), floating point, one per site."""
    if values.ndim != 2 or len(values) == 0 or values.shape[1] != len(graph):
        raise ValueError(
            f"values has shape {tuple(values.shape)}, but must be (channels, {len(graph)}): one "
            "per site of the graph."
        )
    if not values.is_floating_point():
        raise ValueError(
            f"values has dtype {values.dtype}, but must be floating point; use .float()."
        )


def check_loss(loss: object) -> None:
    """Raise a TypeError unless it is a physics loss."""
    if not isinstance(loss, PhysicsLoss):
        given = f"{loss.__name__}, a class" if isinstance(loss, type) else brief(loss)
        raise TypeError(f"loss={given}, must be a PhysicsLoss, such as EdgeLoss().")


def check_maps(maps: Tensor, mask: Tensor | None) -> None:
    """Raise an error unless maps is (channels, rows, cols) and mask, if any, (rows, cols)."""
    if not isinstance(maps, Tensor):
        raise TypeError(f"maps={brief(maps)} must be a tensor: torch.as_tensor(maps).")
    if maps.ndim != 3 or 0 in maps.shape:
        raise ValueError(
            f"maps has shape {tuple(maps.shape)}, but must be (channels, rows, cols); "
            "one map alone is maps[None]."
        )
    refuse_channels_last(tuple(maps.shape))
    if not maps.is_floating_point():
        raise ValueError(f"maps has dtype {maps.dtype}, but must be floating point; use .float().")
    if mask is None:
        return
    if not isinstance(mask, Tensor) or mask.dtype != torch.bool:
        raise TypeError(f"mask={brief(mask)} must be a tensor of bools, (rows, cols): grid.mask.")
    if mask.shape != maps.shape[1:]:
        raise ValueError(
            f"mask has shape {tuple(mask.shape)}, but the maps are {tuple(maps.shape[1:])} "
            "(rows, cols)."
        )


def check_neighbours(maps: Tensor, least: int = 1, what: str = "a step to a neighbour") -> None:
    """Raise a ValueError if the maps are too small; of a single cell, or below `least` a side."""
    rows, cols = maps.shape[1:]
    if min(rows, cols) < least or rows * cols < 2:
        needed = "2 cells" if least < 2 else f"{least} x {least} cells"
        raise ValueError(
            f"maps are {rows} x {cols} cells, but {what} needs at least {needed}; choose a larger "
            "tile, or a smaller step of the patches."
        )


def check_channels(maps: Tensor, loss: str, least: int, most: int | None = None) -> None:
    """Raise a ValueError if the maps have too few channels for the loss, or too many."""
    if len(maps) < least or (most is not None and len(maps) > most):
        needed = f"{least}" if most == least else f"at least {least}"
        raise ValueError(
            f"maps have {len(maps)} channel(s), but {loss} relates {needed}; choose latent_dim to "
            f"match, or the channels by OnChannels({loss}(...), [...])."
        )


def check_scaling(scaling: str, valid: tuple[str, ...] = ("standard", "none")) -> None:
    """Raise a ValueError unless the scaling is one of the valid ones."""
    if not isinstance(scaling, str) or scaling not in valid:
        names = " or ".join([", ".join(map(repr, valid[:-1])), repr(valid[-1])])
        raise ValueError(f"scaling={brief(scaling)} must be {names}.")


def in_pixels(value: float, name: str, pixel_size: float | None) -> float:
    """Return a length in map pixels, given in nm if there is a pixel size, else in map pixels."""
    if pixel_size is not None and not 0 < as_number(pixel_size, "pixel_size") < math.inf:
        raise ValueError(
            f"pixel_size={pixel_size} nm must be > 0, the distance between neighbouring patches; "
            "None for lengths in map pixels."
        )
    unit = "map pixels" if pixel_size is None else "nm"
    if not 0 < as_number(value, name) < math.inf:
        raise ValueError(f"{name}={value} {unit} must be > 0.")
    return value if pixel_size is None else value / pixel_size


def length(vectors: Float[Tensor, "..."], dim: int) -> Float[Tensor, "..."]:
    """Return the Euclidean length along an axis; where it is 0, so is its gradient, not NaN.

    On few components it is much faster than `torch.linalg.vector_norm`.
    """
    return root(vectors.square().sum(dim))


def root(squared: Float[Tensor, "..."]) -> Float[Tensor, "..."]:
    """Return the square root; where it is 0, so is its gradient, not NaN. That of NaN is NaN."""
    zero = squared == 0
    return torch.where(zero, 1.0, squared).sqrt() * ~zero
