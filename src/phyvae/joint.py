"""One epoch of several trainers at once."""

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from .epochs import Tiles, Totals
from .models import ShiftVAE
from .patches import PatchGrid
from .stacking import ModelStack
from .trainer import PhysicsTrainer
from .warmup import Warmup

__all__ = ["joint_epoch"]

_MOMENTS = ("exp_avg", "exp_avg_sq")  # that Adam keeps of each weight


def joint_epoch(
    grid: PatchGrid, trainers: Sequence[PhysicsTrainer], betas: Sequence[float], steps: int | None
) -> list[list[float]]:
    """Take the steps of an epoch of trainers whose models have one shape.

    Returns the means of each one's parts. Weights and optimisers are the trainers' own again when
    it ends; the trainers' histories are left to the caller.
    """
    first, objectives = trainers[0], [one.objective for one in trainers]
    for one in trainers:
        one.objective.set_epoch(one.epochs_done)
    totals = [Totals(one.device) for one in trainers]
    stack = ModelStack([one.model for one in trainers if isinstance(one.model, ShiftVAE)])
    adam = _stacked_adam(stack, trainers)
    warmup = Warmup(adam, first.warmup)
    tiles = Tiles([grid], first.model.like)
    for drawn in zip(*(one._draws(tiles, steps) for one in trainers), strict=True):
        adam.zero_grad(set_to_none=True)
        parts = stack.backward(
            objectives, drawn, betas, dtype=first._dtype, compiled=first.compile
        )
        warmup.step()
        for total, part in zip(totals, parts, strict=True):
            total.add(part)
    stack.unstack()
    _unstack_adam(adam, stack, trainers)
    return [total.means() for total in totals]


def _stacked_adam(stack: ModelStack, trainers: Sequence[PhysicsTrainer]) -> torch.optim.Adam:
    """Return the trainers' optimisers as one, which goes on from where they are."""
    lr = trainers[0].optimizer.defaults["lr"]
    adam = torch.optim.Adam(stack.parameters.values(), lr=lr, fused=True)
    for stacked, own in _parameters(stack, trainers):
        states = [one.optimizer.state[p] for one, p in own if p in one.optimizer.state]
        if states:
            moments = {name: torch.stack([state[name] for state in states]) for name in _MOMENTS}
            adam.state[stacked] = {"step": states[0]["step"].clone(), **moments}
    return adam


def _unstack_adam(
    adam: torch.optim.Adam, stack: ModelStack, trainers: Sequence[PhysicsTrainer]
) -> None:
    for stacked, own in _parameters(stack, trainers):
        if stacked not in adam.state:  # it had no gradient
            continue
        state = adam.state[stacked]
        for i, (one, parameter) in enumerate(own):
            moments = {name: state[name][i].clone() for name in _MOMENTS}
            one.optimizer.state[parameter] = {"step": state["step"].clone(), **moments}


def _parameters(
    stack: ModelStack, trainers: Sequence[PhysicsTrainer]
) -> Iterator[tuple[Tensor, list[tuple[PhysicsTrainer, Tensor]]]]:
    """Yield each stacked parameter, and what it is made of: trainers and their own parameter."""
    for stacked, *own in zip(
        stack.parameters.values(), *(one.model.parameters() for one in trainers), strict=True
    ):
        yield stacked, list(zip(trainers, own, strict=True))
