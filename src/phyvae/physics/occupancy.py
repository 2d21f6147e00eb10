"""Entropy of classes in latent maps: few classes in a map, or one clear class in each cell."""

import math
from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import as_choice, as_positive
from .base import PhysicsLoss
from .checking import check_channels
from .finite import ratio
from .masking import Cells, Maps, Scalar, mean_over
from .standardising import scaled

__all__ = ["ClassOccupancy"]


class ClassOccupancy(PhysicsLoss):
    r"""Entropy of class occupancy, for maps with one channel a class: few classes, or sharp ones.

    .. math:: \Psi = \frac{H(\langle p \rangle)}{\ln K} \quad \text{or} \quad
        \frac{\langle H(p) \rangle}{\ln K} \in [0, 1], \qquad H(p) = -\sum_c p_c \ln p_c

    for ``of="map"`` and ``of="cells"``, with :math:`p = \operatorname{softmax}(z / T)` over the K
    channels of the standardised map (mean 0, standard deviation 1 per channel). The first is 0 if
    one class has all cells and 1 if all classes have the same area: it empties classes. The second
    is 0 if every cell belongs to one class and 1 if none is decided.

    Parameters
    ----------
    of
        ``"map"``, or ``"cells"``.
    temperature
        :math:`T` of the softmax, in standard deviations of the map, > 0.
    scaling
        ``"standard"``, for content latents that stand for a class each; ``"none"``, the softmax
        of the maps as they are; or ``"probabilities"``, for the classes of a ``jiVAE`` or an
        ``ssiVAE``: the maps are probabilities already, each cell's divided by their sum, and
        there is no softmax. The last two break the law on scale and offset. A trainer refuses
        ``"probabilities"`` of content latents, and classes mixed with content latents.

    Notes
    -----
    It breaks two laws on purpose. "A flat map is free": in a flat map all classes are equally
    likely, and the entropy is largest. "Noise costs more than one wall": this loss does not depend
    on where cells are, and the wall of that law is the same in all channels.

    References
    ----------
    Shannon (1948), https://doi.org/10.1002/j.1538-7305.1948.tb01338.x

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> halves = torch.zeros(3, 8, 8)
    >>> halves[0, :4] = halves[1, 4:] = 1
    >>> loss = phyvae.ClassOccupancy(scaling="probabilities")
    >>> round(float(loss(halves)), 4)  # ln 2 / ln 3: two of three classes
    0.6309
    """

    sees_places = False

    def __init__(
        self,
        of: Literal["map", "cells"] = "map",
        *,
        temperature: float = 0.5,
        scaling: Literal["standard", "none", "probabilities"] = "standard",
    ) -> None:
        super().__init__()
        self.of = as_choice(of, "of", ("map", "cells"))
        self.temperature = as_positive(temperature, "temperature")
        self.scaling = as_choice(scaling, "scaling", ("standard", "none", "probabilities"))

    def forward(self, maps: Maps, mask: Cells | None = None) -> Scalar:
        """Return the entropy as a part of its maximum, over the cells that count."""
        check_channels(maps, "ClassOccupancy", 2)
        z, counts = scaled(maps, mask, self.scaling)
        if self.scaling == "probabilities":
            z = z.clamp(min=0)
            total = z.sum(0)
            # A cell of zeros is undecided.
            p = torch.where(total > 0, ratio(z, total), 1 / len(maps))
        else:
            p = (z / self.temperature).softmax(0)
        if self.of == "map":
            entropy = _entropy(mean_over(p, counts))
        else:
            entropy = mean_over(_entropy(p), counts)
        return entropy / math.log(len(maps))

    def check_kinds(self, classes: Sequence[bool]) -> None:
        """Raise an error unless the maps are probabilities of classes, or all are to become so."""
        probabilities = self.scaling == "probabilities"
        if all(classes) or not (probabilities or any(classes)):
            return
        those = [k for k, is_class in enumerate(classes) if is_class]
        cure = f"choose the classes: PhysicsObjective(..., channels={those})"
        if not those:
            cure = "a softmax makes them so: scaling='standard'"
        raise ValueError(
            f"{self!r} acts on {len(classes)} maps, of which {len(classes) - len(those)} are no "
            f"class probabilities; {cure}."
        )

    def __repr__(self) -> str:
        return (
            f"ClassOccupancy(of={self.of!r}, temperature={self.temperature:g}, "
            f"scaling={self.scaling!r})"
        )


def _entropy(p: Float[Tensor, "classes *cells"]) -> Float[Tensor, "*cells"]:
    """Return the entropy over the first axis, nats; the slope at probability 0 is finite."""
    terms: Tensor = p * p.clamp(min=torch.finfo(p.dtype).tiny).log()
    return 0.0 - terms.sum(0).clamp(max=0)  # rounding must not make it negative
