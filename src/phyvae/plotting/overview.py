"""The overview of a result: image, domains, maps and mean cells."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from ..patches.grid import PatchGrid
from .arguments import (
    Array,
    as_channels,
    as_domains,
    as_image,
    extent_of,
    in_unit,
    sides_of,
)
from .cells import add_walls
from .hatching import LEFT_OUT, add_hatching, recorded
from .panels import Panels, colour_of, finished, show_image, show_labels, show_row
from .placing import ONE_LINE, Group, placed
from .scale_bar import add_scale_bar

__all__ = ["Spectral", "group_of", "plot_cells", "plot_overview", "show_cells"]

Spectral = tuple[Float[np.ndarray, " length"], str]  # values of the spectral axis, and its label
_COLUMNS = 6
_BAR = 0.62  # inches for a colour bar, its numbers and its name


def plot_overview(
    grid: PatchGrid,
    labels: Array,
    maps: Array,
    cells: Mapping[int, np.ndarray],
    *,
    image: Array | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str = "px",
    width: float = 7.0,
    spectral: Spectral | None = None,
    names: Sequence[str] = (),
) -> Panels:
    """Plot the image with walls and a scale bar, the domains over it, the maps and mean cells.

    grid, labels, maps, pixel_size, unit, width: As for `plot_latent_maps`. Without a domain, as
        where all labels are -1, there is no panel for them.
    cells: Mean patch of each domain, by label.
    image: Image of the scan: pixels that were left out are shown as recorded, with hatching, and
        blank if NaN. By default, the image of the grid is shown.
    spectral: Values of the spectral axis and its label, if patches are spectra.
    names: Names of the maps; by default those of latents.
    """
    z = as_channels(maps)
    if image is None:
        picture, hidden = as_image(grid), np.zeros(grid.image.shape[:2], bool)
    else:
        picture, hidden = recorded(grid, image)
    hatched = hidden.mean() > LEFT_OUT
    answered = bool((np.asarray(labels) >= 0).any())
    sides = sides_of(pixel_size)
    around = in_unit(extent_of(picture.shape), pixel_size, unit)
    extent = in_unit(extent_of(grid.shape, grid), pixel_size, unit)
    columns = min(4 if width > 5 else 2, max(3, len(z), len(cells)))
    height, across = np.multiply(picture.shape, sides)
    groups = [
        Group(1 + answered, height / across, 2, right=_BAR),
        Group(len(z), height / across, columns, right=_BAR),
        group_of(cells, sides, columns),
    ]
    fig, (large, small, last) = placed(groups, width)
    (first, *rest), panels = large, large + small
    corner = "lower left"
    show_image(first, picture, cmap="gray", extent=around)
    first.set_title("image (mask hatched)" if hatched else "image")
    if answered:
        domains = as_domains(labels, grid.shape)
        add_walls(first, domains, extent, "white", grid, sides)
        show_image(rest[0], picture, cmap="gray", extent=around)
        show_labels(rest[0], domains, extent, 0.5, grid, sides)
        rest[0].set_title("domains")
        corner = _corner_without_walls(domains)
    if hatched:
        for ax in panels[: 1 + answered]:
            add_hatching(ax, hidden, around)
    show_row(small, z, None, extent, grid, sides, names)
    for ax in panels:
        ax.set(xlim=around[:2], ylim=around[2:], xticks=[], yticks=[])
    add_scale_bar(first, unit, corner)
    show_cells(last, cells, sides, unit, spectral)
    return finished(fig), np.array(panels + last)


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

    All have one grey scale, and a scale bar each. Spectra are curves in one panel. Each has a
    finite value. `sides` are height and width of a pixel.
    """
    if spectral is not None and cells:
        _show_spectra(axes[0], cells, spectral)
        return
    low = min((float(np.nanmin(mean)) for mean in cells.values()), default=0.0)
    high = max((float(np.nanmax(mean)) for mean in cells.values()), default=1.0)
    for ax, (label, mean) in zip(axes, cells.items(), strict=True):
        height, width = np.multiply(mean.shape, sides)
        show_image(ax, mean, cmap="gray", clim=(low, high), extent=(0, width, height, 0))
        ax.set(xticks=[], yticks=[])
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


def _corner_without_walls(labels: Array) -> str:
    """Return the first corner of those with the shortest walls, in a sixth of the image."""
    rows, cols = -(-labels.shape[0] // 3), -(-labels.shape[1] // 2)
    cuts = {"lower": slice(-rows, None), "upper": slice(rows)}
    cuts |= {"left": slice(cols), "right": slice(-cols, None)}

    def walls(corner: str) -> int:
        part = labels[tuple(cuts[side] for side in corner.split())]
        return sum(int(np.count_nonzero(np.diff(part, axis=axis))) for axis in (0, 1))

    return min(("lower left", "lower right", "upper left", "upper right"), key=walls)
