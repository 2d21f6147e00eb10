"""Latent maps with a direction: waves and ramps."""

import math

import numpy as np
import torch


def wave(ky, kx, shape=(48, 60)):
    y, x = np.indices(shape)
    return torch.from_numpy(np.cos(2 * np.pi * (ky * y + kx * x) + 0.4))[None]


def plane(degrees, shape=(40, 40)):
    """A ramp whose level lines run in this direction, counterclockwise as drawn; slope 1."""
    y, x = np.indices(shape, dtype=float)
    sine, cosine = math.sin(math.radians(degrees)), math.cos(math.radians(degrees))
    return torch.from_numpy(cosine * y + sine * x)[None]
