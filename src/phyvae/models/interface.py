"""What training, and all that makes maps, asks of a model."""

import abc
from collections.abc import Iterator
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from ..known import Data
from ..patches import PatchGrid
from ..posterior import Posterior

__all__ = ["PatchModel", "check_patches"]


class PatchModel(nn.Module, abc.ABC):
    """A model of patches, a torch module that `PhysicsTrainer` can train.

    `ShiftVAE` is one; `phyvae.adapt` makes one of each pyroVED model. What the physics acts on
    are the columns `content` of the posterior's mean. Five members are needed: `patch_shape`,
    `content`, `posterior`, `terms` and `floor`.

    Attributes
    ----------
    patch_shape : tuple of int
        (height, width) of a patch, px, or (length,) of a spectrum.
    decodes_pixels : bool
        Whether `terms` and `floor` can do with a part of a patch's pixels.
    has_fast_path : bool
        Whether `posterior` and `terms` can run their hidden layers in bfloat16, and compiled.
    trains_in_threads : bool
        Whether several such models can be trained in threads of one process.
    """

    patch_shape: tuple[int, ...]
    decodes_pixels: bool = False
    has_fast_path: bool = False
    trains_in_threads: bool = True

    @property
    @abc.abstractmethod
    def content(self) -> slice:
        """Columns of the posterior's mean that make the latent maps."""

    @abc.abstractmethod
    def posterior(self, patches: Data, dtype: torch.dtype | None = None) -> Posterior:
        """Return what the encoder says of each patch, one row each.

        With `dtype`, as in training: the hidden layers run in it.
        """

    @abc.abstractmethod
    def terms(
        self,
        patches: Data,
        posterior: Posterior,
        beta: float,
        *,
        generator: torch.Generator | None = None,
        pixels: Tensor | None = None,
        dtype: torch.dtype | None = None,
        compiled: bool = False,
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return reconstruction and KL of a batch, nats per patch.

        ``reconstruction + beta * kl`` is −ELBO, one sample of it; its gradient reaches the
        parameters and `posterior`, of the same patches, through which alone the encoder is seen.
        """

    @abc.abstractmethod
    def floor(self, patches: Data, pixels: Tensor | None = None) -> Float[Tensor, " n"]:
        """Return the lowest reconstruction that any decoder could reach, nats per patch."""

    def check(self, grid: PatchGrid) -> None:
        """Raise an error if the model cannot learn from the grid's intensities or known values."""

    @property
    def columns(self) -> dict[str, slice]:
        """What the columns of the posterior's mean are, by name: ``"content"``, ``"shift"``..."""
        return {"content": self.content}

    @property
    def like(self) -> Tensor:
        """A tensor with the device and type of the model's weights."""
        return next(self.parameters()).detach()

    def latent_maps(
        self, grid: PatchGrid, *, batch_size: int = 4096, progress: bool = True
    ) -> Float[Tensor, "channels rows cols"]:
        """Return the content means on the grid, shape (channels, rows, cols), on the CPU.

        Streams over the grid, so memory does not grow with the number of patches. Where patches
        overlap much, a `ShiftVAE` computes its first layer as a correlation with the image, see
        `phyvae.sliding`, and no patch is copied. Cells that hold no patch are NaN.

        Parameters
        ----------
        grid
            Patches of the model's shape, at any step.
        batch_size
            Patches encoded at a time; it does not change the result.
        progress
            Whether to show a progress bar, if it takes longer than two seconds.
        """
        return self._map(grid, "mean", self.content, batch_size, progress)

    def latent_stds(
        self, grid: PatchGrid, *, batch_size: int = 4096, progress: bool = True
    ) -> Float[Tensor, "channels rows cols"]:
        """Return the encoder's standard deviations of the content, laid out as `latent_maps`."""
        return self._map(grid, "std", self.content, batch_size, progress)

    @torch.no_grad()
    def _map(
        self,
        grid: PatchGrid,
        name: Literal["mean", "std"],
        columns: slice,
        batch_size: int,
        progress: bool,
    ) -> Float[Tensor, "columns rows cols"]:
        """Return columns of the posterior as maps on the CPU, streaming over the grid."""
        check_patches(self, grid)
        maps: Tensor | None = None
        with tqdm(
            total=grid.count, disable=not progress, delay=2, unit="patch", unit_scale=True
        ) as bar:
            for index, posterior in self._posteriors(grid, batch_size):
                values = getattr(posterior, name)[:, columns].T
                if maps is None:
                    maps = values.new_full((len(values), len(grid)), torch.nan, device="cpu")
                maps[:, index] = values.to(maps)
                bar.update(len(index))
        assert maps is not None
        return maps.reshape(-1, *grid.shape)

    def _posteriors(self, grid: PatchGrid, batch_size: int) -> Iterator[tuple[Tensor, Posterior]]:
        """Yield flat grid indices, and the posterior there, until all patches have come once."""
        for index in grid.indices.split(batch_size):
            yield index, self.posterior(grid.data(index, self.like))


def check_patches(model: PatchModel, grid: Any) -> None:
    """Raise an error unless `grid` is a patch grid whose patches suit the model."""
    if not isinstance(grid, PatchGrid):
        raise TypeError(
            f"grid is of type {type(grid).__name__}, but must be a PatchGrid: "
            "PatchGrid(image, size=..., step=...)."
        )
    if grid.patch_shape != model.patch_shape:
        raise ValueError(
            f"the grid's patches are {grid.patch_shape}, but the model was made for "
            f"{model.patch_shape}: ShiftVAE(grid.patch_shape, ...)."
        )
    model.check(grid)
