"""The overview of a result: image, domains, maps and mean cells, placed to the inch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from ..patches.grid import PatchGrid
from .arguments import (
    Array,
    as_channels,
    as_domains,
    as_image,
    as_width,
    extent_of,
    in_unit,
    sides_of,
)
from .cells import add_walls
from .panels import Panels, colour_of, finished, show_image, show_labels, show_row

__all__ = [
    "LEFT_OUT",
    "ONE_LINE",
    "Group",
    "Spectral",
    "add_hatching",
    "add_scale_bar",
    "group_of",
    "placed",
    "plot_cells",
    "plot_overview",
    "recorded",
    "round_length",
    "show_cells",
    "stripes_of",
]

Spectral = tuple[Float[np.ndarray, " length"], str]  # values of the spectral axis, and its label
_COLUMNS = 6
_TITLE = 0.22  # inches above a panel, for each line of its title
_MARGIN = 0.06
ONE_LINE, _TWO_LINES = 1.0, 0.78  # inches that a panel needs for a title of one line, or of two
LEFT_OUT = 1e-3  # share of pixels left out, above which they are hatched
_GREY = "#9A9A9A"


@dataclass(frozen=True)
class Group:
    """Panels of one shape, which begin a row.

    count: Number of panels.
    aspect: Height of a panel over its width.
    columns: Number of panels in a row, of those that are not tall.
    left, right, below: Inches for the labels and the colour bar of each.
    """

    count: int
    aspect: float
    columns: int
    left: float = 0.0
    right: float = 0.5
    below: float = 0.04


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
) -> Panels:
    """Plot the image with walls and a scale bar, the domains over it, the maps and mean cells.

    grid, labels, maps, pixel_size, unit, width: As for `plot_latent_maps`. Without a domain, as
        where all labels are -1, there is no panel for them.
    cells: Mean patch of each domain, by label.
    image: Image of the scan: pixels that were left out are shown as recorded, with hatching, and
        blank if NaN. By default, the image of the grid is shown.
    spectral: Values of the spectral axis and its label, if patches are spectra.
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
    columns = 4 if width > 5 else 2
    count = 1 + answered + len(z)
    (height, across) = np.multiply(picture.shape, sides)
    columns = min(columns, max(3, count, len(cells)))
    groups = [Group(count, height / across, columns), group_of(cells, sides, columns)]
    fig, (panels, last) = placed(groups, width)
    first, *rest = panels
    show_image(first, picture, cmap="gray", extent=around)
    first.set_title("image (mask hatched)" if hatched else "image")
    if answered:
        domains = as_domains(labels, grid.shape)
        add_walls(first, domains, extent, "white", grid, sides)
        show_image(rest[0], picture, cmap="gray", extent=around)
        show_labels(rest[0], domains, extent, 0.5, grid, sides)
        rest[0].set_title("domains")
    if hatched:
        for ax in panels[: 1 + answered]:
            add_hatching(ax, hidden, around)
    show_row(panels[count - len(z) :], z, None, extent, grid, sides)
    for ax in panels:
        ax.set(xlim=around[:2], ylim=around[2:], xticks=[], yticks=[])
    add_scale_bar(first, unit)
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


def placed(groups: Sequence[Group], width: float) -> tuple[Any, list[list[Any]]]:
    """Return a figure as high as its panels need, and the panels of each group.

    A panel fits into its column, and is at most 1.4 times as high as that is wide; tall panels
    stand closer.
    """
    import matplotlib.pyplot as plt

    inches, top, places = as_width(width), _MARGIN, []
    for group in groups:
        across = (inches - _MARGIN) / group.columns
        around = group.left + group.right
        wide = (across - around) * min(1.0, 1.4 / group.aspect)
        left = max(group.left, min((_TWO_LINES - wide) / 2, across - wide - group.right))
        apart = min(across, max(left + wide + group.right, _TWO_LINES))
        each = int((inches - _MARGIN) / apart + 1e-6)
        high, above = wide * group.aspect, _TITLE * (1 if wide >= ONE_LINE else 1.7)
        for row in range(-(-group.count // each)):
            top += above
            for column in range(min(each, group.count - row * each)):
                places.append((_MARGIN + left + column * apart, top, wide, high))
            top += high + group.below
    fig = plt.figure(figsize=(inches, top + _MARGIN))
    scale = np.array((inches, top + _MARGIN))
    made = [
        fig.add_axes((x / scale[0], 1 - (y + high) / scale[1], wide / scale[0], high / scale[1]))
        for x, y, wide, high in places
    ]
    ends = np.cumsum([group.count for group in groups])
    return fig, [
        list(made[end - group.count : end]) for group, end in zip(groups, ends, strict=True)
    ]


def add_scale_bar(ax: Any, unit: str) -> None:
    """Add a scale bar to an image, at most a third as long as it is wide; no axes then."""
    from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    length = round_length(abs(right - left) / 3)
    name = f"{length / 1000:g} µm" if unit == "nm" and length >= 1000 else f"{length:g} {unit}"
    bar = AnchoredSizeBar(
        ax.transData, length, name, "lower left", pad=0.4, borderpad=0.4, sep=2, color="white",
        size_vertical=abs(top - bottom) / 80, fontproperties={"size": 7},
    )  # fmt: skip
    bar.patch.set(facecolor="black", alpha=0.6, linewidth=0)
    ax.add_artist(bar)
    ax.set(xticks=[], yticks=[])


def round_length(most: float) -> float:
    """Return the longest length of 1, 2 or 5 times a power of ten that is not above `most`."""
    power = 10.0 ** np.floor(np.log10(most))
    first = next(k for k in (5, 2, 1) if k <= most / power * (1 + 1e-9))
    return float(f"{first * power:.0e}")


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
