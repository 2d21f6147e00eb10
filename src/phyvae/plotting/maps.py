"""Latent maps on their grid, with the walls of domains."""

import math
from collections.abc import Sequence

from ..patches.grid import PatchGrid
from .arguments import (
    Array,
    as_channels,
    as_domains,
    as_width,
    check_names,
    frame_of,
    scale_of,
    sides_of,
)
from .panels import Panels, finished, label_outer, new_panels, show_row

__all__ = ["plot_latent_maps"]


def plot_latent_maps(
    maps: Array,
    labels: Array | None = None,
    *,
    grid: PatchGrid | None = None,
    names: Sequence[str] | None = None,
    label_names: Sequence[str] | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str = "px",
    width: float = 7.0,
) -> Panels:
    """Plot each latent map on a colour scale of its own, the walls between labels over it.

    Parameters
    ----------
    maps
        Latent maps, shape (channels, rows, cols); values that are not finite stay white.
    labels
        Domains, shape (rows, cols), integers: the last panel. Negative means none: white.
    grid
        The grid of the maps; axes are then in image pixels, else in map pixels. Cells of
        `PatchGrid.at` are at their sites, empty ones are blank.
    names
        A title for each map, where it is no content latent: ``model.map_names``, or
        ``["$p_1$", "$p_2$"]``.
    label_names
        Names of the labels from 0, such as ``phantom.names``; by default their numbers.
    pixel_size, unit
        Size of an image pixel, or its height and width, and the unit: ``pixel_size=0.02,
        unit="nm"``; needs `grid`. By default those of the grid's scan, if it has a calibration.
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
    ['$z_1$', '$z_2$', 'domains']
    """
    z = as_channels(maps)
    domains = None if labels is None else as_domains(labels, z.shape[1:])
    pixel_size, unit = scale_of(grid, pixel_size, unit)
    extent, unit = frame_of(z.shape[1:], grid, pixel_size, unit)
    check_names(names, len(z))
    n = len(z) + (domains is not None)
    rows = math.ceil(n / (4 if as_width(width) > 5 else 2))
    fig, axes = new_panels(rows, math.ceil(n / rows), width)
    known = label_names or ()
    sides = sides_of(pixel_size)
    show_row(axes.ravel()[:n], z, domains, extent, grid, sides, names or (), label_names=known)
    for ax in axes.flat[n:]:
        ax.set_visible(False)
    label_outer(axes, unit)
    return finished(fig), axes.ravel()[:n]
