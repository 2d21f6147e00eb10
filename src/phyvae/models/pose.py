"""Models whose latents include the pose of a patch: maps of its shift and angle."""

from jaxtyping import Float
from torch import Tensor

from ..patches.grid import PatchGrid
from .interface import PatchModel

__all__ = ["PoseModel", "px_per_shift"]


class PoseModel(PatchModel):
    """A `PatchModel` that may have pose latents: angle, shift or scale of each patch.

    Pose latents come before the content. Override `columns` and `shift_scale` for a model with
    shifts, and `displacements` where other pose latents move the content, too.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((60, 80)), size=20, step=10)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, seed=0)
    >>> isinstance(model, phyvae.models.PoseModel), model.shifts(grid).shape == (2, *grid.shape)
    (True, True)
    """

    @property
    def columns(self) -> dict[str, slice]:
        """Columns of the posterior's mean by name: ``"angle"``, ``"shift"``, ``"content"``..."""
        return {"content": self.content}

    @property
    def shift_scale(self) -> Float[Tensor, " axes"]:
        """Displacement in px, down and to the right positive, of one unit of each shift latent.

        Empty for a model without shifts.
        """
        return self.like.new_empty(0)

    def displacements(self, pose: Float[Tensor, "n pose"]) -> Float[Tensor, "n axes"]:
        """Return the displacement of each patch from its decoded content, px; see `shifts`.

        `pose` are the columns of latents that come before the content.
        """
        shift: Tensor = pose[:, self.columns.get("shift", slice(0, 0))]
        return shift * self.shift_scale.to(shift)

    def shifts(
        self, grid: PatchGrid, *, batch_size: int = 4096, progress: bool = True
    ) -> Float[Tensor, "axes rows cols"]:
        """Return the displacement of each patch from the decoded content, px.

        Shape (2, rows, cols), down and to the right positive; (1, rows, cols) in spectral points
        for spectra. Known up to one constant for all patches, and a lattice has many equivalent
        shifts.

        Raises
        ------
        ValueError
            If the model has no shift latents.
        """
        pose = self._pose(grid, "shift", batch_size, progress)
        return self.displacements(pose.flatten(1).T).T.reshape(-1, *grid.shape)

    def angles(
        self, grid: PatchGrid, *, batch_size: int = 4096, progress: bool = True
    ) -> Float[Tensor, "rows cols"]:
        """Return the rotation of each patch relative to the decoded content, radians.

        Shape (rows, cols), counter-clockwise positive where rows go down, as images are shown.
        Known up to one constant for all patches of the same content, and up to its symmetry; not
        wrapped to one turn. Patches should be square, as pyroVED turns an oblong one in units of
        its sides.

        Raises
        ------
        ValueError
            If the model has no angle latent.
        """
        return self._pose(grid, "angle", batch_size, progress)[self.columns["angle"].start]

    def _pose(
        self, grid: PatchGrid, name: str, batch_size: int, progress: bool
    ) -> Float[Tensor, "pose rows cols"]:
        """Return maps of all pose latents, if `name` is one of them."""
        if name not in self.columns:
            raise ValueError(
                f"this {type(self).__name__} has no {name}s; its latents are "
                f"{', '.join(self.columns)}. Of pyroVED's models, those made with "
                f"invariances=[{'r' if name == 'angle' else 't'!r}] have them."
            )
        before = slice(0, self.content.start)
        return self.posterior_maps(grid, before, batch_size=batch_size, progress=progress)


def px_per_shift(
    prior: Float[Tensor, "*axes"], patch_shape: tuple[int, ...]
) -> Float[Tensor, " axes"]:
    """Return `PoseModel.shift_scale` of pyroVED's coordinates."""
    # Coordinates run -1..1 down the rows and 1..-1 along columns and spectra, so a positive
    # shift latent moves the decoded pattern up, and to the right.
    signs = (-1.0, 1.0) if len(patch_shape) == 2 else (1.0,)
    half = [s * (n - 1) / 2 for s, n in zip(signs, patch_shape, strict=True)]
    return prior.reshape(-1) * prior.new_tensor(half)
