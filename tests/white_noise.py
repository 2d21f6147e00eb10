"""Images of white noise, their patches, and a model of these."""

import numpy as np

import phyvae
from phyvae import PatchGrid, ShiftVAE

SIZE, STEP, AROUND = 12, 4, 4
LINE = (-4, 0, 4)  # displacements of the windows along an axis


def encoder():
    return ShiftVAE((SIZE, SIZE), 2, seed=0)


def image_of(seed=0, side=44, noise=0.1):
    return 0.5 + noise * np.random.default_rng(seed).normal(size=(side, side)).clip(-4, 4)


def grid_of(image, **settings):
    return PatchGrid(image, **{"size": SIZE, "step": STEP, "percentiles": None} | settings)


def alone(model, grid, **settings):
    """Refine without Ψ: the maps that Ψ would then act on."""
    few = {"samples": 2, "iterations": 1, "progress": False}
    return phyvae.refine(model, grid, strength=0.0, **few | settings)
