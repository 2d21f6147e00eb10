"""Relations between latents: uncorrelated, mutually exclusive, or tied by a formula."""

import inspect
from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from .._checks import as_choice
from .base import PhysicsLoss
from .checking import check_channels
from .finite import ratio, root
from .masking import Cells, Maps, Scalar, mean_over
from .sparsity import from_background
from .standardising import scaled

__all__ = ["Decorrelation", "Exclusiveness", "Relation"]


class Decorrelation(PhysicsLoss):
    r"""Mean squared correlation coefficient between channels: independent latents.

    .. math:: \Psi = \langle r_{ab}^2 \rangle_{a < b} \in [0, 1], \qquad
        r_{ab} = \langle z_a z_b \rangle

    of the standardised maps (mean 0, standard deviation 1 per channel), over all pairs of
    channels, at least one. Two equal or opposite maps have 1.

    Notes
    -----
    It breaks the law "noise costs more than one wall" on purpose: it does not see where cells
    are, and noise is uncorrelated.

    References
    ----------
    Cogswell et al. (2016), Reducing overfitting in deep networks by decorrelating representations,
    https://arxiv.org/abs/1511.06068. There the covariances are summed, which shrinks with the map.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> map = torch.linspace(0, 1, 64).reshape(8, 8)
    >>> round(float(phyvae.Decorrelation()(torch.stack([map, -map]))), 3)
    1.0
    """

    sees_places = False

    def __init__(self) -> None:
        super().__init__()  # a torch module would take any argument

    def forward(self, maps: Maps, mask: Cells | None = None) -> Scalar:
        """Return the mean squared correlation, over the cells that count."""
        check_channels(maps, "Decorrelation", 2)
        z, counts = scaled(maps, mask)
        return _mean_of_pairs(mean_over(z[:, None] * z, counts).square())

    def __repr__(self) -> str:
        return "Decorrelation()"


class Exclusiveness(PhysicsLoss):
    r"""Overlap of the channels: where one leaves its background, the others stay there.

    .. math:: \Psi = \Big\langle \frac{\langle d_a^2 d_b^2 \rangle}
        {\sqrt{\langle d_a^4 \rangle \langle d_b^4 \rangle}} \Big\rangle_{a < b} \in [0, 1],
        \qquad d = z - \operatorname{median} z

    over all pairs of channels, at least one. It is 0 if no cell differs from the background in two
    channels, and 1 if all channels do so in the same way. The background is the level of more than
    half of the cells; if no level is, it is the median all the same.

    Notes
    -----
    It breaks the law "noise costs more than one wall" on purpose: in that law both channels have
    the same wall, and that is what this loss punishes.

    References
    ----------
    The cosine between the squared deviations; as a physics loss of maps it is ours.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> phases = torch.zeros(2, 9, 9)
    >>> phases[0, :3] = phases[1, 6:] = 1
    >>> float(phyvae.Exclusiveness()(phases))
    0.0
    """

    sees_places = False

    def __init__(self) -> None:
        super().__init__()  # a torch module would take any argument

    def forward(self, maps: Maps, mask: Cells | None = None) -> Scalar:
        """Return the mean overlap of two channels, over the cells that count."""
        check_channels(maps, "Exclusiveness", 2)
        deviation, counts = from_background(maps, mask)
        activity = deviation.square()
        norm = root(mean_over(activity.square(), counts))
        activity = ratio(activity, norm[:, None, None])
        return _mean_of_pairs(mean_over(activity[:, None] * activity, counts))

    def __repr__(self) -> str:
        return "Exclusiveness()"


class Relation(PhysicsLoss):
    r"""Mean square of a function that should vanish, :math:`\Psi = \langle f(z_1, z_2)^2 \rangle`.

    Parameters
    ----------
    function
        It takes the maps one by one, each of shape (rows, cols), and returns a map of that shape:
        ``lambda z1, z2: z1**2 + z2**2 - 2`` for an order parameter of fixed length. Write it with
        torch, so that it has a gradient.
    scaling
        ``"standard"``, each map with mean 0 and standard deviation 1; or ``"none"``, the maps as
        they are, which breaks the law on scale and offset.

    Notes
    -----
    Whether a flat map is free, and noise is not, depends on the function. A checkpoint does not
    hold its code: loading needs ``objective=...``.

    References
    ----------
    The penalty method, for example Nocedal & Wright (2006), Numerical Optimization, chapter 17,
    https://doi.org/10.1007/978-0-387-40065-5

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> parallel = phyvae.Relation(lambda z1, z2: z1 - z2)
    >>> map = torch.linspace(0, 1, 64).reshape(8, 8)
    >>> round(float(parallel(torch.stack([map, 3 * map]))), 3)
    0.0
    """

    sees_places = False

    def __init__(
        self, function: Callable[..., Tensor], *, scaling: Literal["standard", "none"] = "standard"
    ) -> None:
        super().__init__()
        if not callable(function) or isinstance(function, type | PhysicsLoss):
            raise TypeError(
                f"function={function!r} must be a function of the maps, (z1, z2) -> map."
            )
        self.function = function
        self.scaling = as_choice(scaling, "scaling", ("standard", "none"))

    def forward(self, maps: Maps, mask: Cells | None = None) -> Scalar:
        """Return the mean square of the function, over the cells that count."""
        z, counts = scaled(maps, mask, self.scaling)
        try:
            inspect.signature(self.function).bind(*z)
        except TypeError as error:
            raise ValueError(
                f"maps have {len(z)} channel(s), but {self!r} does not take as many ({error}); "
                "choose the channels by OnChannels(..., [...])."
            ) from None
        value = self.function(*z)
        if not isinstance(value, Tensor) or value.shape != counts.shape:
            got = tuple(value.shape) if isinstance(value, Tensor) else type(value).__name__
            raise ValueError(
                f"{self!r} returned {got}, but must return a map of shape {tuple(counts.shape)} "
                "(rows, cols); it is squared and averaged here."
            )
        return mean_over(torch.where(counts, value, 0.0).square(), counts)

    def __repr__(self) -> str:
        name = getattr(self.function, "__name__", type(self.function).__name__)
        return f"Relation({name}, scaling={self.scaling!r})"


def _mean_of_pairs(values: Float[Tensor, "channels channels"]) -> Scalar:
    """Return the mean above the diagonal."""
    count = len(values)
    return values.triu(1).sum() / (count * (count - 1) / 2)
