"""The distribution of a pixel: its range, its losses and the lowest one that is possible."""

import math
from typing import Literal

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

__all__ = ["Sampler", "check_range", "chosen", "expanded", "gaussian_constant", "lowest"]

Pixels = Float[Tensor, "n pixels"]
Sampler = Literal["bernoulli", "continuous_bernoulli", "gaussian"]
"""pyroVED's names."""
_SMALLEST = 1e-6  # probability; float32 knows no logit of one much nearer to 0 or 1
_STEEPEST = 16.0  # logit; torch keeps probabilities this far from 0 and 1 in float32


def chosen(data: Float[Tensor, "n all"], pixels: Tensor | None) -> tuple[Pixels, float]:
    """Return the chosen pixels of each patch, and the factor that scales their sum to all."""
    return (data, 1.0) if pixels is None else (data[:, pixels], data.shape[1] / len(pixels))


def lowest(sampler: Sampler, data: Pixels, sigma: float) -> Pixels:
    """Return the lowest negative log-likelihood of each pixel that any decoder could reach, nats.

    Bernoulli: the entropy of grey pixels. Gaussian: the constant of the normal distribution.
    Continuous Bernoulli: that of the distribution whose mean is the pixel.
    """
    if sampler == "bernoulli":
        return -torch.xlogy(data, data) - torch.xlogy(1 - data, 1 - data)
    if sampler == "gaussian":
        return torch.full_like(data, gaussian_constant(sigma))
    low, high = torch.full_like(data, -_STEEPEST), torch.full_like(data, _STEEPEST)
    for _ in range(30):  # the mean rises with the logit, so halve the interval
        middle = (low + high) / 2
        below = _continuous_mean(middle) < data
        low, high = torch.where(below, middle, low), torch.where(below, high, middle)
    middle = (low + high) / 2
    return _continuous_partition(middle) - middle * data


def gaussian_constant(sigma: float) -> float:
    """Return the negative log-density at the mean of a normal distribution, nats."""
    return math.log(sigma) + 0.5 * math.log(2 * math.pi)


def expanded(
    sampler: Sampler, mean: Pixels, data: Pixels, sigma: float
) -> tuple[Pixels, Pixels, Pixels]:
    """Return each pixel's negative log-likelihood, its slope by the mean, and the curvature.

    The curvature is the expected one, the Fisher information, and so never negative. "Mean" is
    the decoder's output, for a continuous Bernoulli its parameter.
    """
    if sampler == "gaussian":
        slope = (mean - data) / sigma**2
        value = lowest(sampler, data, sigma) + 0.5 * slope * (mean - data)
        return value, slope, torch.full_like(mean, 1 / sigma**2)
    mean = mean.clamp(_SMALLEST, 1 - _SMALLEST)
    value = -torch.xlogy(data, mean) - torch.xlogy(1 - data, 1 - mean)
    per_logit = 1 / (mean * (1 - mean))
    if sampler == "bernoulli":
        return value, (mean - data) * per_logit, per_logit
    logit = mean.logit()
    value = value + _continuous_partition(logit) - F.softplus(logit)
    slope = (_continuous_mean(logit) - data) * per_logit
    return value, slope, _continuous_variance(logit) * per_logit**2


def check_range(
    low: float, high: float, sampler: Sampler, *, sigmoid: bool = False, what: str = "the image"
) -> None:
    """Raise a ValueError unless the decoder can reach values from `low` to `high`."""
    outside = low < 0 or high > 1
    if sampler != "gaussian" and outside:
        raise ValueError(
            f"{what} spans {low:.4g} to {high:.4g}, but "
            "a Bernoulli decoder needs [0, 1]; let PatchGrid scale it (percentiles=(0, 100)) or "
            'take sampler_d="gaussian" with sigmoid_d=False.'
        )
    if sigmoid and outside:
        raise ValueError(
            f"{what} spans {low:.4g} to {high:.4g}, but the decoder ends in a sigmoid, which "
            "gives (0, 1); let PatchGrid scale the image (percentiles=(0, 100)), or, for values "
            "of order 1, take sigmoid_d=False."
        )


def _continuous_partition(logit: Tensor) -> Tensor:
    """Return log((exp(a) - 1) / a), the log-partition of density exp(a x) on [0, 1]."""
    size = logit.abs().clamp(min=1e-3)
    away = logit.clamp(min=0) + torch.log(-torch.expm1(-size)) - size.log()
    # By its series near 0: the quotient loses all its digits there.
    return torch.where(logit.abs() < 1e-2, logit / 2 + logit**2 / 24, away)


def _continuous_mean(logit: Tensor) -> Tensor:
    """Return the mean of the density exp(a x) on [0, 1]."""
    safe = torch.where(logit.abs() < 1e-2, 1.0, logit)
    away = 1 / (1 - torch.exp(-safe)) - 1 / safe
    return torch.where(logit.abs() < 1e-2, 0.5 + logit / 12, away)


def _continuous_variance(logit: Tensor) -> Tensor:
    """Return the variance of the density exp(a x) on [0, 1], the slope of its mean by a."""
    safe = torch.where(logit.abs() < 0.1, 1.0, logit)
    away = 1 / safe**2 - 1 / (4 * torch.sinh(safe / 2) ** 2)
    return torch.where(logit.abs() < 0.1, 1 / 12 - logit**2 / 240, away)
