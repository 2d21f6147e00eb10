"""The interface of a model of patches: training, latent maps and files."""

import abc
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from .._checks import as_integer
from ..compute.own_state import at_rest, own_state
from ..compute.progress import silent
from ..patches.grid import PatchGrid, check_grid
from ..patches.known import Patches
from ..saving import sealed
from ..saving.contents import AnyPath, versions
from ..saving.plain import plain
from .options import Decoding
from .posterior import Posterior

__all__ = ["PatchModel", "check_patches", "described_model"]


class PatchModel(nn.Module, abc.ABC):
    """A variational autoencoder of patches, a torch module that `PhysicsTrainer` trains.

    `ShiftVAE` is one; `phyvae.adapt` makes one of each pyroVED model. Five members are yours:
    `patch_shape`, `content`, `posterior`, `terms` and `floor`. The latent maps, on which the
    physics acts, are the columns `content` of the posterior's mean.

    `phyvae.models.PoseModel` adds maps of shifts and angles, and `phyvae.models.Refinable` adds
    the hooks of `phyvae.refine`.

    Attributes
    ----------
    patch_shape : tuple of int
        (height, width) of a patch, px, or (length,) of a spectrum.
    decodes_pixels : bool
        Whether `terms` and `floor` accept a subset of a patch's pixels.
    has_fast_path : bool
        Whether `posterior` and `terms` can run their hidden layers in bfloat16.
    trains_in_threads : bool
        Whether several such models can be trained in threads of one process.
    map_names : list of str or None
        Titles of the latent maps, for figures; ``None`` has them named z₁, z₂, ...

    Examples
    --------
    The latent maps of a model, here an untrained one, on the grid of its patches:

    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((60, 80)), size=20, step=10)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, latent_dim=2, seed=0)
    >>> isinstance(model, phyvae.PatchModel)
    True
    >>> model.latent_maps(grid).shape == (2, *grid.shape)
    True
    """

    patch_shape: tuple[int, ...]
    decodes_pixels: bool = False
    has_fast_path: bool = False
    trains_in_threads: bool = True
    map_names: Sequence[str] | None = None

    @property
    @abc.abstractmethod
    def content(self) -> slice:
        """Columns of the posterior's mean that make the latent maps."""

    @abc.abstractmethod
    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return the encoder's posterior of each patch, one row per patch.

        `dtype` is given in training: the type of the hidden layers.
        """

    @abc.abstractmethod
    def terms(
        self, patches: Patches, posterior: Posterior, beta: float, decoding: Decoding = Decoding()
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return reconstruction and KL of a batch, nats per patch.

        ``reconstruction + beta * kl`` is −ELBO, one sample of it. Its gradient reaches the
        decoder's parameters, and the encoder only through `posterior`, that of the same patches.
        """

    @abc.abstractmethod
    def floor(self, patches: Patches, pixels: Tensor | None = None) -> Float[Tensor, " n"]:
        """Return the lowest reconstruction that any decoder could reach, nats per patch."""

    @property
    def classes(self) -> slice | None:
        """Columns of the posterior's mean that are class probabilities, the last ones; if any."""
        return None

    def check(self, grid: PatchGrid) -> None:
        """Raise an error if the model cannot learn from the grid's intensities or known values."""

    def check_training(self, grids: Sequence[PatchGrid]) -> None:
        """Raise an error if the grids lack known values that training needs, unlike prediction."""

    @property
    def like(self) -> Tensor:
        """A tensor with the device and type of the model's weights."""
        parameter = next(self.parameters(), None)
        if parameter is None:
            raise ValueError(
                f"{type(self).__name__} has no parameters, so nothing can be trained."
            )
        return parameter.detach()

    def save(self, path: AnyPath) -> None:
        """Write the model to a file that `phyvae.load_model` reads, at once or not at all.

        The file is a safetensors file with the weights under their own names. A file that is
        there is replaced. Of a model other than `ShiftVAE` it holds the weights, and you make the
        model that they are loaded into.
        """
        record = {"versions": versions(), "model": described_model(self)}
        sealed.write(path, sealed.seal(record, self.state_dict()))

    def latent_maps(
        self, grid: PatchGrid, *, batch_size: int = 4096, progress: bool = True
    ) -> Float[Tensor, "channels rows cols"]:
        """Return the content means on the grid, shape (channels, rows, cols), on the CPU.

        Streams over the grid, so memory does not grow with the number of patches. Where patches
        overlap much, a `ShiftVAE` computes its first layer as a correlation with the image, and
        no patch is copied. Cells that hold no patch are NaN.

        Parameters
        ----------
        grid
            Patches of the model's shape, at any step.
        batch_size
            Patches encoded at a time; it does not change the result.
        progress
            Whether to show a progress bar, if it takes longer than two seconds.
        """
        return self.posterior_maps(
            grid, self.content, "mean", batch_size=batch_size, progress=progress
        )

    def latent_stds(
        self, grid: PatchGrid, *, batch_size: int = 4096, progress: bool = True
    ) -> Float[Tensor, "channels rows cols"]:
        """Return the encoder's standard deviations of the content, laid out as `latent_maps`."""
        return self.posterior_maps(
            grid, self.content, "std", batch_size=batch_size, progress=progress
        )

    @own_state(grad=False)
    def signal(self, grid: PatchGrid, *, batch_size: int = 4096) -> Float[Tensor, " channels"]:
        """Return the share of each latent map's variance that lies between patches.

        It is var(mean) / (var(mean) + mean of std squared) over the patches, 0 to 1, on the CPU:
        near 0, differences between cells are noise; near 1, each value is known well from its
        patch alone. `phyvae.segment` takes it as the weight of a map. Cells that hold no patch
        do not count.
        """
        check_patches(self, grid)
        parts = [posterior for _, posterior in self.posteriors(grid, batch_size)]
        mean, std = (torch.cat([getattr(one, n) for one in parts]) for n in ("mean", "std"))
        return Posterior(mean, std).signal()[self.content].cpu()

    @own_state(grad=False)
    def posterior_maps(
        self,
        grid: PatchGrid,
        columns: slice,
        statistic: Literal["mean", "std"] = "mean",
        *,
        batch_size: int = 4096,
        progress: bool = True,
    ) -> Float[Tensor, "columns rows cols"]:
        """Return columns of the posterior, content or other latents, laid out as `latent_maps`."""
        check_patches(self, grid)
        as_integer(batch_size, "batch_size", 1, " patch")
        maps: Tensor | None = None
        hidden = silent(progress)
        with (
            at_rest(self),
            tqdm(total=grid.count, disable=hidden, delay=2, unit="patch", desc="encode") as bar,
        ):
            for index, posterior in self.posteriors(grid, batch_size):
                values = getattr(posterior, statistic)[:, columns].T
                if maps is None:
                    maps = values.new_full((len(values), len(grid)), torch.nan, device="cpu")
                maps[:, index] = values.to(maps)
                bar.update(len(index))
        assert maps is not None
        return maps.reshape(-1, *grid.shape)

    def posteriors(self, grid: PatchGrid, batch_size: int) -> Iterator[tuple[Tensor, Posterior]]:
        """Yield flat grid indices with the posterior there, in batches; each patch comes once."""
        for index in grid.indices.split(batch_size):
            yield index, self.posterior(grid.data(index, self.like))


def check_patches(model: PatchModel, grid: Any, name: str = "grid") -> None:
    """Raise an error unless `grid` is a patch grid whose patches suit the model."""
    check_grid(grid, name)
    if grid.patch_shape != model.patch_shape:
        raise ValueError(
            f"the {name}'s patches are {grid.patch_shape}, but the model was made for "
            f"{model.patch_shape}; make it anew with grid.patch_shape, or cut patches of "
            "size=model.patch_shape."
        )
    model.check(grid)


def described_model(model: PatchModel) -> dict[str, Any]:
    """Return class, type of number and settings of a model as JSON holds them."""
    settings = getattr(model, "settings", {})
    return {
        "class": type(getattr(model, "vae", model)).__qualname__,
        "dtype": str(model.like.dtype).removeprefix("torch."),
        "settings": {name: plain(value) for name, value in settings.items()},
    }
