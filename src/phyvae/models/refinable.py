"""Models with a pose, and those whose latents can be refined."""

import torch
from jaxtyping import Float
from torch import Tensor

from ..patches.grid import PatchGrid
from ..patches.known import Patches
from .interface import PatchModel
from .likelihood import Sampler, chosen, lowest
from .posterior import Posterior

__all__ = ["PoseModel", "Refinable", "as_refinable", "px_per_shift"]


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


class Refinable(PoseModel):
    """A `PatchModel` with the hooks of `phyvae.refine`: its decoder, pixel by pixel.

    Either `pixel_means`, for continuous latents, or `classes` and `class_losses`, for class
    probabilities, is to be defined.

    Attributes
    ----------
    sampler_name : str
        Distribution of a pixel, ``"bernoulli"``, ``"continuous_bernoulli"`` or ``"gaussian"``.
    decoder_sig : float
        Its standard deviation, if it is Gaussian.
    draws_patches : bool
        Whether the decoder reconstructs the patches themselves, not their known values.
    knows_its_noise : bool
        Whether the posterior's deviations are the encoder's own for each patch, rather than
        those of class probabilities, or a constant.
    class_weight : float
        Weight of the KL divergence of classes relative to that of the other latents.

    Examples
    --------
    >>> import phyvae
    >>> model = phyvae.ShiftVAE((20, 20), seed=0)
    >>> isinstance(model, phyvae.models.Refinable), model.sampler_name
    (True, 'bernoulli')
    """

    sampler_name: Sampler = "bernoulli"
    decoder_sig: float = 0.0
    draws_patches: bool = True
    knows_its_noise: bool = True
    class_weight: float = 1.0

    def targets(self, patches: Patches) -> Float[Tensor, "n pixels"]:
        """Return the values that the decoder is to reconstruct: the patches themselves."""
        return patches.flat

    def floor(self, patches: Patches, pixels: Tensor | None = None) -> Float[Tensor, " n"]:
        """Return the lowest negative log-likelihood that any decoder could reach, nats per patch.

        Bernoulli: the entropy of grey pixels. Gaussian: the constant of the normal distribution.
        """
        data, scale = chosen(self.targets(patches), pixels)
        return scale * lowest(self.sampler_name, data, self.decoder_sig).sum(-1)

    def prior(self, patches: Patches, posterior: Posterior) -> Posterior:
        """Return the prior of the latents given the known values: standard normal by default."""
        return Posterior(torch.zeros_like(posterior.mean), torch.ones_like(posterior.mean))

    def pixel_means(
        self, latents: Float[Tensor, "n z_dim"], patches: Patches
    ) -> Float[Tensor, "n pixels"]:
        """Return the mean of each pixel given the latents and the known values of `patches`."""
        raise _not_refinable(self)

    def class_losses(
        self, patches: Patches, posterior: Posterior
    ) -> tuple[Float[Tensor, "n classes pixels"], Float[Tensor, "n classes"]]:
        """Return each pixel's negative log-likelihood by class, and the KL of the other latents.

        The other latents are at their means.
        """
        raise NotImplementedError(f"{type(self).__name__} has no classes.")


def as_refinable(model: PatchModel) -> Refinable:
    """Return the model, or raise an error if it lacks the hooks of `phyvae.refine`."""
    if not isinstance(model, Refinable):
        raise _not_refinable(model)
    return model


def _not_refinable(model: PatchModel) -> NotImplementedError:
    return NotImplementedError(
        f"{type(model).__name__} has latents that are no continuous numbers, or does not define "
        "the mean of each pixel (phyvae.models.Refinable), so its maps cannot be refined."
    )
