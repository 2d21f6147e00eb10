"""What parts a real image from an ideal one: settings of the specimen and of the recording."""

from dataclasses import dataclass

import numpy as np

from .._checks import as_integer, as_number

__all__ = ["Flaws"]


@dataclass(frozen=True, kw_only=True)
class Flaws:
    """Imperfections of specimen and recording, for `bfo`, `nio_lsmo`, `perovskite`, `graphene`.

    Each has its own random numbers, from the phantom's `seed`: to switch one on moves no other.

    Attributes
    ----------
    rotation
        Angle between specimen and scan, degrees, -180 to 180, about the image's centre; a
        direction along x turns towards y, clockwise as images are shown.
    strain
        Largest component of the gradient of a slow displacement field, 0 to 0.1. It has no more
        than about one period in the image: no domain.
    thickness
        Largest relative change of the intensity by a slow change of the specimen's thickness, 0
        to 0.9. Only for STEM.
    vacuum
        Share of the image beyond the specimen's edge, 0 to 0.5. Only for STEM.
    residue
        Number of patches of residue (contamination). Their middle saturates the detector.
    pixel_aspect
        Height of a pixel divided by its width, 0.5 to 2. Lengths in px are in widths.
    dead_rows, hot_rows
        Number of scan lines at the lowest value of the image, and above its highest one.
    dead_pixels, hot_pixels
        Number of pixels at the lowest value of the image, and 1 to 10 times its range above it.

    Raises
    ------
    ValueError
        If one is out of its range.
    TypeError
        If one is no number, or a count is no whole number.

    Examples
    --------
    >>> import phyvae
    >>> flaws = phyvae.phantoms.Flaws(rotation=12.0, strain=0.02, vacuum=0.1)
    >>> phantom = phyvae.phantoms.perovskite(flaws=flaws, seed=0)
    >>> sorted({int(label) for label in phantom.domains.flat})  # -1 is vacuum
    [-1, 0]
    """

    rotation: float = 0.0
    strain: float = 0.0
    thickness: float = 0.0
    vacuum: float = 0.0
    residue: int = 0
    pixel_aspect: float = 1.0
    dead_rows: int = 0
    hot_rows: int = 0
    dead_pixels: int = 0
    hot_pixels: int = 0

    def __post_init__(self) -> None:
        for name, (least, most) in _RANGES.items():
            value = as_number(getattr(self, name), name)
            if not least <= value <= most:
                raise ValueError(f"{name}={value:g} must lie in [{least:g}, {most:g}].")
        for name in _COUNTS:
            as_integer(getattr(self, name), name, 0)

    def check_shape(self, shape: tuple[int, int]) -> None:
        """Raise an error if faults would take more than a tenth of an image."""
        rows = self.dead_rows + self.hot_rows
        if rows > shape[0] / 10:
            raise ValueError(
                f"dead_rows={self.dead_rows} and hot_rows={self.hot_rows} are more than a tenth "
                f"of the {shape[0]} rows; reduce them."
            )
        pixels = self.dead_pixels + self.hot_pixels
        if pixels > np.prod(shape) / 10:
            raise ValueError(
                f"dead_pixels={self.dead_pixels} and hot_pixels={self.hot_pixels} are more than "
                f"a tenth of the {shape[0]} x {shape[1]} pixels; reduce them."
            )


_RANGES = {
    "rotation": (-180.0, 180.0),
    "strain": (0.0, 0.1),
    "thickness": (0.0, 0.9),
    "vacuum": (0.0, 0.5),
    "pixel_aspect": (0.5, 2.0),
}
_COUNTS = ("residue", "dead_rows", "hot_rows", "dead_pixels", "hot_pixels")
