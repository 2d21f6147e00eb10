"""A learning rate that rises over an optimiser's first steps."""

import torch

__all__ = ["Warmup"]


class Warmup:
    """Steps of Adam, the first ones with a part of the learning rate.

    Adam divides by the gradient's running second moment. Over the first steps that is hardly more
    than the gradient's own square, so every weight moves by a whole learning rate, along noise:
    enough to undo an earlier training (Ma & Yarats, "On the adequacy of untuned warmup
    for adaptive optimization", 2019, https://arxiv.org/abs/1910.04209).
    """

    def __init__(self, optimizer: torch.optim.Optimizer, steps: int) -> None:
        self.optimizer, self.steps = optimizer, steps
        states = optimizer.state.values()
        self.taken = max((int(state["step"]) for state in states), default=0)

    def zero_grad(self) -> None:
        """Drop the gradients of the last step."""
        self.optimizer.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Take a step; the optimiser's own learning rate stays as it is."""
        self.taken += 1
        share = min(1.0, self.taken / max(1, self.steps))
        rates = [group["lr"] for group in self.optimizer.param_groups]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = share * rate
        self.optimizer.step()
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
