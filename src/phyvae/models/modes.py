"""Evaluation mode of a model, for a block of code."""

import contextlib
from collections.abc import Iterator

from torch import nn

__all__ = ["at_rest"]


@contextlib.contextmanager
def at_rest(model: nn.Module) -> Iterator[None]:
    """Put all modules in evaluation mode, and afterwards back in the mode that each one had.

    So batch normalisation uses its running statistics and leaves them unchanged.
    """
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
