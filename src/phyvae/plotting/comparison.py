"""Latent maps of several methods, one row each."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

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
    scale_of,
    sides_of,
)
from .cells import add_walls
from .panels import (
    COLOURS,
    Panels,
    colour_limits,
    finished,
    label_outer,
    new_panels,
    show_image,
    show_labels,
    show_row,
)

__all__ = ["plot_comparison"]

_CHARACTERS = 130  # of a name that fit on the height of a page, in all rows together
_MAGNIFIED = 5  # patches along the shorter side of the magnified part of an image


def plot_comparison(
    rows: Mapping[str, tuple[Array, Array | None]],
    *,
    truth: Array | None = None,
    grid: PatchGrid | None = None,
    names: Sequence[str] | None = None,
    label_names: Sequence[str] | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str = "px",
    width: float = 7.0,
) -> Panels:
    """Plot a row per method: its latent maps, and its labels.

    Parameters
    ----------
    rows
        By the method's name, (maps, labels or None), all on one patch grid. A column has one
        colour scale, so that rows can be compared; `standardise` maps of unlike units before.
    truth
        True domains, shape (rows, cols); needs `grid`.
    grid
        The grid of the maps: the row above them shows its image, and its middle magnified where
        there is room.
    names, label_names, pixel_size, unit, width
        As for `plot_latent_maps`.

    Returns
    -------
    fig, axes
        `axes` has one row per row of the figure; unused ones are invisible.

    Raises
    ------
    TypeError, ValueError
        If rows are no such pairs, or their maps have unequal grids.

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
    pixel_size, unit = scale_of(grid, pixel_size, unit)
    extent, unit = frame_of(shape, grid, pixel_size, unit)
    sides = sides_of(pixel_size)
    check_names(names, channels)
    columns = channels + any(v is not None for v in (true, *domains))
    above = int(grid is not None)
    fig, axes = new_panels(above + len(rows), columns, width)
    if grid is not None:
        _show_image_and_truth(axes[0], grid, true, extent, sides, label_names or ())
    limits, known = _limits(z, channels), label_names or ()
    for row, stack, labels in zip(axes[above:], z, domains, strict=True):
        show_row(row, stack, labels, extent, grid, sides, names or (), limits, known)
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


def _limits(z: list[Any], channels: int) -> list[tuple[float, float] | None]:
    """Return limits of each channel for all rows, which a few outliers do not stretch."""
    pooled = (
        np.concatenate([maps[k].ravel() for maps in z if k < len(maps)]) for k in range(channels)
    )
    return [colour_limits(values) for values in pooled]


def _name_rows(axes: Any, names: list[str], characters: int) -> None:
    """Put the names of the methods before their rows, and titles above the first row only."""
    for row, name in zip(axes, names, strict=True):
        wrapped = textwrap.fill(name, max(8, characters))
        row[0].set_ylabel(f"{wrapped}\n{row[0].get_ylabel()}", linespacing=1.6)
    for column in axes.T:
        for ax in [ax for ax in column if ax.get_visible()][1:]:
            ax.set_title("")


def _show_image_and_truth(
    axes: Any, grid: PatchGrid, truth: Any, extent: Extent, sides: Any, names: Sequence[str]
) -> None:
    """Show the image, its middle, and the true domains in the column of the labels."""
    picture = as_image(grid)
    left, right, bottom, top = extent_of(picture.shape)
    around = left * sides[1], right * sides[1], bottom * sides[0], top * sides[0]
    spectra = len(grid.patch_shape) == 1
    show_image(axes[0], picture, cmap="gray", extent=around)
    axes[0].set(title="mean intensity" if spectra else "image", xlim=extent[:2], ylim=extent[2:])
    if truth is not None:
        add_walls(axes[0], truth, extent, "white", grid, sides)
        show_labels(axes[-1], truth, extent, 1.0, grid, sides, names)
        axes[-1].set_title("true domains")
    factor = min(np.divide(picture.shape, grid.patch_shape) / _MAGNIFIED) if not spectra else 1
    if factor > 1.5 and not axes[1].has_data():
        _magnify(axes[1], axes[0], picture, around, factor)
    for ax in axes:
        ax.set_visible(ax.has_data())


def _magnify(ax: Any, whole: Any, picture: np.ndarray, around: Extent, factor: float) -> None:
    """Show the middle of an image, and in the image the frame of that part."""
    ends = np.array(around).reshape(2, 2)
    x, y = ends.mean(axis=1, keepdims=True) + np.diff(ends) / factor * [-0.5, 0.5]
    show_image(ax, picture, cmap="gray", extent=around)
    ax.set(title="magnified", xlim=x, ylim=y, xticks=[], yticks=[])
    whole.plot(x[[0, 1, 1, 0, 0]], y[[0, 0, 1, 1, 0]], color=COLOURS[1], linewidth=1)
    ax.spines[:].set(color=COLOURS[1], linewidth=1.5)
