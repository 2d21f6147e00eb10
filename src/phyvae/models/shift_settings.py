"""Checks of `ShiftVAE`'s settings that are no single number: shapes, priors, layers."""

from collections.abc import Sequence

from .._checks import as_integer, as_positive, brief, is_integer

__all__ = ["as_layers", "as_patch_shape", "as_shift_priors"]


def as_patch_shape(shape: object) -> tuple[int, ...]:
    """Return the shape of a patch, checked."""
    is_list = isinstance(shape, Sequence) and not isinstance(shape, str)
    if not is_list or not all(map(is_integer, shape)):  # type: ignore[call-overload]
        raise TypeError(
            f"patch_shape={brief(shape)} must be whole numbers, (height, width) or (length,), "
            "such as grid.patch_shape."
        )
    numbers = tuple(int(n) for n in shape)  # type: ignore[attr-defined]
    if len(numbers) not in (1, 2) or min(numbers) < 2:
        raise ValueError(
            f"patch_shape={numbers} must be (height, width) or (length,), each at least 2."
        )
    return numbers


def as_shift_priors(dx_prior: object, dy_prior: object) -> tuple[float, float]:
    """Return the prior standard deviation of the shift down and to the right."""
    if not isinstance(dx_prior, tuple | list):
        dx_prior = (dx_prior, dx_prior if dy_prior is None else dy_prior)
    elif dy_prior is not None or len(dx_prior) != 2:
        raise ValueError(
            f"dx_prior={brief(dx_prior)} with dy_prior={brief(dy_prior)}: give dx_prior as a "
            "pair, down and to the right, or as one number with or without dy_prior."
        )
    return as_positive(dx_prior[0], "dx_prior"), as_positive(dx_prior[1], "dy_prior")


def as_layers(units: object, name: str) -> tuple[int, ...]:
    """Return the units of hidden layers, checked."""
    if not isinstance(units, Sequence) or isinstance(units, str) or not units:
        raise TypeError(f"{name}={brief(units)} must be a list of layers' units: (128, 128).")
    return tuple(as_integer(n, f"each of {name}", 1, " unit") for n in units)
