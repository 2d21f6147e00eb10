"""Data to plot, and how to read it off a figure."""

from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import torch

MAPS = np.random.default_rng(0).standard_normal((2, 30, 20))
LABELS = np.repeat([[0], [1], [2]], 10, axis=0) * np.ones((1, 20), int)  # walls below rows 9, 19


class Model:
    """Decodes z into patches whose mean is z_1 + 10 z_2."""

    def __init__(self, patch_shape, latent_dim):
        self.patch_shape, self.latent_dim = patch_shape, latent_dim

    def decode(self, z):
        weights = torch.tensor([1.0, 10.0, 100.0])[: self.latent_dim]
        value = (z @ weights).reshape(-1, *[1] * len(self.patch_shape))
        return value.expand(-1, *self.patch_shape).contiguous()


def history(n=5, offset=0.0):
    curve = np.linspace(1, 2, n) + offset
    names = ("loss", "neg_elbo", "reconstruction", "kl", "psi", "beta", "seconds")
    return SimpleNamespace(
        epoch=np.arange(n, dtype=float), **{name: curve + k for k, name in enumerate(names)}
    )


def image_of(ax):
    return ax.get_images()[0]


def walls_of(ax):
    return np.array(ax.collections[0].get_segments())


def texts(fig):
    return [t for t in fig.findobj(mpl.text.Text) if t.get_text().strip() and t.get_visible()]


def inches(ax):
    """Return left, bottom, right and top of a panel in its figure."""
    box = ax.get_position()
    width, height = ax.figure.get_size_inches()
    return box.x0 * width, box.y0 * height, box.x1 * width, box.y1 * height
