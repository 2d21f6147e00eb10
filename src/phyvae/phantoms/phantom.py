"""The result of a simulation: an image with its ground truth."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from ..scans.scan import Scan

__all__ = ["Phantom"]


@dataclass(frozen=True, eq=False, repr=False)
class Phantom:
    """A simulated image with its ground truth.

    Attributes
    ----------
    image
        The recorded image, shape (height, width), float32. Noise is added and never clipped; then
        the image is scaled so that its minimum is 0 and its maximum 1.
    clean
        The same without noise, on the scale of `image`: their difference is the noise and, at
        `faulty` pixels, the fault.
    domains
        The label of the domain at each pixel, shape (height, width), 0 to ``len(names) - 1``;
        -1 where the image shows no specimen: in vacuum, and where residue alone saturates.
    sites
        Unit cell origins as they appear in the image, shape (n, 2), (y, x) in px: centres for
        atom-centred patches. A columns of perovskites, all columns of NiO, maxima of graphene.
    lattice
        Lattice constant, px.
    names
        The domains' names, in the order of the labels.
    faulty
        Which pixels are dead or hot, bool, shape (height, width).
    pixel_size
        Height and width of a pixel, nm, by the lattice constant of the material.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.nio_lsmo((160, 172), seed=0)
    >>> phantom.image.shape, phantom.names
    ((160, 172), ('NiO', 'LSMO'))
    >>> float((phantom.image - phantom.clean).std()) > 0  # its noise
    True
    >>> phantom.scan  # with the pixel size of LSMO
    Scan('phantom', 160 x 172 px, pixel 0.03071 x 0.03071 nm)
    """

    image: Float[np.ndarray, "height width"]
    clean: Float[np.ndarray, "height width"]
    domains: Int[np.ndarray, "height width"]
    sites: Float[np.ndarray, "sites 2"]
    lattice: float
    names: tuple[str, ...]
    faulty: Bool[np.ndarray, "height width"]
    pixel_size: tuple[float, float]

    @property
    def scan(self) -> Scan:
        """The image with its pixel size."""
        return Scan(self.image, self.pixel_size, name="phantom")

    def __repr__(self) -> str:
        height, width = self.image.shape
        return (
            f"Phantom({height} x {width} px, lattice={self.lattice:g} px, "
            f"domains: {', '.join(self.names)})"
        )
