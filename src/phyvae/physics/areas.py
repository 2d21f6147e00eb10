"""Area fractions: latent maps of a few levels whose shares of the area are given."""

import itertools
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import as_number, brief
from .base import PhysicsLoss
from .masking import Cells, Maps, Scalar, sorted_cells
from .standardising import scaled

__all__ = ["AreaFractions"]


class AreaFractions(PhysicsLoss):
    r"""Variance within the levels of a map that has given area fractions, such as 30 % and 70 %.

    .. math:: \Psi = \min_{f,\, f \text{ reversed}} \sum_k f_k \operatorname{var}(z_k) \in [0, 1]

    where :math:`z_1` are the lowest :math:`f_1` of all cells of the standardised map (mean 0,
    standard deviation 1 per channel), :math:`z_2` the next :math:`f_2`, and so on. It is 0 if, and
    only if, the map has as many levels as there are fractions, with just these areas; cells in
    excess move to the other level. The values of the levels are free, and so is the sign of
    the map: fractions are read from the lowest level or from the highest, whichever costs less.
    Every step carries gradient, and there is no threshold to choose. Channels are averaged.

    Parameters
    ----------
    fractions
        Areas of the levels from one end to the other, at least two, > 0, as parts of the whole.
        Their sum is 1.

    References
    ----------
    Otsu (1979), A threshold selection method from gray-level histograms,
    https://doi.org/10.1109/TSMC.1979.4310076. There the threshold is sought, here it is given.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> film = torch.zeros(1, 10, 10)
    >>> film[:, :3] = 5.0
    >>> [round(float(phyvae.AreaFractions((f, 1 - f))(film)), 3) for f in (0.3, 0.5, 0.7)]
    [0.0, 0.571, 0.0]
    """

    sees_places = False

    def __init__(self, fractions: Sequence[int | float]) -> None:
        super().__init__()
        try:
            values = tuple(as_number(fraction, "fractions") for fraction in fractions)
        except TypeError:
            raise TypeError(
                f"fractions={brief(fractions)} must be a list of numbers, such as (0.3, 0.7)."
            ) from None
        if len(values) < 2 or not min(values) > 0 or not abs(sum(values) - 1) < 1e-6:
            raise ValueError(
                f"fractions={fractions} must be at least two areas > 0 with the sum 1, such as "
                "(0.3, 0.7)."
            )
        self.fractions = values

    def forward(self, maps: Maps, mask: Cells | None = None) -> Scalar:
        """Return the variance within the levels, over the cells that count."""
        if maps[0].numel() < len(self.fractions):
            raise ValueError(
                f"maps are {maps.shape[1]} x {maps.shape[2]} cells, fewer than the levels of "
                f"fractions={self.fractions}; choose a larger tile."
            )
        z, counts = scaled(maps, mask)
        ordered = sorted_cells(z, counts)
        rank = torch.arange(ordered.shape[1], device=z.device)
        ordered = torch.where(rank < counts.sum(), ordered, 0.0)
        start = rank.to(z) / counts.sum().clamp(min=1)
        either = [self._within(ordered, start, f) for f in (self.fractions, self.fractions[::-1])]
        return torch.minimum(*either).mean()

    def _within(
        self,
        ordered: Float[Tensor, "channels cells"],
        start: Float[Tensor, " cells"],
        fractions: Sequence[float],
    ) -> Float[Tensor, " channels"]:
        """Return the variance within the levels; a cell on their border belongs to both in part.

        `start` is the share of cells below each cell, so a cell takes the shares between its own
        start and the next one.
        """
        edges = [0.0, *itertools.accumulate(fractions)]
        edges[-1] = 1.0
        step = start[1] - start[0]
        variance = torch.zeros_like(ordered[:, 0])
        for low, high in itertools.pairwise(edges):
            share = ((start + step).clamp(max=high) - start.clamp(min=low)).clamp(min=0)
            mean = (share * ordered).sum(1, keepdim=True) / (high - low)
            variance = variance + (share * (ordered - mean).square()).sum(1)
        return variance

    def __repr__(self) -> str:
        return f"AreaFractions({self.fractions})"
