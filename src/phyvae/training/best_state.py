"""The best state of a training: kept, and gone back to where training loses it."""

import copy
import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from ..compute import processes
from ..patches.grid import PatchGrid
from .quality import Quality, quality_of, sample_of
from .state import Best, TrainingState

__all__ = ["BestState", "LostMapsWarning"]

_FORMED = 0.05  # signal of a map that can be lost; before any training it is 0.001 to 0.01
_LOST = 0.2  # share of the best state's mutual information that may go
_WORTH = 30.0  # fall of −ELBO that makes up for a nat of it, nats per patch
_JUMP = 5.0  # rise of −ELBO that is no noise, standard errors
_LEAST = 1.0  # nats per patch that −ELBO may rise anyhow: as a converged model does
_RETURNS = 3  # in a call, before its end
_SLOWER = 0.25  # factor of the learning rate after a return
_CURES = (
    "Its maps can be used as they are; to train further, pass a smaller lr, or a larger "
    "batch_size.",
    "A smaller learning rate lost them, too: use the maps as they are, or begin anew with a far "
    "smaller lr.",
)


class LostMapsWarning(UserWarning):
    """Training made the latent maps worse, and went back to the best state before.

    Examples
    --------
    To end a script where training loses maps, instead of going on from the best state:

    >>> import warnings
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((60, 80)), size=20, step=10)
    >>> trainer = phyvae.PhysicsTrainer(phyvae.ShiftVAE(grid.patch_shape, seed=0), seed=0)
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("error", phyvae.LostMapsWarning)
    ...     history = trainer.fit(grid, epochs=1, progress=False)
    """


class BestState:
    """Keeps the best state of a call of `fit`, and goes back to it.

    A state is worse than the best one if −ELBO has risen, by more than a nat per patch, beyond its
    noise and by half of all that the call had gained; or, where the call began with maps to lose,
    if the mutual information of the maps at neighbouring patches has fallen, and −ELBO not by far
    more. For a decoder gains by details that have nothing to do with domains, too.

    state: State of the training, with the best one of a resumed call.
    grids: Grids of the call.
    epochs: Epochs that the call has yet to train.
    """

    def __init__(self, state: TrainingState, grids: Sequence[PatchGrid], epochs: int) -> None:
        self._state, self._samples = state, sample_of(grids)
        if state.best is None:
            now = self._quality()
            weights, done = copy.deepcopy(state.model.state_dict()), state.epochs_done
            state.best = Best(weights, now, now, done, done, max(1, epochs // 10))

    def look(self, beta: float, *, last: bool) -> None:
        """Judge the state after an epoch, ten times in a call; in the end, nothing is kept."""
        state, best = self._state, self._state.best
        assert best is not None
        if not last and (state.epochs_done - best.begun) % best.every:
            return
        now = self._quality()
        worse = _worse(now, best, beta)
        if not worse and _score(now, best, beta) < _score(best.quality, best, beta):
            weights = copy.deepcopy(state.model.state_dict())
            state.best = replace(best, weights=weights, quality=now, epoch=state.epochs_done)
        elif worse and (last or best.returns < _RETURNS):
            self._go_back(worse)
        if last:
            state.best = None

    def _go_back(self, why: str) -> None:
        """Give the model its best weights; a new optimiser's steps begin anew, and are shorter."""
        state, best = self._state, self._state.best
        assert best is not None
        state.model.load_state_dict(best.weights)
        state.optimizer.state.clear()
        for group in state.optimizer.param_groups:
            group["lr"] *= _SLOWER
        state.best = replace(best, returns=best.returns + 1)
        if processes.rank() == 0:
            rate = state.optimizer.param_groups[0]["lr"]
            since = "which this call began with" if best.epoch == best.begun else "the best so far"
            warnings.warn(
                f"Training made the maps worse: after {state.epochs_done} epochs, {why}. The "
                f"model is again that of {best.epoch} epochs, {since}, and the learning rate is "
                f"now {rate:.2g}. {_CURES[best.returns > 0]}",
                LostMapsWarning,
                stacklevel=5,
            )

    def _quality(self) -> Quality:
        """Return the quality of the present state, the same in all processes."""
        now = quality_of(self._state.model, self._samples, self._state.options.pixels)
        numbers = [*now.reconstruction, *now.kl, now.information, now.signal]
        *terms, information, signal = processes.mean_over_ranks(numbers)
        half = len(terms) // 2
        return Quality(terms[:half], terms[half:], information, signal)


def _formed(quality: Quality) -> bool:
    """Return whether there are maps that can be lost."""
    return quality.signal >= _FORMED


def _score(quality: Quality, best: Best, beta: float) -> float:
    """Return −ELBO less the value of the maps, nats per patch; the lower, the better."""
    worth = _WORTH * quality.information if _formed(best.start) else 0.0
    return float(quality.neg_elbo(beta).mean()) - worth


def _worse(now: Quality, best: Best, beta: float) -> str:
    """Return in what respect the state is worse than the best one; empty if in none."""
    start, before, after = (one.neg_elbo(beta) for one in (best.start, best.quality, now))
    rise, gain = after - before, (start - before).mean()
    error = float(rise.std(ddof=1)) / len(rise) ** 0.5 if len(rise) > 1 else np.inf
    jumped = not np.isfinite(after).all() or rise.mean() > max(_JUMP * error, gain / 2, _LEAST)
    if _formed(best.quality) and jumped:
        return f"−ELBO rose from {before.mean():.5g} to {after.mean():.5g} nats per patch"
    had, has = best.quality.information, now.information
    worth_less = _score(now, best, beta) > _score(best.quality, best, beta)
    if _formed(best.start) and has < (1 - _LOST) * had and worth_less:
        return (
            f"neighbouring patches that share no pixel have {has:.2g} nats in common, of "
            f"{had:.2g} before"
        )
    return ""
