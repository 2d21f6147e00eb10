"""Mean cells of the domains on one grey scale, or their mean spectra in one panel."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from .panels import Panels, colour_of, finished, show_image
from .placing import ONE_LINE, Group, placed
from .scale_bar import add_scale_bar

__all__ = ["Spectral", "group_of", "plot_cells", "show_cells"]

Spectral = tuple[Float[np.ndarray, " length"], str]  # values of the spectral axis, and its label
_COLUMNS = 6


def plot_cells(
    cells: Mapping[int, np.ndarray], sides: Any, unit: str, spectral: Spectral | None = None
) -> Panels:
    """Plot the mean patch of each domain as a figure of its own; as for `show_cells`."""
    columns = min(_COLUMNS, max(3, len(cells)))
    fig, (axes,) = placed([group_of(cells, sides, columns)], 1.8 * columns)
    show_cells(axes, cells, sides, unit, spectral)
    return finished(fig), np.array(axes)


def group_of(cells: Mapping[int, np.ndarray], sides: Any, columns: int) -> Group:
    """Return the panels for mean patches: one for all spectra; smaller ones for many domains."""
    shapes = [mean.shape for mean in cells.values()]
    if not shapes:
        return Group(0, 1.0, columns)
    if len(shapes[0]) == 1:
        return Group(1, 0.5 if columns <= 2 else 0.3, 1, left=0.5, right=0.9, below=0.42)
    height, width = np.multiply(shapes[0], sides)
    if len(shapes) > 2 * columns:
        return Group(len(shapes), height / width, 2 * columns, right=0.15)
    closer = 0.3 if height > 1.4 * width else 0.5
    return Group(len(shapes), height / width, columns, right=closer)


def show_cells(
    axes: Any,
    cells: Mapping[int, np.ndarray],
    sides: Any,
    unit: str = "px",
    spectral: Spectral | None = None,
) -> None:
    """Show the mean patch of each domain in a panel, framed in the colour of the domain.

    The first has a scale bar, unless the unit is px. Spectra are curves in one panel. Each has a
    finite value. `sides` are height and width of a pixel.
    """
    if spectral is not None and cells:
        _show_spectra(axes[0], cells, spectral)
        return
    low = min((float(np.nanmin(mean)) for mean in cells.values()), default=0.0)
    high = max((float(np.nanmax(mean)) for mean in cells.values()), default=1.0)
    for k, (ax, (label, mean)) in enumerate(zip(axes, cells.items(), strict=True)):
        height, width = np.multiply(mean.shape, sides)
        show_image(ax, mean, cmap="gray", clim=(low, high), extent=(0, width, height, 0))
        ax.set(xticks=[], yticks=[])
        if k == 0 and unit != "px":
            add_scale_bar(ax, unit)
        narrow = ax.get_window_extent().width < ONE_LINE * ax.figure.dpi
        ax.set_title(f"mean cell,{chr(10) if narrow else ' '}domain {label}")
        ax.spines[:].set(color=colour_of(label), linewidth=2)


def _show_spectra(ax: Any, cells: Mapping[int, np.ndarray], spectral: Spectral) -> None:
    """Show mean spectra over their axis."""
    values, name = spectral
    for label, mean in cells.items():
        ax.plot(values, mean, color=colour_of(label), linewidth=1, label=f"domain {label}")
    ax.set(title="mean spectra", xlabel=name, ylabel="intensity")
    ax.margins(x=0)
    ax.legend(
        loc="upper left", bbox_to_anchor=(1.01, 1.0), frameon=False, borderaxespad=0,
        handlelength=1.0, ncols=-(-len(cells) // 12),
    )  # fmt: skip
