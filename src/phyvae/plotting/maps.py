"""Latent maps on their grid, with the walls of domains: of one method, or of several."""

import math
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from ..patches.grid import PatchGrid
from ._given import (
    Array,
    Extent,
    as_labels,
    as_maps,
    as_picture,
    brief,
    checked_width,
    extent_of,
    frame_of,
)
from ._panels import Drawn, draw_labels, draw_row, finished, label_outer, new_panels, show

__all__ = ["plot_comparison", "plot_latent_maps"]

_CHARACTERS = 130  # of a label that fit on a page's height beside all rows


def plot_comparison(
    rows: Mapping[str, tuple[Array, Array | None]],
    *,
    truth: Array | None = None,
    grid: PatchGrid | None = None,
    names: Sequence[str] | None = None,
    pixel_size: float | None = None,
    unit: str = "px",
    width: float = 7.0,
) -> Drawn:
    """Plot a row per method: its latent maps, each on a colour scale of its own, and its labels.

    `rows` maps the method's name to (maps, labels or None), all on one patch grid. With a grid,
    the row above them shows its image and, if given, the true domains `truth`, shape (rows, cols);
    the rest is as for `plot_latent_maps`. `axes` has one row per row of the figure; unused ones
    are invisible.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> maps = torch.rand(2, 40, 50)
    >>> rows = {"sh-VAE": (maps, (maps[0] > 0.5).int()), "physics": (maps, (maps[1] > 0.5).int())}
    >>> fig, axes = phyvae.plot_comparison(rows)
    """
    if not isinstance(rows, Mapping):
        raise TypeError(
            f"rows={brief(rows)} must map names of methods to (maps, labels or None): "
            '{"sh-VAE": (maps, labels)}.'
        )
    for name, row in rows.items():
        if not isinstance(row, tuple | list) or len(row) != 2:
            raise TypeError(
                f"rows[{name!r}]={brief(row)} must be the pair (maps, labels), or (maps, None)."
            )
    if not rows:
        raise ValueError("rows is empty; pass a mapping from method to (maps, labels).")
    z = [as_maps(maps, f"maps of {name!r}") for name, (maps, _) in rows.items()]
    shape, channels = z[0].shape[1:], max(map(len, z))
    if len({stack.shape[1:] for stack in z}) > 1:
        shapes = ", ".join(
            f"{name!r} {stack.shape[1:]}" for name, stack in zip(rows, z, strict=True)
        )
        raise ValueError(f"rows hold maps of unequal (rows, cols): {shapes}; use one patch grid.")
    domains = [None if v is None else as_labels(v, shape) for _, v in rows.values()]
    true = None if truth is None else as_labels(truth, shape)
    if true is not None and grid is None:
        raise ValueError("truth is drawn next to the image; pass grid, too.")
    extent, unit = frame_of(shape, grid, pixel_size, unit)
    _check_names(names, channels)
    columns = channels + any(v is not None for v in (true, *domains))
    above = int(grid is not None)
    fig, axes = new_panels(above + len(rows), columns, width)
    if grid is not None:
        _draw_what_is_known(axes[0], grid, true, extent, pixel_size)
    for row, stack, labels in zip(axes[above:], z, domains, strict=True):
        draw_row(row, stack, labels, extent, grid, pixel_size or 1.0, names or ())
    label_outer(axes, unit)
    for row, name in zip(axes[above:], rows, strict=True):
        wrapped = textwrap.fill(name, max(8, _CHARACTERS // len(axes)))
        row[0].set_ylabel(f"{wrapped}\n{row[0].get_ylabel()}", linespacing=1.6)
    for column in axes[above:].T:
        for ax in [ax for ax in column if ax.get_visible()][1:]:
            ax.set_title("")
    return finished(fig), axes


def _draw_what_is_known(
    axes: Any, grid: PatchGrid, truth: Any, extent: Extent, pixel_size: float | None
) -> None:
    """Draw the image, and the true domains in the column of the labels; hide what stays empty."""
    picture = as_picture(grid)
    around = tuple(edge * (pixel_size or 1) for edge in extent_of(picture.shape))
    show(axes[0], picture, cmap="gray", extent=around)
    title = "mean intensity" if len(grid.patch_shape) == 1 else "image"
    axes[0].set(title=title, xlim=extent[:2], ylim=extent[2:])
    if truth is not None:
        draw_labels(axes[-1], truth, extent, grid=grid, pixel_size=pixel_size or 1.0)
        axes[-1].set_title("true domains")
    for ax in axes:
        ax.set_visible(ax.has_data())


def plot_latent_maps(
    maps: Array,
    labels: Array | None = None,
    *,
    grid: PatchGrid | None = None,
    names: Sequence[str] | None = None,
    pixel_size: float | None = None,
    unit: str = "px",
    width: float = 7.0,
) -> Drawn:
    """Plot each latent map on a colour scale of its own, the walls between labels over it.

    Parameters
    ----------
    maps
        Latent maps, shape (channels, rows, cols); what is not finite stays white.
    labels
        Domains, shape (rows, cols), integers: the last panel. Negative means none: white.
    grid
        The grid of the maps; axes are then in image pixels, else in map pixels. Cells of
        `PatchGrid.at` are drawn at their sites, empty ones are blank.
    names
        A title for each map, where it is no content latent: ``model.map_names``, or
        ``["$p_1$", "$p_2$"]``.
    pixel_size, unit
        Size of an image pixel and its unit: ``pixel_size=0.02, unit="nm"``; needs `grid`.
    width
        Figure width, inches.

    Raises
    ------
    ValueError
        If shapes do not fit, a map holds no finite value or has no name, or `pixel_size` lacks
        `grid` or unit.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> maps = torch.rand(2, 40, 50)
    >>> fig, axes = phyvae.plot_latent_maps(maps, (maps[0] > 0.5).int())
    >>> [ax.get_title() for ax in axes]
    ['$z_1$', '$z_2$', 'labels']
    """
    z = as_maps(maps)
    domains = None if labels is None else as_labels(labels, z.shape[1:])
    extent, unit = frame_of(z.shape[1:], grid, pixel_size, unit)
    _check_names(names, len(z))
    n = len(z) + (domains is not None)
    rows = math.ceil(n / (4 if checked_width(width) > 5 else 2))
    fig, axes = new_panels(rows, math.ceil(n / rows), width)
    draw_row(axes.ravel()[:n], z, domains, extent, grid, pixel_size or 1.0, names or ())
    for ax in axes.flat[n:]:
        ax.set_visible(False)
    label_outer(axes, unit)
    return finished(fig), axes.ravel()[:n]


def _check_names(names: object, count: int) -> None:
    listed = isinstance(names, Sequence) and not isinstance(names, str)
    if names is not None and (not listed or len(names) != count):  # type: ignore[arg-type]
        raise ValueError(f"names={brief(names)} must be a list of {count}, one for each map.")
