"""How one lattice changes into another: equivalent bases, rotation and strain."""

import numpy as np
from jaxtyping import Float

__all__ = ["equivalent_bases", "tilt_and_strain"]

_SAME_LATTICE = 20.0  # per cent: more strain is another lattice

Vectors = Float[np.ndarray, "2 2"]


def equivalent_bases(one: Vectors, two: Vectors) -> tuple[Vectors, Vectors] | None:
    """Return the integer matrices that bring two bases to the most alike ones of a common cell.

    The larger cell is taken for up to four of the smaller one's.
    """
    larger_first = abs(np.linalg.det(one)) > abs(np.linalg.det(two))
    large, small = (one, two) if larger_first else (two, one)
    every = np.stack(np.meshgrid(*4 * [np.arange(-3, 4)], indexing="ij"), -1).reshape(-1, 2, 2)
    determinants = np.round(np.linalg.det(every))
    every = every[(determinants >= 1) & (determinants <= 4)].astype(float)
    tilt, high, low = tilt_and_strain(every @ small, large)
    cost = np.deg2rad(np.abs(tilt)) + 4 * np.hypot(high, low) / 100
    best = every[cost.argmin()]
    if max(abs(high[cost.argmin()]), abs(low[cost.argmin()])) > _SAME_LATTICE:
        return None
    whole, part = np.eye(2), np.linalg.inv(best)
    return (part, whole) if larger_first else (whole, part)


def tilt_and_strain(one: np.ndarray, two: np.ndarray) -> Float[np.ndarray, "3 ..."]:
    """Return the tilt, degrees, and principal strains, per cent, of ``two = one @ F``."""
    change = np.linalg.solve(*np.broadcast_arrays(one, two))
    # x towards y is clockwise as images are shown.
    turn = np.arctan2(change[..., 0, 1] - change[..., 1, 0], change[..., 0, 0] + change[..., 1, 1])
    stretches = np.linalg.svd(change, compute_uv=False)
    strains = 100 * (np.moveaxis(stretches, -1, 0) - 1)
    return np.stack([np.degrees(turn), *strains])
