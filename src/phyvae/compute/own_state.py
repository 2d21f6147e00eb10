"""The state of torch and of models that the package computes in, and gives back."""

import contextlib
from collections.abc import Iterator

import torch
from torch import nn

__all__ = ["at_rest", "own_state"]


@contextlib.contextmanager
def own_state(*, grad: bool) -> Iterator[None]:
    """Compute in float32 on the CPU by default, without autocast, and with gradients or without.

    Also a decorator. A caller's ``no_grad``, autocast, default type and default device end at the
    block and go on after it.

    Raises
    ------
    RuntimeError
        If gradients are wanted in ``torch.inference_mode``, whose tensors never have any.
    """
    if grad and torch.is_inference_mode_enabled():
        raise RuntimeError(
            "torch.inference_mode() is on, and this computes gradients, which its tensors never "
            "have; call it outside of that block, or in torch.no_grad() instead."
        )
    before = torch.get_default_dtype()
    with contextlib.ExitStack() as stack:
        if before != torch.float32:  # a setting of all threads: not set where it need not be
            torch.set_default_dtype(torch.float32)
            stack.callback(torch.set_default_dtype, before)
        if not grad:
            stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.set_grad_enabled(grad))
        for kind in ("cpu", "cuda"):
            if torch.is_autocast_enabled(kind):
                stack.enter_context(torch.autocast(kind, enabled=False))
        if torch.get_default_device().type != "cpu":
            stack.enter_context(torch.device("cpu"))
        yield


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
