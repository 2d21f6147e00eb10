"""Dirichlet energy of latent maps: order parameters that vary smoothly."""

from typing import Literal

from .._checks import as_choice
from ..patches.graph import SiteGraph
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .checking import check_neighbours
from .gradients import mean_square_gradient
from .masking import Cells, Maps, Scalar, Values
from .standardising import scaled, standardise_values

__all__ = ["DirichletEnergy"]


class DirichletEnergy(PhysicsLoss):
    r"""Mean squared gradient of the latent maps: gradual change, no sharp wall.

    .. math:: \Psi = \tfrac12 \langle |\nabla z|^2 \rangle
        = \tfrac12 \langle (z_{i+1,j} - z_{ij})^2 \rangle
        + \tfrac12 \langle (z_{i,j+1} - z_{ij})^2 \rangle

    of the standardised map (mean 0, standard deviation 1 per channel), per map pixel squared; the
    means run over steps and channels. A step of height 1 costs ten times what ten steps of height
    1/10 cost: where `TotalVariation` spares sharp walls, this one widens them. Strain, composition
    and thickness vary like that. White noise costs 2.

    Parameters
    ----------
    scaling
        ``"standard"``, or ``"none"``, the map as it is, for `refine`; this breaks the law "scale
        and offset of the latent do not matter".

    References
    ----------
    Cahn & Hilliard (1958), Free energy of a nonuniform system, https://doi.org/10.1063/1.1744102.
    Its gradient term.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> ramp = torch.linspace(-1, 1, 16).expand(1, 16, 16)
    >>> loss = phyvae.DirichletEnergy()
    >>> bool(loss(ramp) < loss(ramp.sign()))
    True
    """

    def __init__(self, scaling: Literal["standard", "none"] = "standard") -> None:
        super().__init__()
        self.scaling = as_choice(scaling, "scaling", ("standard", "none"))

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the energy; with a mask, of steps between cells that both count."""
        check_neighbours(maps)
        return mean_square_gradient(*scaled(maps, mask, self.scaling), pixel.edges).mean() / 2

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        r"""Return the mean over sites of :math:`\frac14 \sum_j w_{ij} (z_j - z_i)^2`."""
        z = standardise_values(values, graph, self.scaling)
        return graph.mean_square_gradient(z).mean() / 2

    def __repr__(self) -> str:
        return f"DirichletEnergy(scaling={self.scaling!r})"
