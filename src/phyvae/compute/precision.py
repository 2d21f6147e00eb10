"""Which arithmetic the hidden layers are trained in."""

from typing import Literal, get_args

import torch

from .._checks import as_choice

__all__ = ["Precision", "dtype_of", "has_bfloat16"]

Precision = Literal["auto", "float32", "bfloat16"]


def dtype_of(precision: Precision, device: torch.device) -> torch.dtype:
    """Return the type of the hidden layers in training.

    precision: ``"float32"``, ``"bfloat16"``, or ``"auto"``: bfloat16 where the processor
        multiplies matrices of it natively, else float32.
    device: Where the training runs.
    """
    as_choice(precision, "precision", get_args(Precision))
    half = has_bfloat16(device) if precision == "auto" else precision == "bfloat16"
    return torch.bfloat16 if half else torch.float32


def has_bfloat16(device: torch.device) -> bool:
    """Return whether the device multiplies bfloat16 matrices natively."""
    if device.type == "cuda":
        # Compute capability 8.0 (Ampere) has it; older GPUs emulate it, slowly.
        return torch.cuda.get_device_capability(device) >= (8, 0)
    # torch has no public query; without an answer of these, float32 is safe.
    questions = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    asked = (getattr(torch.cpu, name, None) for name in questions)
    return device.type == "cpu" and any(question() for question in asked if question is not None)
