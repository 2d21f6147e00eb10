"""Sites over the image, coloured by label or value."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .._checks import as_array, brief
from ..patches.grid import PatchGrid
from .arguments import Array, as_image, check_labels, extent_of, in_unit, scale_of, sides_of
from .panels import (
    COLOURS,
    Panels,
    add_colourbar,
    finished,
    label_colours,
    label_outer,
    name_ticks,
    new_panels,
    show_image,
)

__all__ = ["plot_sites"]


def plot_sites(
    image: Array | PatchGrid,
    values: Array | None = None,
    *,
    sites: Array | None = None,
    label_names: Sequence[str] | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str = "px",
    width: float = 3.4,
) -> Panels:
    """Plot sites as dots over the grey image, coloured by label or by value.

    Parameters
    ----------
    image
        Shape (height, width), or a grid, whose sites, or patches' centres, are then shown.
    values
        Labels (integers; negative ones are left out) or numbers (NaN are left out), such as one
        latent map. With a grid, shape (rows, cols); with `sites`, shape (n,). The default shows
        where the sites are, nothing else.
    sites
        Centres (y, x), px, shape (n, 2); with an image only.
    label_names, pixel_size, unit, width
        As for `plot_latent_maps`.

    Raises
    ------
    ValueError
        If shapes do not fit, or no site is left.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(seed=0)
    >>> sites = phyvae.find_sites(phantom.image)
    >>> fig, axes = phyvae.plot_sites(phantom.image, sites=sites)
    """
    picture, centers = as_image(image), _centers(image, sites)
    given = (
        np.zeros(centers.shape[:-1], int)
        if values is None
        else as_array(values, "values", "missing")
    )
    if given.dtype.kind not in "fiub" or given.shape != centers.shape[:-1]:
        raise ValueError(
            f"values has shape {given.shape} and dtype {given.dtype}, but must be numbers of "
            f"shape {centers.shape[:-1]}, one for each site; one latent map is maps[0]."
        )
    labelled = given.dtype.kind in "iub"
    kept = np.isfinite(centers).all(-1) & (given >= 0 if labelled else np.isfinite(given))
    if not kept.any():
        raise ValueError("values leave no site to plot: all are NaN, negative or empty cells.")
    if labelled:
        check_labels(given, "values")
    pixel_size, unit = scale_of(image, pixel_size, unit)
    extent = in_unit(extent_of(picture.shape), pixel_size, unit)
    fig, axes = new_panels(1, 1, width)
    ax = axes[0, 0]
    show_image(ax, picture, cmap="gray", extent=extent)
    y, x = (centers[kept] * sides_of(pixel_size)).T
    style: dict[str, Any] = {"color": COLOURS[1]} if values is None else {"c": given[kept]}
    ticks = None
    if values is not None and labelled:
        style["cmap"], style["vmin"], style["vmax"], ticks = label_colours(given[kept])
    # Dots of about a third of their distance, so that the atoms stay visible between them.
    size = float(np.clip((72 * width) ** 2 / 12 / len(x), 1, 30))
    dots = ax.scatter(x, y, s=size, linewidths=0, **style)
    if values is not None:
        name_ticks(add_colourbar(ax, dots, ticks), ticks, label_names or ())
    ax.set(xlim=extent[:2], ylim=extent[2:])
    label_outer(axes, unit)
    return finished(fig), axes[0]


def _centers(image: Any, sites: Any) -> np.ndarray:
    """Return the centres (y, x) of all sites, px."""
    if isinstance(image, PatchGrid) == (sites is not None):
        raise ValueError(
            "sites go with an image: plot_sites(image, sites=sites); a grid has its own."
        )
    if sites is None:
        return np.asarray(getattr(image, "sites", image.centers))
    centers = as_array(sites, "sites")
    if centers.ndim != 2 or centers.shape[1] != 2 or centers.dtype.kind not in "fiu":
        raise ValueError(f"sites={brief(sites)} must be numbers, shape (n, 2): (y, x), px.")
    return np.asarray(centers, dtype=float)
