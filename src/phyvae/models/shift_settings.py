"""Checks of `ShiftVAE`'s settings."""

from collections.abc import Sequence
from typing import Any

from .._checks import as_choice, as_flag, as_integer, as_positive, as_seed, brief, is_integer

__all__ = ["checked_settings"]

_ACTIVATIONS = ("tanh", "relu", "lrelu", "softplus", "gelu")


def checked_settings(
    *,
    patch_shape: object,
    latent_dim: object,
    dx_prior: object,
    dy_prior: object,
    hidden_dim_e: object,
    hidden_dim_d: object,
    activation: object,
    sampler_d: object,
    decoder_sig: object,
    sigmoid_d: object,
    coordinate_scale: object,
    seed: object,
) -> dict[str, Any]:
    """Return the settings as plain numbers, words and tuples, in the order of a model file."""
    down, right = _shift_priors(dx_prior, dy_prior)
    settings = {
        "patch_shape": _patch_shape(patch_shape),
        "latent_dim": as_integer(latent_dim, "latent_dim", 1),
        "dx_prior": down,
        "dy_prior": right,
        "hidden_dim_e": _layers(hidden_dim_e, "hidden_dim_e"),
        "hidden_dim_d": _layers(hidden_dim_d, "hidden_dim_d"),
        "activation": as_choice(activation, "activation", _ACTIVATIONS),
        "sampler_d": as_choice(sampler_d, "sampler_d", ("bernoulli", "gaussian")),
        "decoder_sig": as_positive(decoder_sig, "decoder_sig"),
        "sigmoid_d": as_flag(sigmoid_d, "sigmoid_d"),
        "coordinate_scale": as_positive(coordinate_scale, "coordinate_scale"),
        "seed": as_seed(seed),
    }
    if settings["sampler_d"] == "bernoulli" and not settings["sigmoid_d"]:
        raise ValueError(
            "sigmoid_d=False with sampler_d='bernoulli': probabilities need the sigmoid; use "
            "sampler_d='gaussian' for an unbounded output."
        )
    return settings


def _patch_shape(shape: object) -> tuple[int, ...]:
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


def _shift_priors(dx_prior: object, dy_prior: object) -> tuple[float, float]:
    """Return the prior standard deviation of the shift down and to the right."""
    if not isinstance(dx_prior, tuple | list):
        dx_prior = (dx_prior, dx_prior if dy_prior is None else dy_prior)
    elif dy_prior is not None or len(dx_prior) != 2:
        raise ValueError(
            f"dx_prior={brief(dx_prior)} with dy_prior={brief(dy_prior)}: give dx_prior as a "
            "pair, down and to the right, or as one number with or without dy_prior."
        )
    return as_positive(dx_prior[0], "dx_prior"), as_positive(dx_prior[1], "dy_prior")


def _layers(units: object, name: str) -> tuple[int, ...]:
    """Return the units of hidden layers, checked."""
    if not isinstance(units, Sequence) or isinstance(units, str) or not units:
        raise TypeError(f"{name}={brief(units)} must be a list of layers' units: (128, 128).")
    return tuple(as_integer(n, f"each of {name}", 1, " unit") for n in units)
