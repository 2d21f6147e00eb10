"""The state of a training: all that it changes."""

import copy
from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..models import PatchModel
from .history import History
from .objective import PhysicsObjective
from .options import TrainingOptions
from .quality import Quality

__all__ = ["Best", "Snapshot", "TrainingState"]


Snapshot = tuple[tuple[dict[str, Any], ...], int, int]
"""Model, objective and optimiser, and the lengths of the history's lists, to go back to."""


@dataclass(frozen=True)
class Best:
    """The best state of a call of `fit` so far, see `best_state`.

    weights: The model's.
    quality: That of the model with these weights.
    start: That of the model which the call began with.
    epoch: Epochs trained by then.
    begun: Epochs trained when the call began.
    every: Epochs from look to look.
    returns: How often the call has gone back.
    """

    weights: dict[str, Tensor]
    quality: Quality
    start: Quality
    epoch: int
    begun: int
    every: int
    returns: int = 0


@dataclass(eq=False)
class TrainingState:
    """Model, objective and optimiser, and the epochs trained.

    rows: Each epoch's row of the history.
    test_losses: Loss of the grids held out, of each epoch that had some.
    steps_done: Steps trained so far, of all processes together.
    call: Description of the call of `fit` that trained the last epoch; ``None`` before the first.
    best: The best state of a call that has not ended.
    """

    model: PatchModel
    objective: PhysicsObjective
    optimizer: torch.optim.Optimizer
    options: TrainingOptions
    rows: list[list[float]] = field(default_factory=list)
    test_losses: list[float] = field(default_factory=list)
    steps_done: int = 0
    call: dict[str, Any] | None = None
    best: Best | None = None

    @property
    def epochs_done(self) -> int:
        """Epochs trained so far."""
        return len(self.rows)

    def history(self, first: int = 0) -> History:
        """Return the epochs from `first` on, counted from 0."""
        columns = np.array(self.rows[first:], dtype=float).reshape(-1, len(fields(History))).T
        return History(*columns)

    def snapshot(self) -> Snapshot:
        """Return a copy of all that an epoch changes."""
        parts = self.model.state_dict(), self.objective.state_dict(), self.optimizer.state_dict()
        return copy.deepcopy(parts), len(self.rows), len(self.test_losses)

    def go_back(self, snapshot: Snapshot) -> None:
        """Become as the snapshot was."""
        (model, objective, optimizer), epochs, tested = snapshot
        self.model.load_state_dict(model)
        self.objective.load_state_dict(objective)
        self.optimizer.load_state_dict(optimizer)
        del self.rows[epochs:], self.test_losses[tested:]
