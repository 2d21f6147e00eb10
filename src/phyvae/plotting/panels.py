"""The panels of a figure: images, labels, colourbars and text in one style."""

from collections.abc import Sequence
from colorsys import hsv_to_rgb
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ..scans.intensities import robust_limits
from .arguments import Extent, as_width
from .cells import add_cells, add_walls, on_sites

if TYPE_CHECKING:  # matplotlib is imported when a figure is made, not before
    import matplotlib.figure

__all__ = [
    "COLOURS",
    "Panels",
    "add_colourbar",
    "colour_limits",
    "colour_of",
    "finished",
    "label_colours",
    "label_outer",
    "latent_name",
    "name_ticks",
    "new_panels",
    "show_image",
    "show_labels",
    "show_row",
]

Panels: TypeAlias = tuple["matplotlib.figure.Figure", npt.NDArray[Any]]

# Okabe & Ito's colours, which colour-blind readers can distinguish, of the first 8 labels.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
# Each is as far as can be, in CIELAB, from those before it, white and grey.
_FURTHER = (
    "#0000FF", "#00FF00", "#FF00DD", "#440088", "#FF0066", "#555500",
    "#661111", "#44AA11", "#AA88FF", "#FFAA88", "#00FFAA", "#442255",
)  # fmt: skip


def new_panels(rows: int, columns: int, width: float) -> Panels:
    """Return a figure as high as a page, which `finished` trims, and its axes."""
    import matplotlib.pyplot as plt

    size = (as_width(width), 9.5)
    return plt.subplots(rows, columns, figsize=size, layout="compressed", squeeze=False)


def show_image(ax: Any, values: Any, **style: Any) -> Any:
    """Show an image with row 0 at the top, square pixels, whatever the user's rcParams."""
    style = {"aspect": "equal", **_limited(style, values)}
    return ax.imshow(values, origin="upper", **style)


def colour_limits(values: Any) -> tuple[float, float] | None:
    """Return the limits of the colours, which a hot cell does not set; ``None`` of no value."""
    seen = np.ma.compressed(np.ma.masked_invalid(values))
    return robust_limits(seen) if len(seen) else None


def _limited(style: dict[str, Any], values: Any) -> dict[str, Any]:
    """Return a style with limits of the colours, if it has none and values are no colours."""
    if style.get("clim") is not None or np.ndim(values) != 2:
        return style
    return {**style, "clim": colour_limits(values)}


def show_row(
    axes: Any,
    z: Any,
    labels: Any,
    extent: Extent,
    grid: Any = None,
    pixel_size: Any = 1.0,
    names: Sequence[str] = (),
    limits: Sequence[tuple[float, float] | None] = (),
    label_names: Sequence[str] = (),
) -> None:
    """Show each channel and, in the last panel, the labels; hide empty panels.

    `limits` are those of the colour scale of each channel; by default its own.
    """
    for k, (ax, channel) in enumerate(zip(axes, z, strict=False)):
        values = np.ma.masked_invalid(channel)
        style = {"clim": limits[k]} if limits else {}
        shown = _show_map(ax, values, extent, grid, pixel_size, cmap="viridis", **style)
        add_colourbar(ax, shown).formatter.set_powerlimits((-2, 4))
        ax.set_title(names[k] if names else latent_name(k))
        if labels is not None:
            add_walls(ax, labels, extent, "white", grid, pixel_size)
    if labels is not None:
        show_labels(axes[-1], labels, extent, 1.0, grid, pixel_size, label_names)
        axes[-1].set_title("domains")
    for ax in axes:
        ax.set_visible(ax.has_data())


def show_labels(
    ax: Any,
    labels: Any,
    extent: Extent,
    alpha: float = 1.0,
    grid: Any = None,
    pixel_size: Any = 1.0,
    names: Sequence[str] = (),
) -> None:
    """Show labels in their colours, with their walls and a colourbar; `names` are theirs."""
    domains = np.ma.masked_less(labels, 0)
    colours, low, high, ticks = label_colours(domains.compressed())
    style = {"cmap": colours, "alpha": alpha, "clim": (low, high)}
    shown = _show_map(ax, domains, extent, grid, pixel_size, **style)
    add_walls(ax, labels, extent, "black", grid, pixel_size)
    bar = add_colourbar(ax, shown, ticks)
    name_ticks(bar, ticks, names)
    bar.solids.set_alpha(1.0)  # over an image a translucent colour darkens; on paper it pales


def label_colours(labels: Any) -> tuple[Any, float, float, range]:
    """Return a colour map of labels, its limits and the ticks of a colourbar."""
    from matplotlib.colors import ListedColormap

    low, high = (int(labels.min()), int(labels.max())) if labels.size else (0, 0)
    colours = ListedColormap([colour_of(k) for k in range(low, high + 1)])
    return colours, low - 0.5, high + 0.5, range(low, high + 1, 1 + (high - low) // 8)


def colour_of(label: int) -> str:
    """Return the colour of a label, a different one for each."""
    known = COLOURS + _FURTHER
    if label < len(known):
        return known[label]
    # Hues by the golden ratio are spread evenly, however many.
    rgb = hsv_to_rgb(label * 0.6180339887 % 1, 0.5 + label % 89 / 200, 0.5 + label % 97 / 200)
    return "#{:02X}{:02X}{:02X}".format(*(round(255 * part) for part in rgb))


def _show_map(
    ax: Any, values: Any, extent: Extent, grid: Any, pixel_size: Any, **style: Any
) -> Any:
    """Show a value per cell: as an image, or at the sites."""
    if not on_sites(grid):
        return show_image(ax, values, extent=extent, interpolation="nearest", **style)
    cells = add_cells(ax, grid, values, pixel_size, **_limited(style, values))
    ax.set(xlim=extent[:2], ylim=extent[2:])
    return cells


def add_colourbar(ax: Any, shown: Any, ticks: Any = None) -> Any:
    """Add a colourbar exactly as high as the panel."""
    from matplotlib.ticker import MaxNLocator

    cax = ax.inset_axes((1.03, 0, 0.05, 1))
    values, (low, high) = shown.get_array(), shown.get_clim()
    beyond = bool(values.min() < low), bool(values.max() > high)
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get(beyond)
    ticks = MaxNLocator(5) if ticks is None else ticks
    return ax.figure.colorbar(shown, cax=cax, ticks=ticks, extend=extend or "neither")


def name_ticks(bar: Any, ticks: range | None, names: Sequence[str]) -> None:
    """Name the labels at a colourbar; those beyond the names keep their numbers."""
    if names and ticks is not None:
        bar.set_ticks(ticks, labels=[names[k] if k < len(names) else f"{k}" for k in ticks])


def label_outer(axes: Any, unit: str) -> None:
    """Label the lowest visible panel of each column and the first of each row only."""
    for ax in axes.flat:
        ax.tick_params(labelbottom=False, labelleft=False)
    for column in axes.T:
        lowest = [ax for ax in column if ax.get_visible()][-1]
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(f"x ({unit})")
    for first in axes[:, 0]:
        first.tick_params(labelleft=True)
        first.set_ylabel(f"y ({unit})")


def finished(fig: "matplotlib.figure.Figure") -> "matplotlib.figure.Figure":
    """Set the sizes of all text, and trim the height of a page of `new_panels`."""
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

    for ax in fig.findobj(Axes):
        ax.tick_params(labelsize=7, length=2.5, width=0.6)
        ax.yaxis.get_offset_text().set_fontsize(7)
        for text in (ax.title, ax.xaxis.label, ax.yaxis.label):
            text.set_fontsize(8)
    for legend in fig.findobj(Legend):
        for text in (legend.get_title(), *legend.get_texts()):
            text.set_fontsize(7)
    if fig.get_layout_engine() is not None:
        fig.draw_without_rendering()
        fig.set_figheight(fig.get_tightbbox().height + 0.12)
    return fig


def latent_name(channel: int) -> str:
    """Return the symbol of a latent, counted from 0."""
    return f"$z_{channel + 1}$" if channel < 9 else f"$z_{{{channel + 1}}}$"
