"""The image with some of its patches."""

import math

import numpy as np
import torch
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from .._checks import as_array, as_integer, as_seed
from ..patches.grid import PatchGrid, check_grid
from .arguments import as_image, as_width, extent_of, in_unit, scale_of, sides_of
from .panels import COLOURS, Panels, finished, show_image

__all__ = ["plot_patches"]


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
