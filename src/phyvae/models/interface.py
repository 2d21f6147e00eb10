"""What training, and all that makes maps, asks of a model."""

import abc
import contextlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from .._checks import as_integer
from ..patches.grid import PatchGrid
from ..patches.known import Patches
from ..saving.contents import AnyPath
from .description import save_model
from .likelihood import Sampler
from .options import Decoding
from .posterior import Posterior

__all__ = ["PatchModel", "at_rest", "check_patches", "px_per_shift"]


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
        Whether `posterior` and `terms` can run their hidden layers in bfloat16.
    trains_in_threads : bool
        Whether several such models can be trained in threads of one process.
    draws_patches : bool
        Whether the decoder draws the patches themselves, and not what is known of them.
    knows_its_noise : bool
        Whether the posterior's deviations are the encoder's own, patch by patch: not those of
        classes, or of properties.
    sampler_name : str
        Distribution of a pixel, ``"bernoulli"``, ``"continuous_bernoulli"`` or ``"gaussian"``, and
    decoder_sig : float
        its standard deviation if it is Gaussian; `phyvae.refine` needs both.
    class_weight : float
        Weight of the KL divergence of classes, in that of the other latents.
    map_names : list of str or None
        Titles of the latent maps, for figures; ``None`` has them named z₁, z₂, ...
    """

    patch_shape: tuple[int, ...]
    decodes_pixels: bool = False
    has_fast_path: bool = False
    trains_in_threads: bool = True
    draws_patches: bool = True
    knows_its_noise: bool = True
    sampler_name: Sampler = "bernoulli"
    decoder_sig: float = 0.0
    class_weight: float = 1.0
    map_names: Sequence[str] | None = None

    @property
    @abc.abstractmethod
    def content(self) -> slice:
        """Columns of the posterior's mean that make the latent maps."""

    @abc.abstractmethod
    def posterior(self, patches: Patches, dtype: torch.dtype | None = None) -> Posterior:
        """Return what the encoder says of each patch, one row each.

        With `dtype`, as in training: the hidden layers run in it.
        """

    @abc.abstractmethod
    def terms(
        self,
        patches: Patches,
        posterior: Posterior,
        beta: float,
        decoding: Decoding = Decoding(),
    ) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
        """Return reconstruction and KL of a batch, nats per patch.

        ``reconstruction + beta * kl`` is −ELBO, one sample of it; its gradient reaches the
        parameters and `posterior`, of the same patches, through which alone the encoder is seen.
        """

    @abc.abstractmethod
    def floor(self, patches: Patches, pixels: Tensor | None = None) -> Float[Tensor, " n"]:
        """Return the lowest reconstruction that any decoder could reach, nats per patch."""

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches
    ) -> Float[Tensor, "n pixels"]:
        """Return the mean of each pixel of patches that have these latents, for `phyvae.refine`.

        `patches` only tells what is known beside the pixels.
        """
        raise NotImplementedError(
            f"{type(self).__name__} has latents that are no continuous numbers, or does not say "
            "what it draws from them, so its maps cannot be refined."
        )

    def prior(self, patches: Patches, posterior: Posterior) -> Posterior:
        """Return what is held of the latents before the pixels are seen, for `phyvae.refine`."""
        return Posterior(torch.zeros_like(posterior.mean), torch.ones_like(posterior.mean))

    @property
    def classes(self) -> slice | None:
        """Columns of the posterior's mean that are class probabilities, the last ones; if any."""
        return None

    def class_losses(
        self, patches: Patches, posterior: Posterior
    ) -> tuple[Float[Tensor, "n classes pixels"], Float[Tensor, "n classes"]]:
        """Return each pixel's negative log-likelihood by class, and the KL of the other latents.

        At their means; for `phyvae.refine`.
        """
        raise NotImplementedError(f"{type(self).__name__} has no classes.")

    def targets(self, patches: Patches) -> Float[Tensor, "n pixels"]:
        """Return what the decoder is to draw: the patches themselves."""
        return patches.flat

    @property
    def shift_scale(self) -> Float[Tensor, " axes"]:
        """Displacement in px, down and to the right positive, of one unit of each shift latent.

        Empty for a model without shifts.
        """
        return self.like.new_empty(0)

    def displacements(self, moves: Float[Tensor, "n moves"]) -> Float[Tensor, "n axes"]:
        """Return how far each patch's content lies from where it is drawn, px; see `shifts`.

        `moves` are the columns of latents that come before the content.
        """
        shift: Tensor = moves[:, self.columns.get("shift", slice(0, 0))]
        return shift * self.shift_scale.to(shift)

    def check(self, grid: PatchGrid) -> None:
        """Raise an error if the model cannot learn from the grid's intensities or known values."""

    def check_training(self, grids: Sequence[PatchGrid]) -> None:
        """Raise an error if training lacks what prediction does without."""

    @property
    def columns(self) -> dict[str, slice]:
        """What the columns of the posterior's mean are, by name: ``"content"``, ``"shift"``..."""
        return {"content": self.content}

    @property
    def like(self) -> Tensor:
        """A tensor with the device and type of the model's weights."""
        return next(self.parameters()).detach()

    def save(self, path: AnyPath) -> None:
        """Write the model to a file that `phyvae.load_model` reads, at once or not at all.

        The file is a safetensors file with the weights under their own names. A file that is
        there is replaced. Of a model other than `ShiftVAE` it holds the weights, and you make the
        model that they are loaded into.
        """
        save_model(self, path)

    def latent_maps(
        self, grid: PatchGrid, *, batch_size: int = 4096, progress: bool = True
    ) -> Float[Tensor, "channels rows cols"]:
        """Return the content means on the grid, shape (channels, rows, cols), on the CPU.

        Streams over the grid, so memory does not grow with the number of patches. Where patches
        overlap much, a `ShiftVAE` computes its first layer as a correlation with the image, see
        `phyvae.models.sliding`, and no patch is copied. Cells that hold no patch are NaN.

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

    def shifts(
        self, grid: PatchGrid, *, batch_size: int = 4096, progress: bool = True
    ) -> Float[Tensor, "axes rows cols"]:
        """Return by how much each patch is displaced from the content the decoder draws, px.

        Shape (2, rows, cols), down and to the right positive; (1, rows, cols) in spectral points
        for spectra. Known up to one constant for all patches, and a lattice has many equivalent
        shifts.

        Raises
        ------
        ValueError
            If the model knows of no shifts.
        """
        moves = self._moves(grid, "shift", batch_size, progress)
        return self.displacements(moves.flatten(1).T).T.reshape(-1, *grid.shape)

    def angles(
        self, grid: PatchGrid, *, batch_size: int = 4096, progress: bool = True
    ) -> Float[Tensor, "rows cols"]:
        """Return by how much each patch is turned from the content the decoder draws, radians.

        Shape (rows, cols), counter-clockwise positive where rows go down, as images are shown.
        Known up to one constant for all patches of the same content, and up to its symmetry; not
        wrapped to one turn. Patches should be square, as pyroVED turns an oblong one in units of
        its sides.

        Raises
        ------
        ValueError
            If the model knows of no rotations.
        """
        return self._moves(grid, "angle", batch_size, progress)[self.columns["angle"].start]

    def _moves(
        self, grid: PatchGrid, name: str, batch_size: int, progress: bool
    ) -> Float[Tensor, "moves rows cols"]:
        """Return maps of all that comes before the content, if `name` is part of it."""
        if name not in self.columns:
            raise ValueError(
                f"this {type(self).__name__} knows of no {name}s; its latents are "
                f"{', '.join(self.columns)}. Of pyroVED's models, those made with "
                f"invariances=[{'r' if name == 'angle' else 't'!r}] do."
            )
        return self._map(grid, "mean", slice(0, self.content.start), batch_size, progress)

    @torch.no_grad()
    def signal(self, grid: PatchGrid, *, batch_size: int = 4096) -> Float[Tensor, " channels"]:
        """Return how much each latent map says: the part of its variance that tells patches apart.

        It is var(mean) / (var(mean) + mean of std squared) over the patches, 0 to 1, on the CPU:
        near 0, what differs from cell to cell is noise, whatever it looks like; near 1, each value
        is known well from its patch alone. `phyvae.segment` takes it, so that a map of noise has
        no say. Cells that hold no patch do not count.
        """
        check_patches(self, grid)
        said = [one for _, one in self._posteriors(grid, batch_size)]
        mean, std = (torch.cat([getattr(one, n) for one in said]) for n in ("mean", "std"))
        return Posterior(mean, std).signal()[self.content].cpu()

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
        as_integer(batch_size, "batch_size", 1, " patch")
        maps: Tensor | None = None
        silent = not progress
        with (
            at_rest(self),
            tqdm(total=grid.count, disable=silent, delay=2, unit="patch", unit_scale=True) as bar,
        ):
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


@contextlib.contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Let networks answer as after training: batch normalisation looks, and does not learn."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def check_patches(model: PatchModel, grid: Any) -> None:
    """Raise an error unless `grid` is a patch grid whose patches suit the model."""
    if isinstance(grid, list | tuple):
        raise TypeError(
            f"grid is a {type(grid).__name__} of {len(grid)}, but here must be one PatchGrid; "
            "pass one after the other: [... for grid in grids]."
        )
    if not isinstance(grid, PatchGrid):
        raise TypeError(
            f"grid is of type {type(grid).__name__}, but must be a PatchGrid: "
            "PatchGrid(image, size=..., step=...)."
        )
    if grid.patch_shape != model.patch_shape:
        raise ValueError(
            f"the grid's patches are {grid.patch_shape}, but the model was made for "
            f"{model.patch_shape}; make it anew with grid.patch_shape, or cut patches of "
            "size=model.patch_shape."
        )
    model.check(grid)


def px_per_shift(
    prior: Float[Tensor, "*axes"], patch_shape: tuple[int, ...]
) -> Float[Tensor, " axes"]:
    """Return `PatchModel.shift_scale` of pyroVED's coordinates."""
    # Coordinates run -1..1 down the rows and 1..-1 along columns and spectra, so a positive
    # shift latent moves the drawn pattern up, and to the right.
    signs = (-1.0, 1.0) if len(patch_shape) == 2 else (1.0,)
    half = [s * (n - 1) / 2 for s, n in zip(signs, patch_shape, strict=True)]
    return prior.reshape(-1) * prior.new_tensor(half)
