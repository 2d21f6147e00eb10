"""One figure of a result: image, domains, maps and mean cells."""

from collections.abc import Mapping

import numpy as np

from ..patches.grid import PatchGrid
from .arguments import Array, as_channels, as_domains, as_image, extent_of, in_unit, sides_of
from .hatching import LEFT_OUT, add_hatching, recorded
from .panels import Panels, finished, show_image, show_labels, show_row
from .patch_panels import Spectral, group_of, show_cells
from .placing import Group, placed
from .scale_bar import add_scale_bar
from .walls import add_walls

__all__ = ["plot_overview"]


def plot_overview(
    grid: PatchGrid,
    labels: Array,
    maps: Array,
    cells: Mapping[int, np.ndarray],
    *,
    image: Array | None = None,
    pixel_size: float | tuple[float, float] | None = None,
    unit: str = "px",
    width: float = 7.0,
    spectral: Spectral | None = None,
) -> Panels:
    """Plot the image with walls and a scale bar, the domains over it, the maps and mean cells.

    Parameters
    ----------
    grid, labels, maps, pixel_size, unit, width
        As for `plot_latent_maps`. Without a domain, as where all labels are -1, there is no panel
        for them.
    cells
        Mean patch of each domain, by label.
    image
        Image of the scan: pixels that were left out are shown as recorded, with hatching, and
        blank if NaN. By default, the image of the grid is shown.
    spectral
        Values of the spectral axis and its label, if patches are spectra.
    """
    z = as_channels(maps)
    if image is None:
        picture, hidden = as_image(grid), np.zeros(grid.image.shape[:2], bool)
    else:
        picture, hidden = recorded(grid, image)
    hatched = hidden.mean() > LEFT_OUT
    answered = bool((np.asarray(labels) >= 0).any())
    sides = sides_of(pixel_size)
    around = in_unit(extent_of(picture.shape), pixel_size, unit)
    extent = in_unit(extent_of(grid.shape, grid), pixel_size, unit)
    columns = 4 if width > 5 else 2
    count = 1 + answered + len(z)
    (height, across) = np.multiply(picture.shape, sides)
    columns = min(columns, max(3, count, len(cells)))
    groups = [Group(count, height / across, columns), group_of(cells, sides, columns)]
    fig, (panels, last) = placed(groups, width)
    first, *rest = panels
    show_image(first, picture, cmap="gray", extent=around)
    first.set_title("image (mask hatched)" if hatched else "image")
    if answered:
        domains = as_domains(labels, grid.shape)
        add_walls(first, domains, extent, "white", grid, sides)
        show_image(rest[0], picture, cmap="gray", extent=around)
        show_labels(rest[0], domains, extent, 0.5, grid, sides)
        rest[0].set_title("domains")
    if hatched:
        for ax in panels[: 1 + answered]:
            add_hatching(ax, hidden, around)
    show_row(panels[count - len(z) :], z, None, extent, grid, sides)
    for ax in panels:
        ax.set(xlim=around[:2], ylim=around[2:], xticks=[], yticks=[])
    add_scale_bar(first, unit)
    show_cells(last, cells, sides, unit, spectral)
    return finished(fig), np.array(panels + last)
