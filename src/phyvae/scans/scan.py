"""One recorded image with its calibration."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Shaped

from .._checks import brief, sides_of

__all__ = ["Scan"]


@dataclass(frozen=True, eq=False, repr=False)
class Scan:
    """One recorded image, or spectrum image, with its calibration; see `phyvae.read`.

    Attributes
    ----------
    image : ndarray
        Intensities, shape (height, width), real; NaN where nothing was recorded. Of a spectrum
        image, the mean of each spectrum.
    pixel_size : tuple of float or None
        Height and width of a pixel, nm; one number, when a scan is made, counts for both.
        ``None`` without calibration.
    cube : ndarray or None
        Spectra of a spectrum image, shape (height, width, length).
    axis : ndarray or None
        Values of the spectral axis, shape (length,).
    axis_unit : str
        Unit of the spectral axis.
    name : str
        Name of the scan: that of its file, without the folder.
    channel : str
        Which of `channels` this is.
    channels : tuple of str
        All channels of the file.
    metadata : mapping
        Metadata of the file, as the file has them.
    notes : tuple of str
        What was decided in reading, in words, such as how colours became intensities.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> phyvae.Scan(np.zeros((300, 400)), pixel_size=0.02)
    Scan('scan', 300 x 400 px, pixel 0.02 x 0.02 nm)
    """

    image: Shaped[np.ndarray, "height width"]
    pixel_size: Any = None  # one number, or two, is taken; two, or None, are kept
    cube: Shaped[np.ndarray, "height width length"] | None = None
    axis: Float[np.ndarray, " length"] | None = None
    axis_unit: str = ""
    name: str = "scan"
    channel: str = ""
    channels: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if np.ndim(self.image) != 2:
            raise ValueError(
                f"image={brief(self.image)} must have two axes, (height, width); make a scan of "
                "each frame of a stack; of spectra pass the mean, and all of them as cube=..."
            )
        if self.pixel_size is not None:
            height, width = sides_of(self.pixel_size)
            object.__setattr__(self, "pixel_size", (float(height), float(width)))

    @property
    def unit(self) -> str:
        """Unit of lengths: ``"nm"``, or ``"px"`` without calibration."""
        return "px" if self.pixel_size is None else "nm"

    def __repr__(self) -> str:
        shape = self.image.shape if self.cube is None else self.cube.shape
        size = self.pixel_size
        scale = "no pixel size" if size is None else f"pixel {size[0]:.4g} x {size[1]:.4g} nm"
        channel = f", channel {self.channel!r}" if self.channel else ""
        return f"Scan({self.name!r}{channel}, {' x '.join(map(str, shape))} px, {scale})"
