"""Latent maps of several methods, one row each."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from .._checks import brief
from ..patches.grid import PatchGrid
from .arguments import (
    Array,
    Extent,
    as_channels,
    as_domains,
    as_image,
    check_names,
    extent_of,
    frame_of,
    sides_of,
)
from .panels import (
    Panels,
    finished,
    label_outer,
    new_panels,
    show_image,
    show_labels,
    show_row,
)

__all__ = ["plot_comparison"]

_CHARACTERS = 130  # of a name that fit on the height of a page, in all rows together


def plot_comparison(
    rows: Mapping[str, tuple[Array, Array | None]],
    *,
    truth: Array | None = None,
    grid: PatchGrid | None = None,
    names: Sequence[str] | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str = "px",
    width: float = 7.0,
) -> Panels:
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
    z = _checked_maps(rows)
    shape, channels = z[0].shape[1:], max(map(len, z))
    domains = [None if v is None else as_domains(v, shape) for _, v in rows.values()]
    true = None if truth is None else as_domains(truth, shape)
    if true is not None and grid is None:
        raise ValueError("truth has its place next to the image; pass grid, too.")
    extent, unit = frame_of(shape, grid, pixel_size, unit)
    sides = sides_of(pixel_size)
    check_names(names, channels)
    columns = channels + any(v is not None for v in (true, *domains))
    above = int(grid is not None)
    fig, axes = new_panels(above + len(rows), columns, width)
    if grid is not None:
        _show_image_and_truth(axes[0], grid, true, extent, sides)
    for row, stack, labels in zip(axes[above:], z, domains, strict=True):
        show_row(row, stack, labels, extent, grid, sides, names or ())
    label_outer(axes, unit)
    _name_rows(axes[above:], list(rows), _CHARACTERS // len(axes))
    return finished(fig), axes


def _checked_maps(rows: Any) -> list[Any]:
    """Check that rows are methods with maps on one patch grid; return their maps."""
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
    z = [as_channels(maps, f"maps of {name!r}") for name, (maps, _) in rows.items()]
    if len({stack.shape[1:] for stack in z}) > 1:
        shapes = ", ".join(
            f"{name!r} {stack.shape[1:]}" for name, stack in zip(rows, z, strict=True)
        )
        raise ValueError(f"rows hold maps of unequal (rows, cols): {shapes}; use one patch grid.")
    return z


def _name_rows(axes: Any, names: list[str], characters: int) -> None:
    """Put the names of the methods before their rows, and titles above the first row only."""
    for row, name in zip(axes, names, strict=True):
        wrapped = textwrap.fill(name, max(8, characters))
        row[0].set_ylabel(f"{wrapped}\n{row[0].get_ylabel()}", linespacing=1.6)
    for column in axes.T:
        for ax in [ax for ax in column if ax.get_visible()][1:]:
            ax.set_title("")


def _show_image_and_truth(
    axes: Any, grid: PatchGrid, truth: Any, extent: Extent, sides: Any
) -> None:
    """Show the image, and the true domains in the column of the labels; hide empty panels."""
    picture = as_image(grid)
    left, right, bottom, top = extent_of(picture.shape)
    around = left * sides[1], right * sides[1], bottom * sides[0], top * sides[0]
    show_image(axes[0], picture, cmap="gray", extent=around)
    title = "mean intensity" if len(grid.patch_shape) == 1 else "image"
    axes[0].set(title=title, xlim=extent[:2], ylim=extent[2:])
    if truth is not None:
        show_labels(axes[-1], truth, extent, grid=grid, pixel_size=sides)
        axes[-1].set_title("true domains")
    for ax in axes:
        ax.set_visible(ax.has_data())
