"""Divergence and curl of a two-component order parameter, such as polarisation."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..patches.graph import SiteGraph
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .checking import check_channels, check_neighbours, check_values
from .finite import ratio
from .gradients import scharr_gradient
from .masking import Cells, Maps, Scalar, Values, eroded, masked, mean_over
from .standardising import deviation_of, rounding_errors

__all__ = ["BoundCharge", "Vorticity"]


class BoundCharge(PhysicsLoss):
    r"""Squared divergence relative to the squared gradient: walls without bound charge.

    .. math:: \Psi = \frac{\langle (\partial_y P_y + \partial_x P_x)^2 \rangle}
        {\langle |\nabla P_y|^2 + |\nabla P_x|^2 \rangle} \in [0, 2]

    with Scharr gradients at all inner cells. The two channels are :math:`P_y`, down the rows, and
    :math:`P_x`, along the columns. A divergence is a charge density, :math:`-\nabla \cdot P`, and
    costs electrostatic energy: a head-to-head wall has 1, a wall along which the polarisation
    turns without charge 0, noise 0.5 and a radial field 2. How many walls there are does not
    matter, nor the scale of P; the ratio of the two components' scales does.

    Notes
    -----
    It breaks the law "a mirrored map costs the same" on purpose: a mirror turns one component
    round, which the law does not do. The law "noise costs more than one wall" is broken, too: its
    wall is partly charged.

    References
    ----------
    Gureev, Tagantsev & Setter (2011), https://doi.org/10.1103/PhysRevB.83.184104

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> P = torch.zeros(2, 12, 12)
    >>> P[0] = torch.where(torch.arange(12) < 6, 1.0, -1.0)[:, None]  # ↓ above ↑
    >>> head_to_head, neutral = P, P.mT  # ↓ next to ↑
    >>> loss = phyvae.BoundCharge()
    >>> float(loss(head_to_head)), float(loss(neutral))
    (1.0, 0.0)
    """

    def __init__(self) -> None:
        super().__init__()  # a torch module would take any argument

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the ratio; with a mask, over cells whose eight neighbours all count."""
        return _charge(*_gradients(maps, mask, pixel, "BoundCharge"))

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the ratio, with the slopes at the sites."""
        return _charge(*_slopes(values, graph, "BoundCharge"))

    def __repr__(self) -> str:
        return "BoundCharge()"


class Vorticity(PhysicsLoss):
    r"""Squared curl relative to the squared gradient: an order parameter that does not turn.

    .. math:: \Psi = \frac{\langle (\partial_y P_x - \partial_x P_y)^2 \rangle}
        {\langle |\nabla P_y|^2 + |\nabla P_x|^2 \rangle} \in [0, 2]

    with gradients and channels as in `BoundCharge`. A gradient field, such as a displacement that
    stems from a potential, has 0, a neutral wall 1, noise 0.5 and a rigid rotation 2. To ask for
    vortices, take ``Maximize(Vorticity())``.

    Notes
    -----
    It breaks the laws that `BoundCharge` breaks, for the same reasons.

    References
    ----------
    Yadav et al. (2016), Observation of polar vortices in oxide superlattices,
    https://doi.org/10.1038/nature16463

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> y, x = torch.meshgrid(torch.arange(9.0), torch.arange(9.0), indexing="ij")
    >>> vortex, hedgehog = torch.stack([x - 4, 4 - y]), torch.stack([y - 4, x - 4])
    >>> loss = phyvae.Vorticity()
    >>> float(loss(vortex)), float(loss(hedgehog))
    (2.0, 0.0)
    """

    def __init__(self) -> None:
        super().__init__()  # a torch module would take any argument

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the ratio; with a mask, over cells whose eight neighbours all count."""
        return _curl(*_gradients(maps, mask, pixel, "Vorticity"))

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the ratio, with the slopes at the sites."""
        return _curl(*_slopes(values, graph, "Vorticity"))

    def __repr__(self) -> str:
        return "Vorticity()"


_Gradients = tuple[Float[Tensor, "2 *cells"], Float[Tensor, "2 *cells"], Bool[Tensor, "*cells"]]
"""∂y and ∂x of both components, and where they count."""


def _charge(along_y: Tensor, along_x: Tensor, counts: Tensor) -> Scalar:
    """Return the mean squared divergence over the mean squared gradient."""
    divergence = along_y[0] + along_x[1]
    return _relative(divergence, along_y, along_x, counts)


def _curl(along_y: Tensor, along_x: Tensor, counts: Tensor) -> Scalar:
    """Return the mean squared curl over the mean squared gradient."""
    curl = along_y[1] - along_x[0]
    return _relative(curl, along_y, along_x, counts)


def _relative(field: Tensor, along_y: Tensor, along_x: Tensor, counts: Tensor) -> Scalar:
    """Return the mean square of a field over the mean squared gradient."""
    total = mean_over(along_y.square() + along_x.square(), counts).sum()
    return ratio(mean_over(field.square(), counts), total)


def _gradients(maps: Tensor, mask: Tensor | None, pixel: MapPixel, loss: str) -> _Gradients:
    """Return Scharr gradients at all inner cells."""
    check_channels(maps, loss, 2, 2)
    check_neighbours(maps, 3, f"the slope in {loss}")
    z, counts = masked(maps, mask)
    return *scharr_gradient(_in_one_unit(z, counts), pixel.edges), eroded(counts)


def _slopes(values: Tensor, graph: SiteGraph, loss: str) -> _Gradients:
    """Return the slopes at sites without a lattice, as a row."""
    check_values(values, graph)
    check_channels(values, loss, 2, 2)
    counts = torch.ones_like(values[:1], dtype=torch.bool)
    slopes = graph.slopes(_in_one_unit(values[:, None], counts)[:, 0])
    return slopes[:, None, :, 0], slopes[:, None, :, 1], counts


def _in_one_unit(z: Tensor, counts: Tensor) -> Float[Tensor, "2 rows cols"]:
    """Return both components about their mean, by their common root mean square deviation."""
    centred, _ = masked(z - mean_over(z, counts)[:, None, None], counts)
    variance = mean_over(centred.square(), counts).sum().detach()  # a unit; it cancels
    unit, flat = deviation_of(variance, rounding_errors(z).amax())
    return torch.where(flat, 0.0, centred / unit)
