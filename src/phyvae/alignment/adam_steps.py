"""Steps of Adam whose learning rate falls to zero over the second half."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn

__all__ = ["adam_steps"]


def adam_steps(
    network: nn.Module, steps: int, lr: float, advance: Callable[[], object]
) -> Iterator[Callable[[Tensor], None]]:
    """Yield once per step the function that descends a loss; `advance` is called after it."""
    if steps == 0:
        return
    optimizer = torch.optim.Adam(network.parameters(), lr=lr, fused=True)
    (group,) = optimizer.param_groups

    def descend(loss: Tensor) -> None:
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()

    for i in range(steps):
        group["lr"] = lr * min(1, 2 * (1 - i / steps))
        yield descend
        advance()
