"""The encoder of `ShiftVAE`: posteriors of patches, and of whole grids by sliding windows."""

import math
from collections.abc import Iterator
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .._checks import as_integer, brief
from ..compute.own_state import own_state
from ..patches.grid import PatchGrid
from ..patches.known import Patches
from .backend import fcEncoderNet
from .decoding import after_first, dense_tanh, is_dense_tanh
from .interface import PatchModel
from .posterior import Posterior
from .sliding import first_layer, pays

__all__ = ["PatchEncoder", "as_patches"]


class PatchEncoder(PatchModel):
    """The encoder half of `ShiftVAE`, with pyroVED's fully connected network or another one."""

    encoder_z: Any  # pyroVED's network, or the user's

    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the encoder's posteriors of patches of shape (n, *patch_shape).

        `dtype` is given in training: pyroVED's encoder with tanh runs its hidden layers in it.
        """
        pixels = patches.pixels.contiguous()  # pyroVED's encoder takes no other strides
        if tuple(pixels.shape[1:]) != self.patch_shape:
            raise ValueError(
                f"patches have shape {tuple(pixels.shape[1:])}, but this model was made for "
                f"{self.patch_shape}; use one patch size for both."
            )
        encoder = self.encoder_z
        if dtype is None or not is_dense_tanh(getattr(encoder, "fc_layers", None)):
            return Posterior(*encoder(pixels))
        hidden = dense_tanh(encoder.fc_layers, pixels.flatten(1), dtype)
        return Posterior(encoder.fc11(hidden), encoder.activation_out(encoder.fc12(hidden)))

    @own_state(grad=False)
    def encode(
        self, patches: Float[Tensor, "*any"], *, batch_size: int = 4096
    ) -> tuple[Float[Tensor, "n z_dim"], Float[Tensor, "n z_dim"]]:
        """Return means and standard deviations of the posterior, shifts first, on the CPU.

        As pyroVED's `encode`, but it runs on the model's device and uses no random numbers. Of
        patches, shape (n, *patch_shape), the pixels may come in a row, and channels, or rows and
        columns as of ``grid.patches``, before them.
        """
        as_integer(batch_size, "batch_size", 1, " patch")
        batches = as_patches(patches, self).split(batch_size)
        parts = [self.posterior(Patches(batch)) for batch in batches]
        return torch.cat([p.mean.cpu() for p in parts]), torch.cat([p.std.cpu() for p in parts])

    def posteriors(self, grid: PatchGrid, batch_size: int) -> Iterator[tuple[Tensor, Posterior]]:
        """Yield flat grid indices with the posterior there, in batches; each patch comes once."""
        if not (grid.is_raster and self._can_slide() and pays(grid)):
            yield from super().posteriors(grid, batch_size)
            return
        net, layers = self.encoder_z, self.encoder_z.fc_layers
        for index, first in first_layer(layers[0], grid, batch_size):
            hidden = after_first(layers, first)
            yield index, Posterior(net.fc11(hidden), net.activation_out(net.fc12(hidden)))

    def _can_slide(self) -> bool:
        """Return whether `posterior` is pyroVED's fully connected encoder, and nothing else."""
        net = self.encoder_z
        return (
            type(self).posterior is PatchEncoder.posterior
            and type(net) is fcEncoderNet
            and type(net.fc_layers[0]) is nn.Linear
            and net.fc_layers[0].weight.dtype in (torch.float32, torch.float64)
        )


def as_patches(patches: object, model: PatchModel) -> Float[Tensor, "n *patch"]:
    """Check that patches are a real tensor; return them in a row, for the model.

    Axes before those of a patch, as of ``grid.patches`` or of channels, become one; pixels may
    come in a row.
    """
    if not isinstance(patches, Tensor):
        raise TypeError(
            f"patches={brief(patches)} must be a tensor, shape (n, *patch_shape): "
            "torch.as_tensor(patches); of a PatchGrid, grid.gather(grid.indices)."
        )
    if patches.is_complex():
        raise TypeError(f"patches have dtype {patches.dtype}, but must be real.")
    shape = model.patch_shape
    is_flat = patches.ndim == 2 and patches.shape[1] == math.prod(shape)
    if is_flat or tuple(patches.shape[1:][-len(shape) :]) == shape:
        patches = patches.reshape(-1, *shape)
    return patches.to(model.like)
