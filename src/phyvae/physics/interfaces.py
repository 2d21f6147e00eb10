"""Interface energy of latent maps: domain walls whose energy depends on their direction."""

import math
from typing import Literal

from jaxtyping import Float
from torch import Tensor

from .._checks import as_choice, as_number, brief, is_integer
from ..patches.graph import SiteGraph
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .finite import root
from .gradients import corner_steps
from .masking import Cells, Maps, Scalar, Values
from .standardising import scaled, standardise_values

__all__ = ["InterfaceEnergy"]


class InterfaceEnergy(PhysicsLoss):
    r"""Anisotropic total variation: the energy of a wall depends on its orientation.

    .. math:: \Psi = \Big\langle \sqrt{g_\perp^2 + \rho^2 g_\parallel^2} \Big\rangle
        \qquad \text{or} \qquad
        \Big\langle \sqrt{g_\perp^2 + g_\parallel^2 + 2(\rho^2 - 1)\,|g_\perp g_\parallel|}
        \Big\rangle

    for `folds` 2 or 4, with :math:`g` the step to the neighbours of the standardised map (mean 0,
    standard deviation 1 per channel), :math:`g_\parallel` its part along the easy direction and
    :math:`g_\perp` the part across. A wall along the easy direction costs the same as in
    `TotalVariation`; with two folds a wall across it costs :math:`\rho` times as much, and with
    four folds one at 45° to it, while across it is as easy.

    Parameters
    ----------
    ratio
        :math:`\rho`, energy of the hardest wall over that of the easiest, dimensionless, >= 1.
        With four folds and more than √2, walls of hard directions break into facets.
    angle
        Direction in which walls are easy, degrees, counterclockwise from horizontal with row 0 of
        the map on top.
    folds
        2, for one easy direction; 4, for two at right angles.
    scaling
        ``"standard"``, or ``"none"``, the map as it is, for `refine`; this breaks the law "scale
        and offset of the latent do not matter".

    Notes
    -----
    It breaks the law "a mirrored map costs the same" on purpose, unless `angle` is a multiple of
    90° (with four folds, 45°).

    References
    ----------
    Esedoglu & Osher (2004), Decomposition of images by the anisotropic Rudin-Osher-Fatemi model,
    https://doi.org/10.1002/cpa.20045

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> horizontal = torch.zeros(1, 16, 16)
    >>> horizontal[:, 8:] = 1
    >>> loss = phyvae.InterfaceEnergy(ratio=2.0, angle=0.0)
    >>> round(float(loss(horizontal.mT) / loss(horizontal)), 3)
    2.0
    """

    def __init__(
        self,
        ratio: float = 2.0,
        angle: float = 0.0,
        *,
        folds: Literal[2, 4] = 2,
        scaling: Literal["standard", "none"] = "standard",
    ) -> None:
        super().__init__()
        if not 1 <= as_number(ratio, "ratio") < math.inf:
            raise ValueError(
                f"ratio={ratio} must be >= 1, the hardest wall over the easiest; to make the "
                "other direction easy, add 90 to angle."
            )
        if not math.isfinite(as_number(angle, "angle")):
            raise ValueError(f"angle={angle} must be a finite number of degrees.")
        if not is_integer(folds) or folds not in (2, 4):
            raise ValueError(
                f"folds={brief(folds)} must be 2, one easy direction, or 4, two of them."
            )
        self.ratio, self.angle, self.folds = ratio, angle, folds
        self.scaling = as_choice(scaling, "scaling", ("standard", "none"))

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the mean energy of a cell; with a mask, of steps between cells that count."""
        z, counts = scaled(maps, mask, self.scaling)
        down, right = corner_steps(z, counts, pixel.edges).unbind(1)
        energy = self._energy(down, right)
        return energy.mean((0, 1)).sum() / counts.sum().clamp(min=1)

    def on_graph(self, values: Values, graph: SiteGraph) -> Scalar:
        """Return the mean energy of the slope at the sites, per spacing of the sites."""
        slopes = graph.slopes(standardise_values(values, graph, self.scaling))
        return self._energy(slopes[..., 0], slopes[..., 1]).mean()

    def _energy(
        self, down: Float[Tensor, "*cells"], right: Float[Tensor, "*cells"]
    ) -> Float[Tensor, "*cells"]:
        """Return the energy of steps downwards and to the right."""
        # Counterclockwise with row 0 on top: y points down.
        sine, cosine = math.sin(math.radians(self.angle)), math.cos(math.radians(self.angle))
        along, across = cosine * right - sine * down, sine * right + cosine * down
        if self.folds == 2:
            squared = across.square() + self.ratio**2 * along.square()
        else:
            coupling = 2 * (self.ratio**2 - 1) * (along * across).abs()
            squared = across.square() + along.square() + coupling
        return root(squared)

    def __repr__(self) -> str:
        return (
            f"InterfaceEnergy(ratio={self.ratio:g}, angle={self.angle:g}, folds={self.folds}, "
            f"scaling={self.scaling!r})"
        )
