"""Number of domains in latent maps."""

import numpy.typing as npt
from torch import Tensor

from ..patches.grid import PatchGrid
from .evidence import domain_evidence

__all__ = ["count_domains"]


def count_domains(
    maps: npt.ArrayLike | Tensor,
    most: int = 6,
    *,
    grid: PatchGrid | None = None,
    wall: float | None = None,
    seed: int = 0,
    mask: npt.ArrayLike | Tensor | None = None,
) -> int:
    """Return the number of domains in latent maps, for `segment`; 1 if there are none.

    Parameters
    ----------
    maps, most, grid, wall, seed, mask
        As for `domain_evidence`, which also returns the reasons.

    Returns
    -------
    int
        Number of domains, 1 to `most`.

    Raises
    ------
    ValueError
        As `domain_evidence`.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> rng = np.random.default_rng(0)
    >>> halves = np.repeat([0.0, 1.0], 12) + rng.normal(0, 0.2, (24, 24))
    >>> phyvae.count_domains(halves), phyvae.count_domains(rng.normal(0, 0.2, (24, 24)))
    (2, 1)
    """
    return domain_evidence(maps, most, grid=grid, wall=wall, seed=seed, mask=mask).number
