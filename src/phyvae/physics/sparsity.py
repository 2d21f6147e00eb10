"""Sparsity: latent maps that leave their background in few cells only."""

from typing import Literal

from .._checks import as_choice
from .base import PhysicsLoss
from .checking import check_channels
from .finite import length, ratio, root
from .masking import Cells, Maps, Scalar, masked, mean_over, sorted_cells
from .standardising import scaled

__all__ = ["Sparsity", "from_background"]


class Sparsity(PhysicsLoss):
    r"""L1 norm of the deviation from the background over its L2 norm: few cells stand out.

    .. math:: \Psi = \frac{\langle \|d\| \rangle}{\sqrt{\langle \|d\|^2 \rangle}} \in [0, 1],
        \qquad d = z - \operatorname{median} z

    With ``kind="l1"`` each channel is measured alone, and their mean is taken; with
    ``kind="group"`` :math:`\|d\|` is the length over all standardised channels, so that they stand
    out in the same cells. The ratio, unlike the norm, does not fall when the map shrinks. A map
    that stands out evenly in a share s of its cells has :math:`\sqrt s`, Gaussian noise 0.80.
    Point defects, adatoms and precipitates are such maps.

    Parameters
    ----------
    kind
        ``"l1"``, or ``"group"`` (at least two channels).

    References
    ----------
    Hoyer (2004), https://www.jmlr.org/papers/v5/hoyer04a.html, for the ratio.
    Yuan & Lin (2006), https://doi.org/10.1111/j.1467-9868.2005.00532.x, for groups.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> defects = torch.zeros(1, 10, 10)
    >>> defects[0, 2, 3] = 1
    >>> round(float(phyvae.Sparsity()(defects)), 3)  # one cell in a hundred
    0.1
    """

    sees_places = False

    def __init__(self, kind: Literal["l1", "group"] = "l1") -> None:
        super().__init__()
        self.kind = as_choice(kind, "kind", ("l1", "group"))

    def forward(self, maps: Maps, mask: Cells | None = None) -> Scalar:
        """Return the ratio of the norms, over the cells that count."""
        deviation, counts = from_background(maps, mask)
        if self.kind == "group":
            check_channels(maps, 'Sparsity(kind="group")', 2)
            deviation = length(deviation, dim=0)[None]
        norm = root(mean_over(deviation.square(), counts))
        return ratio(mean_over(deviation.abs(), counts), norm).mean()

    def __repr__(self) -> str:
        return f"Sparsity(kind={self.kind!r})"


def from_background(maps: Maps, mask: Cells | None) -> tuple[Maps, Cells]:
    """Return the standardised maps minus their (lower) median, 0 where no cell counts.

    The median is the level that most cells have, if more than half of them have one.
    """
    z, counts = scaled(maps, mask)
    ordered = sorted_cells(z, counts)
    middle = ((counts.sum() - 1) // 2).clamp(min=0).expand(len(z), 1)
    return masked(z - ordered.gather(1, middle)[..., None], mask)
