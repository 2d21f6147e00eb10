"""The loop that trainer and sweep share: an epoch as a whole, or not at all."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from ..compute import processes
from ..compute.determinism import deterministically
from ..patches.grid import PatchGrid
from .batches import Batch, Tiles, batches
from .contents import described
from .epoch import train_epoch
from .options import TrainingOptions
from .refusals import refuse_unusable
from .schedules import Beta, as_schedule
from .state import TrainingState
from .tiles import TileSampler, sampler_of, steps_over
from .warmup import Warmup

__all__ = ["TrainingLoop", "mixed_seed"]


@dataclass(frozen=True, eq=False)
class TrainingLoop:
    """Epochs of a training, by its settings."""

    state: TrainingState
    options: TrainingOptions

    def start_alike(
        self,
        call: dict[str, Any],
        epochs: int,
        beta: Beta,
        saves: dict[str, int | None],
    ) -> None:
        """Refuse processes that would not train the same; give all the state of the first."""
        if processes.world_size() == 1:
            return
        with processes.together():
            schedule = as_schedule(beta)
            settings = {
                **described(self.state),
                **call,
                # A function has no repr that two processes share.
                "beta": [schedule(self.state.epochs_done + epoch) for epoch in range(epochs)],
                "epochs": epochs,
                "epochs_done": self.state.epochs_done,
                "device": self.state.model.like.device.type,
                **saves,  # or one would wait for another's save
            }
        processes.agree(settings)
        states = [self.state.optimizer.state.get(p, {}) for p in self.state.model.parameters()]
        adam = [state[name] for state in states for name in sorted(state)]
        weights = [*self.state.model.parameters(), *self._buffers()]
        processes.broadcast([*weights, *adam], self.state.model.like.device)

    def _buffers(self) -> list[Tensor]:
        return [*self.state.model.buffers(), *self.state.objective.buffers()]

    def epoch(
        self, grids: Sequence[PatchGrid], beta: float, steps: int | None, call: dict[str, Any]
    ) -> dict[str, float]:
        """Train an epoch, or be as before; return the means of the objective's parts."""
        state, started, good = self.state, time.perf_counter(), self.state.snapshot()
        try:
            with deterministically(self.options.deterministic):
                self.state.objective.set_epoch(self.state.epochs_done)
                optimizer = Warmup(self.state.optimizer, self.options.warmup)
                chosen = self._batches(grids, steps)
                means = train_epoch(
                    self.state.model, self.state.objective, optimizer, chosen, beta
                )
            refuse_unusable(state, means)
            # A loss's counts in its buffers are those of the first process, which saves it.
            processes.broadcast(self._buffers(), self.state.model.like.device)
            parts = means.parts | {"beta": beta}  # as it was given, not as float32 has it
            (seconds,) = processes.mean_over_ranks([time.perf_counter() - started])
            state.rows.append([state.epochs_done + 1, *parts.values(), seconds])
            state.call = call
        except BaseException:
            state.go_back(good)
            raise
        return parts

    def _batches(self, grids: Sequence[PatchGrid], steps: int | None) -> Iterator[Batch]:
        """Yield the batches of the next epoch."""
        rank, ranks = processes.rank(), processes.world_size()
        seed = mixed_seed(self.options.seed, self.state.epochs_done)
        # Each process has noise of its own, the first one that of a process alone.
        own = mixed_seed(self.options.seed, self.state.epochs_done, rank) if rank else seed
        chosen = steps_over(self._samplers(grids), seed, steps, rank=rank, ranks=ranks)
        if not self.state.objective.needs_map:
            chosen = (step.without_neighbours() for step in chosen)
        tiles, dtype = Tiles(grids, self.state.model.like), self.options.dtype(self.state.model)
        return batches(tiles, chosen, self.options.pixels, dtype, own)

    def _samplers(self, grids: Sequence[PatchGrid]) -> list[TileSampler]:
        options = self.options
        return [sampler_of(one, options.batch_size, options.tile, options.sites) for one in grids]

    def steps_in_epoch(self, grids: Sequence[PatchGrid], steps: int | None) -> int:
        """Return the steps in an epoch."""
        if steps is not None:
            return steps
        return sum(sampler.steps_per_epoch() for sampler in self._samplers(grids))


def mixed_seed(*numbers: int) -> int:
    """Return a seed of a seed, an epoch, a rank; neighbouring ones share nothing."""
    # Python's own integer: NumPy 1 has no shift of an unsigned one by a signed one.
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1
