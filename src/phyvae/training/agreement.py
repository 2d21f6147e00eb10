"""Several processes of one training: the same settings, and the state of the first one."""

from typing import Any

from torch import Tensor

from ..compute import processes
from .contents import described
from .schedules import Beta, as_schedule
from .state import TrainingState

__all__ = ["share_buffers", "start_alike"]


def start_alike(
    state: TrainingState,
    call: dict[str, Any],
    epochs: int,
    beta: Beta,
    saves: dict[str, int | None],
) -> None:
    """Refuse processes whose training would differ; give all of them the state of the first."""
    if processes.world_size() == 1:
        return
    with processes.together():
        schedule = as_schedule(beta)
        settings = {
            **described(state),
            **call,
            # A function has no repr that two processes share.
            "beta": [schedule(state.epochs_done + epoch) for epoch in range(epochs)],
            "epochs": epochs,
            "epochs_done": state.epochs_done,
            "device": state.model.like.device.type,
            **saves,  # or one would wait for another's save
        }
    processes.agree(settings)
    moments = [state.optimizer.state.get(p, {}) for p in state.model.parameters()]
    adam = [values[name] for values in moments for name in sorted(values)]
    weights = [*state.model.parameters(), *_buffers(state)]
    processes.broadcast([*weights, *adam], state.model.like.device)


def share_buffers(state: TrainingState) -> None:
    """Give all processes the buffers of the first one, which saves them."""
    processes.broadcast(_buffers(state), state.model.like.device)


def _buffers(state: TrainingState) -> list[Tensor]:
    return [*state.model.buffers(), *state.objective.buffers()]
