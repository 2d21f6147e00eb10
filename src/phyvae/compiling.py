"""torch.compile where it works, and the same function uncompiled where it does not."""

import functools
import warnings
from collections.abc import Callable
from typing import ParamSpec, TypeVar

import torch

__all__ = ["CompileWarning", "compiled_or_eager"]

P = ParamSpec("P")
T = TypeVar("T")


class CompileWarning(UserWarning):
    """torch.compile failed; training goes on without it."""


def compiled_or_eager(function: Callable[P, T]) -> Callable[P, T]:
    """Return `function` compiled; should that fail when it is called, warn once and go on eagerly.

    Compilation needs a C++ compiler, which not every computer has, and happens at the first call
    with arguments of a shape. `function` must not change its arguments, as it may be called twice.
    """
    compiled = torch.compile(function, dynamic=False)
    working = True

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        nonlocal working
        if working:
            try:
                return compiled(*args, **kwargs)
            except Exception as error:  # the compiler's own errors have no common class
                result = function(*args, **kwargs)  # raises, if it was not the compiler's fault
                working = False
                reason = str(error).strip().splitlines()[0][:200]
                warnings.warn(
                    f"torch.compile failed ({type(error).__name__}: {reason}); training goes on "
                    "uncompiled, more slowly. Install a C++ compiler, or pass compile=False.",
                    CompileWarning,
                    stacklevel=2,
                )
                return result
        return function(*args, **kwargs)

    return call
