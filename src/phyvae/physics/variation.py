"""Total variation of latent maps: the length of domain walls, weighted by their height."""

from typing import Literal

from .._checks import as_choice
from ..patches.graph import SiteGraph
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .finite import length, root
from .gradients import corner_steps
from .masking import Cells, Maps, Scalar, Values
from .standardising import scaled, standardise_values

__all__ = ["TotalVariation"]


class TotalVariation(PhysicsLoss):
    r"""Mean step between neighbouring patches: low for sharp walls, high for noise of any kind.

    .. math:: \Psi = \Big\langle \sqrt{(z_{i+1,j} - z_{ij})^2 + (z_{i,j+1} - z_{ij})^2} \Big\rangle

    of the standardised map (mean 0, standard deviation 1 per channel); the mean runs over cells,
    channels and the four ways to take one vertical and one horizontal neighbour. `EdgeLoss`
    compares the neighbours on both sides of a cell, so a map that alternates from cell to cell
    costs it nothing; here it costs most. That matters where a map moves freely, as in `refine`.

    Parameters
    ----------
    scaling
        ``"standard"``, for training, or ``"none"``, the map as it is, for `refine`, which has
        fixed units of its own.

    On a graph of sites (`on_graph`) it is the local variation of Elmoataz et al.

    References
    ----------
    Rudin, Osher & Fatemi (1992), Nonlinear total variation based noise removal algorithms,
    https://doi.org/10.1016/0167-2789(92)90242-F
    Elmoataz, Lezoray & Bougleux (2008), Nonlocal discrete regularization on weighted graphs,
    https://doi.org/10.1109/TIP.2008.924284

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> board = torch.ones(8, 8)
    >>> board[::2, ::2] = board[1::2, 1::2] = -1
    >>> bool(phyvae.TotalVariation()(board[None]) > phyvae.EdgeLoss()(board[None]))
    True
    """

    def __init__(self, scaling: Literal["standard", "none"] = "standard") -> None:
        super().__init__()
        self.scaling = as_choice(scaling, "scaling", ("standard", "none"))

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the mean step; with a mask, between cells that both count."""
        z, counts = scaled(maps, mask, self.scaling)
        steps = length(corner_steps(z, counts, pixel.edges), dim=1).mean((0, 1))
        return steps.sum() / counts.sum().clamp(min=1)

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        r"""Return the mean over sites of :math:`\sqrt{\frac12 \sum_j w_{ij} (z_j - z_i)^2}`.

        On a square raster a slope costs the same as in the map, and noise about the same; a sharp
        wall counts on both of its sides, which costs :math:`\sqrt 2` times as much.
        """
        z = standardise_values(values, graph, self.scaling)
        return root(graph.sums(graph.differences(z).square()) / 2).mean()

    def __repr__(self) -> str:
        return f"TotalVariation(scaling={self.scaling!r})"
