"""Images and cells of a page, made so small that the page stays small."""

import numpy as np
from jaxtyping import Float, Int, UInt8

from ..patches.grid import PatchGrid
from ..plotting.hatching import LEFT_OUT, recorded, stripes_of

__all__ = ["eight_bits", "picture_of", "smaller", "thinned"]

Picture = UInt8[np.ndarray, "height width"]
_PIXELS = 1_500_000  # of an image


def picture_of(grid: PatchGrid, recording: np.ndarray) -> tuple[Picture, Picture | None, int]:
    """Return the image in 8 bits, hatching of what was left out, and how much smaller they are.

    Of a scan's `recording`, NaN are white, and pixels that were masked are as recorded.
    """
    image, hidden = recorded(grid, recording)
    image = image if grid.image.ndim == 2 else _stretched(image)
    factor = int(np.ceil((image.size / _PIXELS) ** 0.5))
    stripes = None
    if hidden.mean() > LEFT_OUT:
        stripes = stripes_of(smaller(hidden.astype(float), factor) > 0.5)
    return eight_bits(np.nan_to_num(smaller(image, factor), nan=1.0)), stripes, factor


def thinned(grid: PatchGrid, most: int, least: int = 1) -> tuple[Int[np.ndarray, " n"], int]:
    """Return cells with a patch, of every k-th row and column so that they are few, and k.

    k is a multiple of `least`.
    """
    filled = grid.indices.cpu().numpy()
    row, column = np.divmod(filled, grid.shape[1])
    stride = least
    while True:
        kept = filled[(row % stride == 0) & (column % stride == 0)]
        if len(kept) <= most or len(kept) == 1:
            return kept, stride
        stride += least


def smaller(images: np.ndarray, factor: int) -> Float[np.ndarray, "..."]:
    """Return means over squares of pixels, along the last two axes."""
    if factor == 1:
        return images
    *others, height, width = images.shape
    rows, cols = height // factor, width // factor
    cut = images[..., : rows * factor, : cols * factor]
    return np.asarray(cut.reshape(*others, rows, factor, cols, factor).mean(axis=(-3, -1)))


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    return np.asarray((values - low) / ((high - low) or 1.0))


def eight_bits(values: np.ndarray) -> UInt8[np.ndarray, "..."]:
    """Return intensities from 0 to 1 as 0 to 255."""
    return np.asarray(np.round(255 * np.clip(values, 0, 1)).astype(np.uint8))
