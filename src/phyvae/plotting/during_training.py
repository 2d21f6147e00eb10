"""Figures written while a model is trained."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from .._checks import as_integer, brief
from ..compute.processes import rank
from ..patches.grid import PatchGrid, check_grid
from .maps import plot_latent_maps

if TYPE_CHECKING:  # it brings pyro along
    from ..training.trainer import PhysicsTrainer

__all__ = ["DrawMaps"]


@dataclass(frozen=True, eq=False)
class DrawMaps:
    """A training callback that plots the latent maps and the walls between their domains.

    After every `every`-th epoch it writes ``folder/epoch_0010.png`` (for epoch 10), and creates
    the folder if need be. Neither the model nor a global random generator is changed. Of several
    processes, the first one writes it.

    Parameters
    ----------
    grid
        The patches to map.
    folder
        Where to write the pictures.
    every
        Epochs from one picture to the next, >= 1; counted over all epochs of the trainer.
    classes, method, denoise
        As for `segment`.
    channel
        The map, counted from 0, that is segmented by a method that takes one ("otsu",
        "chan_vese"); "walls" and "gmm" segment all maps together.

    Raises
    ------
    TypeError
        If `grid`, `folder` or a number is of another kind.
    ValueError
        If `every` or `channel` is out of its range, or `segment` refuses its arguments.

    References
    ----------
    Biswas, Ziatdinov & Kalinin (2023), figs. 1 and 5, https://arxiv.org/abs/2302.04216

    Examples
    --------
    >>> import tempfile
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(phyvae.phantoms.bfo(seed=0).image, size=24, step=24)
    >>> trainer = phyvae.PhysicsTrainer(phyvae.ShiftVAE(grid.patch_shape, seed=0))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     draw = phyvae.DrawMaps(grid, folder, every=2, classes=3)
    ...     history = trainer.fit(grid, epochs=2, callbacks=[draw], progress=False)
    ...     [path.name for path in Path(folder).iterdir()]
    ['epoch_0002.png']
    """

    grid: PatchGrid
    folder: str | Path
    _: KW_ONLY
    every: int = 10
    classes: int = 2
    method: str = "walls"
    denoise: float | str | None = None
    channel: int = 0

    def __post_init__(self) -> None:
        check_grid(self.grid)
        if not isinstance(self.folder, str | Path):
            raise TypeError(f"folder={brief(self.folder)} must be a path, where pictures go.")
        as_integer(self.every, "every", 1, " epoch")
        as_integer(self.channel, "channel", 0, "; channels count from 0")
        self._segmented(np.zeros(self.grid.shape))  # refuses bad values here, not after an hour

    def __call__(self, trainer: "PhysicsTrainer", epoch: int) -> None:
        """Write the picture of every `every`-th epoch; the trainer calls this."""
        if epoch % self.every or rank() > 0:
            return
        import matplotlib.pyplot as plt

        maps = trainer.model.latent_maps(self.grid).numpy()
        if self.channel >= len(maps):
            raise ValueError(
                f"channel={self.channel} is none of the model's {len(maps)} latent maps, "
                f"0 to {len(maps) - 1}."
            )
        labels = self._segmented(maps if self.method in ("walls", "gmm") else maps[self.channel])
        folder = Path(self.folder).expanduser()
        folder.mkdir(parents=True, exist_ok=True)
        fig, _ = plot_latent_maps(maps, labels, grid=self.grid, names=trainer.model.map_names)
        try:
            fig.savefig(folder / f"epoch_{epoch:04d}.png", dpi=150)
        finally:
            plt.close(fig)

    def _segmented(self, maps: np.ndarray) -> np.ndarray:
        from ..domains.segmentation import segment  # scikit-learn takes a second

        return segment(
            maps, self.classes, method=self.method, denoise=self.denoise, mask=self.grid.mask
        )
