"""Mean cells of the domains, on one grey scale."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from .panels import colour_of, show_image

__all__ = ["show_cells"]


def show_cells(axes: Any, cells: Mapping[int, np.ndarray], sides: Any) -> None:
    """Show the mean patch of each domain in a panel, framed in the colour of the domain.

    Spectra are curves. Each has a finite value. `sides` are height and width of a pixel.
    """
    low = min((float(np.nanmin(mean)) for mean in cells.values()), default=0.0)
    high = max((float(np.nanmax(mean)) for mean in cells.values()), default=1.0)
    for ax, (label, mean) in zip(axes, cells.items(), strict=False):
        colour = colour_of(label)
        if mean.ndim == 1:
            ax.plot(mean, color=colour, linewidth=1)
            margin = 0.05 * (high - low)
            ax.set(ylim=(low - margin, high + margin), xticks=[], yticks=[], box_aspect=0.6)
        else:
            height, width = np.multiply(mean.shape, sides)
            show_image(ax, mean, cmap="gray", clim=(low, high), extent=(0, width, height, 0))
            ax.set(xticks=[], yticks=[])
        ax.set_title(f"mean {'spectrum' if mean.ndim == 1 else 'cell'}, domain {label}")
        ax.spines[:].set(color=colour, linewidth=2)
