"""An image as it was recorded, and hatching over pixels that were left out of the analysis."""

from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ..patches.grid import PatchGrid
from .arguments import as_image

__all__ = ["LEFT_OUT", "add_hatching", "recorded", "stripes_of"]

LEFT_OUT = 1e-3  # share of pixels left out, above which they are hatched
_GREY = "#9A9A9A"


def recorded(
    grid: PatchGrid, image: Any
) -> tuple[Float[np.ndarray, "height width"], Bool[np.ndarray, "height width"]]:
    """Return the image of a grid, scaled, as recorded where it was masked, and what was left out.

    NaN where the scan's `image` is not finite. Pixels without specimen have values of the scan,
    scaled as its specimen is, and clipped, in place of those filled in.
    """
    picture = as_image(grid).copy()
    raw = np.asarray(image, np.float64)
    there = np.isfinite(raw)
    shown = there if grid.specimen is None else there & grid.specimen.cpu().numpy()
    if grid.specimen is not None and shown.any():
        low, high = np.quantile(raw[shown], (0.001, 0.999))
        picture[~shown] = np.clip((raw[~shown] - low) / ((high - low) or 1.0), 0, 1)
    picture[~there] = np.nan
    return picture, ~shown


def add_hatching(ax: Any, hidden: Bool[np.ndarray, "height width"], extent: Any) -> None:
    """Hatch the pixels that were left out."""
    from matplotlib.colors import ListedColormap

    stripes = np.ma.masked_equal(stripes_of(hidden), 0)
    ax.imshow(
        stripes, cmap=ListedColormap([_GREY]), extent=extent, origin="upper", aspect="equal",
        interpolation="nearest",
    )  # fmt: skip


def stripes_of(hidden: Bool[np.ndarray, "height width"]) -> np.ndarray:
    """Return 1 on diagonal stripes over the pixels that were left out, else 0; uint8."""
    period = max(8, max(hidden.shape) // 25)
    along = np.add.outer(*(np.arange(side) for side in hidden.shape)) % period
    return np.asarray((hidden & (along < period / 4)).astype(np.uint8))
