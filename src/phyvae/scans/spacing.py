"""The spacing of an image's strongest lattice planes."""

from typing import Any

import numpy as np
from jaxtyping import Float

from .cell import cell_of
from .faults import faults_of, levelled
from .planes import strongest_planes

__all__ = ["lattice_spacing", "spacing_of"]


def lattice_spacing(image: Any) -> float:
    r"""Return the spacing of the strongest lattice planes of an image, px.

    Of the widest planes of its `unit_cell` it is that with the highest peak in the power spectrum.
    A square lattice of constant :math:`a` has planes of spacing :math:`a` or, with a second atom
    in the middle of its cell, often strongest :math:`a / \sqrt 2`; a hexagonal one
    :math:`a \sqrt 3 / 2`. Patches of two to three spacings hold a unit cell.

    Parameters
    ----------
    image
        One scan, shape (height, width), any real dtype, at least 32 px either way.

    Raises
    ------
    ValueError
        If the image has no unit cell: noise, scan lines, one set of fringes.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(lattice=12.0, seed=0)
    >>> round(phyvae.lattice_spacing(phantom.image) * 2**0.5, 1)
    12.0
    """
    return spacing_of(faults_of(image).repaired)


def spacing_of(repaired: Float[np.ndarray, "height width"]) -> float:
    """Return the `lattice_spacing` of an image without faults."""
    values = levelled(repaired)
    return strongest_planes(values, cell_of(values).vectors)
