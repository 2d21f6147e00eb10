"""Random and noisy latent maps that several tests share."""

import numpy as np
import torch


def random_maps(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(shape, generator=generator, dtype=torch.float64)


def noisy(domains, noise=0.1, seed=0):
    """A map that takes the value of its domain, plus noise."""
    return domains + noise * np.random.default_rng(seed).normal(size=domains.shape)
