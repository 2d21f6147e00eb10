"""Adapting pyroVED models, so that phyvae trains them."""

from collections.abc import Callable, Sequence
from typing import Any

from torch import nn

from .adapted import Adapted
from .backend import VED, iVAE, jiVAE, ss_reg_iVAE, ssiVAE
from .encoder_decoder import AdaptedEncoderDecoder
from .interface import PatchModel
from .invariant import AdaptedInvariant
from .joint import AdaptedJoint
from .semi_supervised import AdaptedRegression, AdaptedSemiSupervised

__all__ = ["adapt"]

_KINDS: dict[type[nn.Module], Callable[[Any, Sequence[int] | None], Adapted]] = {
    iVAE: AdaptedInvariant,
    jiVAE: AdaptedJoint,
    ssiVAE: AdaptedSemiSupervised,
    ss_reg_iVAE: AdaptedRegression,
    VED: AdaptedEncoderDecoder,
}


def adapt(
    vae: nn.Module, *, patch_shape: Sequence[int] | None = None, class_weight: float | None = None
) -> PatchModel:
    """Return a pyroVED model as one that `PhysicsTrainer` trains and that has latent maps.

    `PhysicsTrainer` does this by itself; call it to have the maps of a model that is trained
    already. The model itself, its networks and weights, is used, not a copy: it is the
    attribute ``vae`` of the result. A `ShiftVAE` or an adapted model is returned as it is.

    Parameters
    ----------
    vae
        A pyroVED model, trained or not, with its own networks or yours:

        ``iVAE``
            With any invariances, of images or spectra. The maps are its content latents. With
            ``c_dim``, the grid needs known values: a class or `c_dim` properties for each patch.
        ``jiVAE``
            The maps are its content latents and then the probabilities of its classes.
        ``ssiVAE``
            The maps are the probabilities of its classes. The grid's known values are classes,
            -1 where unknown.
        ``ss_reg_iVAE``
            The maps are the properties it predicts. The grid's known values are properties,
            NaN where unknown.
        ``VED``
            The maps are its latents. The grid's known values are the spectra to predict.
    patch_shape
        Shape of a patch, px. Needed for ``VED``, and with a decoder of your own for ``iVAE``,
        which do not keep it.
    class_weight
        For ``jiVAE``: weight of the KL divergence of its classes, in that of its other latents,
        > 0; by default 1. β times (1, `class_weight`) is pyroVED's ``scale_factor`` of two
        numbers. The larger, the longer classes stay undecided. −ELBO at β = 1 is the ELBO proper
        at 1 only.

    Raises
    ------
    TypeError
        If it is no pyroVED model.
    ValueError
        If `patch_shape` is needed, or another than the model's; if `class_weight` is not > 0, or
        given for a model that is no ``jiVAE``.

    Examples
    --------
    >>> import phyvae
    >>> import pyroved
    >>> grid = phyvae.PatchGrid(phyvae.phantoms.bfo(seed=0).image, size=24, step=24)
    >>> rotation = pyroved.models.iVAE(grid.patch_shape, 2, ["r"], device="cpu")
    >>> phyvae.adapt(rotation).latent_maps(grid).shape == (2, *grid.shape)
    True
    """
    if class_weight is not None:
        if not isinstance(vae, jiVAE):
            raise ValueError(
                f"class_weight={class_weight} is for a jiVAE, which has classes besides latents, "
                f"not for a {type(vae).__name__}; leave it out."
            )
        return AdaptedJoint(vae, patch_shape, class_weight)
    if isinstance(vae, PatchModel):
        if not isinstance(getattr(vae, "patch_shape", None), tuple):
            raise TypeError(
                f"{type(vae).__name__}.patch_shape must be a tuple, (height, width) or (length,), "
                "px; set it in the constructor."
            )
        return vae
    for kind, adapted in _KINDS.items():
        if isinstance(vae, kind):
            return adapted(vae, patch_shape)
    raise TypeError(
        f"model is of type {type(vae).__name__}, but must be a ShiftVAE, a pyroVED model "
        f"({', '.join(kind.__name__ for kind in _KINDS)}), or a PatchModel of your own."
    )
