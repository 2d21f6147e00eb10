"""Patches, with what is known of each beside its pixels."""

from dataclasses import dataclass

from jaxtyping import Float
from torch import Tensor

__all__ = ["Data", "KnownPatches", "pixels_of"]


@dataclass(frozen=True)
class KnownPatches:
    """Patches and the values that `PatchGrid.with_known` gave them, one row each; NaN: unknown."""

    patches: Float[Tensor, "n *patch"]
    known: Float[Tensor, "n values"]

    def __len__(self) -> int:
        return len(self.patches)

    def __getitem__(self, index: Tensor) -> "KnownPatches":
        return KnownPatches(self.patches[index], self.known[index])


Data = Tensor | KnownPatches
"""What a model is given: patches, shape (n, *patch_shape), alone or with what is known of them."""


def pixels_of(data: Data) -> Float[Tensor, "n *patch"]:
    """Return the patches without what is known of them."""
    return data.patches if isinstance(data, KnownPatches) else data
