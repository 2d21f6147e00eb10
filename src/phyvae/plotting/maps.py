"""Latent maps with their domains, and domains over the image."""

import math
from collections.abc import Sequence

from .._checks import as_number
from ..patches.grid import PatchGrid, check_grid
from .arguments import (
    Array,
    as_channels,
    as_domains,
    as_image,
    as_width,
    check_names,
    extent_of,
    frame_of,
    in_unit,
    scale_of,
    sides_of,
)
from .panels import Panels, finished, label_outer, new_panels, show_image, show_labels, show_row

__all__ = ["plot_latent_maps", "plot_segmentation"]


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


def plot_segmentation(
    image: Array | PatchGrid,
    labels: Array,
    *,
    grid: PatchGrid | None = None,
    label_names: Sequence[str] | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str = "px",
    alpha: float = 0.4,
    width: float = 3.4,
) -> Panels:
    """Plot domains, translucent, and their walls over the grey image, in image coordinates.

    Parameters
    ----------
    image
        Shape (height, width), or the grid, which holds its image.
    labels
        Domains on the grid, shape (rows, cols), or without a grid on the pixels of `image`.
    grid, label_names, pixel_size, unit, width
        As for `plot_latent_maps`. The rim of the image, the centre of no patch, stays grey.
    alpha
        Opacity of the domains, 0 to 1.

    Raises
    ------
    ValueError
        If `alpha` is beyond 0 to 1, or the shapes do not fit.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=12)
    >>> fig, axes = phyvae.plot_segmentation(grid, grid.sample(phantom.domains))
    """
    grid = image if isinstance(image, PatchGrid) else grid
    picture = as_image(image)
    if grid is not None:
        check_grid(grid)
    as_number(alpha, "alpha", "a number from 0 to 1")
    if not 0 <= alpha <= 1:
        raise ValueError(f"alpha={alpha} is an opacity and must lie in [0, 1].")
    if grid is not None and picture.shape != grid.image.shape[:2]:
        raise ValueError(
            f"image has shape {picture.shape}, but grid that of {tuple(grid.image.shape[:2])}; "
            "pass the image it was made from, or the grid alone."
        )
    domains = as_domains(labels, picture.shape if grid is None else grid.shape)
    pixel_size, unit = scale_of(image if grid is None else grid, pixel_size, unit)
    around = in_unit(extent_of(picture.shape), pixel_size, unit)
    fig, axes = new_panels(1, 1, width)
    show_image(axes[0, 0], picture, cmap="gray", extent=around)
    extent = in_unit(extent_of(domains.shape, grid), pixel_size, unit)
    show_labels(axes[0, 0], domains, extent, alpha, grid, sides_of(pixel_size), label_names or ())
    axes[0, 0].set(xlim=around[:2], ylim=around[2:])
    label_outer(axes, unit)
    return finished(fig), axes[0]
