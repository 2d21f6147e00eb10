"""An epoch of a training, as a whole or not at all: its batches, its steps, its record."""

import math
import time
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from .._checks import as_integer
from ..compute import processes
from ..compute.determinism import deterministically
from ..patches.grid import PatchGrid
from ..saving.sealed import CheckpointError
from .agreement import share_buffers
from .batches import Batch, Tiles, batches
from .epoch import Means, Warmup, evaluated, train_epoch
from .objective import PhysicsObjective
from .state import TrainingState
from .tiles import TileSampler, sampler_of, steps_over

__all__ = [
    "NonFiniteLossError",
    "mixed_seed",
    "planned_epochs",
    "refuse_unusable",
    "run_epoch",
    "steps_in_epoch",
]


def run_epoch(
    state: TrainingState,
    grids: Sequence[PatchGrid],
    beta: float,
    steps: int | None,
    call: dict[str, Any],
    held_out: Sequence[PatchGrid] = (),
) -> dict[str, float]:
    """Train an epoch, look at the grids held out; return the means of the objective's parts.

    After an error in it, or Ctrl-C, the state is as it was before.
    """
    started, good = time.perf_counter(), state.snapshot()
    try:
        with deterministically(state.options.deterministic):
            state.objective.set_epoch(state.epochs_done)
            optimizer = Warmup(state.optimizer, state.options.warmup)
            chosen = _batches(state, grids, steps)
            means = train_epoch(state.model, state.objective, optimizer, chosen, beta)
        refuse_unusable(state, means)
        share_buffers(state)
        parts = means.parts | {"beta": beta}  # as it was given, not as float32 has it
        (seconds,) = processes.mean_over_ranks([time.perf_counter() - started])
        if held_out:
            test = evaluated(state.model, state.objective, held_out, beta)
            state.test_losses.append(float(test.loss))
        state.rows.append([state.epochs_done + 1, *parts.values(), seconds])
        state.steps_done += steps_in_epoch(state, grids, steps)
        state.call = call
    except BaseException:
        state.go_back(good)
        raise
    return parts


def steps_in_epoch(state: TrainingState, grids: Sequence[PatchGrid], steps: int | None) -> int:
    """Return the number of steps in an epoch, all processes together."""
    if steps is not None:
        return steps
    return sum(sampler.steps_per_epoch() for sampler in _samplers(state, grids))


def planned_epochs(
    epochs: object,
    steps: object,
    each: int,
    *,
    epochs_done: int = 0,
    steps_done: int = 0,
    where: str = "the trainer",
) -> list[int]:
    """Return the steps of each epoch that a call has left, of `each` but for the last one."""
    if (epochs is None) == (steps is None):
        raise ValueError(f"epochs={epochs}, steps={steps}: pass one of them, how long to train.")
    name, value, done = "steps", steps, steps_done
    if steps is None:
        name, value, done = "epochs", epochs, epochs_done
    left = as_integer(value, name, 1) - done
    if left < 0:
        raise CheckpointError(
            f"{name}={value}, but {where} has {done} already; with resume, {name} counts those, "
            "too."
        )
    whole, rest = (left, 0) if steps is None else divmod(left, each)
    return whole * [each] + ([rest] if rest else [])


def mixed_seed(*numbers: int) -> int:
    """Return a seed of a seed, an epoch, a rank; neighbouring ones share nothing."""
    # Python's own integer: NumPy 1 has no shift of an unsigned one by a signed one.
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1


def _batches(
    state: TrainingState, grids: Sequence[PatchGrid], steps: int | None
) -> Iterator[Batch]:
    """Yield the batches of the next epoch."""
    rank, ranks, options = processes.rank(), processes.world_size(), state.options
    seed = mixed_seed(options.seed, state.epochs_done)
    # Each process has noise of its own, the first one that of a process alone.
    own = mixed_seed(options.seed, state.epochs_done, rank) if rank else seed
    chosen = steps_over(_samplers(state, grids), seed, steps, rank=rank, ranks=ranks)
    if not state.objective.needs_map:
        chosen = (step.without_neighbours() for step in chosen)
    tiles = Tiles(grids, state.model.like)
    return batches(tiles, chosen, options.pixels, options.dtype(state.model), own)


def _samplers(state: TrainingState, grids: Sequence[PatchGrid]) -> list[TileSampler]:
    options = state.options
    return [sampler_of(one, options.batch_size, options.tile, options.sites) for one in grids]


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
