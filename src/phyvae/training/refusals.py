"""Epochs whose numbers cannot be used: refused with a reason."""

import math

from .epoch import Means
from .objective import PhysicsObjective
from .state import TrainingState

__all__ = ["NonFiniteLossError", "refuse_unusable"]


class NonFiniteLossError(RuntimeError):
    """The loss became NaN or infinite; the model was put back to its last good weights.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((60, 80)), size=20, step=10)
    >>> def broken(maps, mask=None):
    ...     return maps.mean() * np.nan
    >>> model = phyvae.ShiftVAE(grid.patch_shape, seed=0)
    >>> trainer = phyvae.PhysicsTrainer(model, phyvae.PhysicsObjective(broken), seed=0)
    >>> try:
    ...     trainer.fit(grid, epochs=1, progress=False)
    ... except phyvae.NonFiniteLossError as error:
    ...     print(error)
    The loss became NaN or infinite in epoch 1 ...
    """


def refuse_unusable(state: TrainingState, means: Means) -> None:
    """Raise an error if the means of the epoch that follows the state are not usable."""
    if all(map(math.isfinite, means.parts.values())):
        _refuse_negative(state.objective, means)
        return
    before = "There was none before it, and the model is as it was"
    if state.rows:
        last = state.history(state.epochs_done - 1)
        before = (
            f"Last finite epoch: -ELBO {last.neg_elbo[0]:.4g}, KL {last.kl[0]:.4g}, "
            f"Psi {last.psi[0]:.4g}; its weights are kept"
        )
    raise NonFiniteLossError(
        f"The loss became NaN or infinite in epoch {state.epochs_done + 1} "
        f"({', '.join(f'{k} {v:.4g}' for k, v in means.parts.items())}). {before}. Try a smaller "
        "lr, or look for a NaN in a physics loss of your own: "
        "phyvae.testing.check_physics_loss(loss)."
    )


def _refuse_negative(objective: PhysicsObjective, means: Means) -> None:
    """Raise an error if a factor of the product was negative."""
    parts = means.parts
    if means.negative_psi > 0:
        raise ValueError(
            f"{objective.physics!r} was negative in {means.negative_psi:.0%} of the steps "
            f"({parts['psi']:.4g} on average), but a physics loss must be >= 0, or the "
            "product rewards a bad reconstruction; add a constant or square it."
        )
    if means.negative_loss > 0 and objective.coupling == "product":
        raise ValueError(
            f"−ELBO, measured from its floor, was negative in {means.negative_loss:.0%} of the "
            f"steps ({parts['neg_elbo']:.4g} nats, with a floor of {parts['floor']:.4g}, on "
            'average), so coupling="product" would reward Ψ; take coupling="balanced", or a '
            "broader distribution (decoder_sig, reg_sig)."
        )
