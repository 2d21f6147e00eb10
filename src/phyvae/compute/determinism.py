"""The same bits on CUDA, too: torch's deterministic algorithms, for a while."""

import contextlib
import os
import threading
from collections.abc import Iterator

import torch

__all__ = ["check_deterministic", "deterministically"]

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
_lock = threading.Lock()
_inside = 0
_before: tuple[bool, bool, bool, bool]


def check_deterministic(device: torch.device) -> None:
    """Raise an error unless cuBLAS is set to repeat itself, which must be before it starts."""
    if device.type == "cuda" and os.environ.get(_WORKSPACE) not in (":4096:8", ":16:8"):
        raise ValueError(
            f"deterministic=True on {device} needs the environment variable {_WORKSPACE}, or "
            f"cuBLAS does not repeat itself; set it before Python starts: {_WORKSPACE}=:4096:8."
        )


@contextlib.contextmanager
def deterministically(wanted: bool) -> Iterator[None]:
    """Restrict torch to deterministic algorithms in the block, then restore its setting.

    The setting is the process's: of several threads, the first one in sets it and the last one
    out puts it back.
    """
    if not wanted:
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


def _enter() -> None:
    global _inside, _before
    with _lock:
        if _inside == 0:
            _before = _flags()
            _set((True, False, True, False))
        _inside += 1


def _leave() -> None:
    global _inside
    with _lock:
        _inside -= 1
        if _inside == 0:
            _set(_before)


def _flags() -> tuple[bool, bool, bool, bool]:
    cudnn = torch.backends.cudnn
    return (
        torch.are_deterministic_algorithms_enabled(),
        torch.is_deterministic_algorithms_warn_only_enabled(),
        cudnn.deterministic,
        cudnn.benchmark,
    )


def _set(flags: tuple[bool, bool, bool, bool]) -> None:
    cudnn = torch.backends.cudnn
    torch.use_deterministic_algorithms(flags[0], warn_only=flags[1])
    cudnn.deterministic, cudnn.benchmark = flags[2:]
