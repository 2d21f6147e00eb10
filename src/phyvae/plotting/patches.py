"""The image with its patches, or its sites."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from .._checks import as_array, as_integer, as_seed, brief
from ..patches.grid import PatchGrid, check_grid
from .arguments import (
    Array,
    as_image,
    as_width,
    check_labels,
    extent_of,
    in_unit,
    scale_of,
    sides_of,
)
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

__all__ = ["plot_patches", "plot_sites"]


def plot_patches(grid: PatchGrid, n: int = 6, *, seed: int = 0, width: float = 7.0) -> Panels:
    """Plot the image with `n` patches outlined, and these patches on the same grey scale.

    Of a spectrum image: its mean intensity with `n` points marked, and their spectra.

    Parameters
    ----------
    grid
        The patches.
    n
        How many are shown, 1 to their number; an even number fills the figure.
    seed
        Seed of their places, which are spread evenly over the image.
    width
        Figure width, inches.

    Returns
    -------
    fig, axes
        `axes` starts with the image.

    Raises
    ------
    ValueError
        If there are fewer than `n` patches.

    Examples
    --------
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(phyvae.phantoms.bfo(seed=0).image, size=24, step=12)
    >>> fig, axes = phyvae.plot_patches(grid, n=4)
    """
    check_grid(grid)
    as_width(width)
    as_seed(seed)
    filled = grid.indices.numpy()
    if not 1 <= as_integer(n, "n", 0) <= len(filled):
        raise ValueError(f"n={n} must be between 1 and the number of patches, {len(filled)}.")
    import matplotlib.pyplot as plt

    everywhere = grid.centers.reshape(-1, 2)
    chosen = filled[np.sort(_spread(everywhere[filled], n, seed))]
    centers = everywhere[chosen]
    patches, image = as_array(grid.gather(torch.from_numpy(chosen)).double()), as_image(grid)
    spectra = patches.ndim == 2
    columns = 4 if spectra else 2 + math.ceil(n / 2)
    height = 2 / columns * width * image.shape[0] / image.shape[1]
    fig = plt.figure(figsize=(width, height), layout="constrained")
    cells = fig.add_gridspec(2, columns)
    places = [cells[:, 2:]] if spectra else [cells[k % 2, 2 + k // 2] for k in range(n)]
    axes = np.array([fig.add_subplot(place) for place in (cells[:, :2], *places)])
    pixel_size, unit = scale_of(grid, None, "px")
    sides, digits = sides_of(pixel_size), ".0f" if unit == "px" else ".3g"
    extent = in_unit(extent_of(image.shape), pixel_size, unit)
    shown = show_image(axes[0], image, cmap="gray", extent=extent)
    axes[0].set(title="mean intensity" if spectra else "image")
    axes[0].set(xlabel=f"x ({unit})", ylabel=f"y ({unit})")
    for k, ((y, x), patch) in enumerate(zip(centers, patches, strict=True)):
        colour = COLOURS[k % 7]  # the eighth, black, would vanish in the image
        down, across = (y, x) * sides
        name = f"y {down:{digits}}, x {across:{digits}}"
        if spectra:
            style = {"color": colour, "markeredgecolor": "white", "markersize": 5}
            axes[0].plot(across, down, "o", **style)
            axes[1].plot(patch, color=colour, linewidth=1, label=name)
        else:
            corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) - 0.5
            outline = ((y, x) + corners * patch.shape) * sides
            axes[0].plot(outline[:, 1], outline[:, 0], color=colour, linewidth=1.5)
            show_image(axes[1 + k], patch, cmap="gray", clim=shown.get_clim())
            axes[1 + k].set(xticks=[], yticks=[], title=name)
            axes[1 + k].spines[:].set(color=colour, linewidth=1.5)
    if spectra:
        axes[1].set(title="spectra", xlabel="spectral channel", ylabel="intensity (scaled)")
        axes[1].set_box_aspect(image.shape[0] / image.shape[1])
        axes[1].legend(frameon=False)
    return finished(fig), axes


def _spread(centers: np.ndarray, n: int, seed: int) -> np.ndarray:
    """Return the indices of n places: the nearest to points that fill the area evenly."""
    low, high = centers.min(axis=0), centers.max(axis=0)
    # The R2 sequence of M. Roberts: steps of 1/g and 1/g², g³ = g + 1.
    points = np.random.default_rng(seed).random(2) + np.outer(range(n), (0.75487767, 0.56984029))
    distances = cdist(low + points % 1 * (high - low), centers)
    return np.asarray(linear_sum_assignment(distances)[1])


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
