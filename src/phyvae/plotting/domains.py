"""Domains over the image in which they were found."""

from collections.abc import Sequence

from .._checks import as_number
from ..patches.grid import PatchGrid, check_grid
from .arguments import Array, as_domains, as_image, extent_of, in_unit, scale_of, sides_of
from .panels import Panels, finished, label_outer, new_panels, show_image, show_labels

__all__ = ["plot_segmentation"]


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
