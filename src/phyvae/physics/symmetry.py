"""Symmetry of latent maps: mirrors and rotations of the whole map."""

from typing import Literal, get_args

import torch
from torch import Tensor

from .._checks import as_choice
from ..patches.map_pixel import SQUARE, MapPixel
from .base import PhysicsLoss
from .finite import ratio
from .masking import Cells, Maps, Scalar
from .standardising import scaled

__all__ = ["MapSymmetry"]

_UNEVEN = 0.05  # by which the edges of a square may differ

Operation = Literal["left-right", "up-down", "half-turn", "quarter-turn"]


class MapSymmetry(PhysicsLoss):
    r"""Difference between the map and its mirror image, or the map turned.

    .. math:: \Psi = \frac{\sum (z - Sz)^2}{2 \sum (z^2 + (Sz)^2)} \in [0, 1]

    of the standardised map (mean 0, standard deviation 1 per channel), with S the operation about
    the map's centre; channels are averaged. A symmetric map has 0, noise 0.5, a map that S turns
    into its negative 1.

    Parameters
    ----------
    operation
        ``"left-right"`` or ``"up-down"``, mirrors; ``"half-turn"``, a rotation by 180°; or
        ``"quarter-turn"``, one by 90°, which needs as many rows as columns.

    Notes
    -----
    It breaks the law "noise costs more than one wall" on purpose, except for ``"left-right"``:
    the wall of that law, between the upper and the lower half, is its own negative.

    References
    ----------
    Zabrodsky, Peleg & Avnir (1995), Symmetry as a continuous feature,
    https://doi.org/10.1109/34.476508

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> ramp = torch.linspace(-1, 1, 8).expand(1, 8, 8)
    >>> [float(phyvae.MapSymmetry(mirror)(ramp)) for mirror in ("up-down", "left-right")]
    [0.0, 1.0]
    """

    def __init__(self, operation: Operation) -> None:
        super().__init__()
        self.operation = as_choice(operation, "operation", get_args(Operation))

    def forward(self, maps: Maps, mask: Cells | None = None, pixel: MapPixel = SQUARE) -> Scalar:
        """Return the difference, over cells that count and whose image does, too."""
        self._check_shape(*maps.shape[1:])
        self._check_square(pixel)
        z, counts = scaled(maps, mask)
        image, both = self._image(z), counts & self._image(counts)
        unlike = torch.where(both, (z - image).square(), 0.0).sum((-2, -1))
        total = 2 * torch.where(both, z.square() + image.square(), 0.0).sum((-2, -1))
        return ratio(unlike, total).mean()

    def _image(self, maps: Tensor) -> Tensor:
        if self.operation == "quarter-turn":
            return maps.rot90(1, (-2, -1))
        axes = {"left-right": [-1], "up-down": [-2], "half-turn": [-2, -1]}
        return maps.flip(axes[self.operation])

    def _check_square(self, pixel: MapPixel) -> None:
        height, width = pixel.edges
        if self.operation == "quarter-turn" and abs(height / width - 1) > _UNEVEN:
            raise ValueError(
                f"the map's pixels are {height / width:.3g} times as high as wide, but a "
                "quarter-turn needs square ones; choose equal steps of the patches, in nm, or "
                "operation='half-turn'."
            )

    def _check_shape(self, rows: int, cols: int) -> None:
        if self.operation == "quarter-turn" and rows != cols:
            raise ValueError(
                f"maps are {rows} x {cols} cells, but a quarter-turn needs as many rows as "
                "columns; choose a square tile, or operation='half-turn'."
            )
        moved = {"left-right": cols, "up-down": rows}.get(self.operation, rows * cols)
        if moved < 2:
            raise ValueError(
                f"maps are {rows} x {cols} cells, and operation={self.operation!r} leaves each "
                "where it is; choose a larger tile."
            )

    def __repr__(self) -> str:
        return f"MapSymmetry({self.operation!r})"
