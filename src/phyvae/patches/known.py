"""Patches with what is known of each of them, the input of a model."""

from dataclasses import dataclass, replace

from jaxtyping import Float
from torch import Tensor

__all__ = ["Patches"]


@dataclass(frozen=True)
class Patches:
    """Patches, one row each, and the values that `PatchGrid.with_known` gave them, if any.

    Attributes
    ----------
    pixels
        Shape (n, *patch_shape).
    known
        Shape (n, values), NaN where unknown; ``None`` if the grid comes without known values.
    """

    pixels: Float[Tensor, "n *patch"]
    known: Float[Tensor, "n values"] | None = None

    def __len__(self) -> int:
        return len(self.pixels)

    def __getitem__(self, index: Tensor) -> "Patches":
        return Patches(self.pixels[index], None if self.known is None else self.known[index])

    @property
    def flat(self) -> Float[Tensor, "n pixels"]:
        """The pixels of each patch in a row."""
        return self.pixels.flatten(1)

    def showing(self, pixels: Float[Tensor, "n *patch"]) -> "Patches":
        """Return other pixels with the same known values."""
        return replace(self, pixels=pixels)
