"""Areas of domains, and a table with a row for each."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from .._checks import as_maps, sides_of
from ..patches.grid import PatchGrid
from ..patches.map_pixel import cell_vectors
from .on_grid import check_places, labels_of
from .wall_kinds import Wall

__all__ = ["domain_areas", "domain_table", "resolution", "rounded"]


def domain_areas(grid: PatchGrid, labels: Any, *, pixel_size: Any = None) -> dict[int, float]:
    """Return the area of each domain.

    Parameters
    ----------
    grid
        The patches. One counts for the area from it to its neighbours: the step along rows times
        that along columns, the unit cell of its sites, the Voronoi cell of a site without lattice,
        as far as its neighbours surround it.
    labels
        Domains, shape (rows, cols), whole numbers, -1: no patch.
    pixel_size
        Height and width of a pixel, nm, or one number for both.

    Returns
    -------
    dict
        Area by label, -1 left out, nm², or px² of the image without `pixel_size`. The rim of half
        a patch around the grid is no part of them.

    Raises
    ------
    ValueError
        If labels do not fit the grid, or a pixel size is not positive.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((40, 50)), size=10, step=10)
    >>> domain_areas(grid, [[0] * 5] * 3 + [[1] * 5], pixel_size=1.0)
    {0: 1500.0, 1: 500.0}
    """
    domains, scale = labels_of(grid, labels), sides_of(pixel_size)
    areas = _cell_areas(grid) * np.prod(scale)
    return {
        int(label): float(areas[domains == label].sum())
        for label in np.unique(domains[domains != -1])
    }


def _cell_areas(grid: PatchGrid) -> Float[np.ndarray, "rows cols"]:
    """Return the area that each patch counts for, px²."""
    check_places(grid)
    vectors = cell_vectors(grid)
    if grid.graph is None and vectors is not None:
        (a, b), (c, d) = vectors
        return np.full(grid.shape, abs(a * d - b * c))
    assert grid.graph is not None
    # Two triangles from a site to a face, for either site of an edge.
    kites = (grid.graph.weights * grid.graph.lengths**2 / 4).double().cpu().numpy()
    ends = grid.graph.edges.cpu().numpy().T
    areas = sum(np.bincount(end, kites, len(grid.graph)) for end in ends)
    return np.reshape(areas, grid.shape)


def domain_table(
    grid: PatchGrid,
    labels: Any,
    maps: Any = None,
    walls: Sequence[Wall] = (),
    *,
    pixel_size: Any = None,
) -> list[dict[str, Any]]:
    """Return a table of the domains, a row for each.

    Parameters
    ----------
    grid, labels, pixel_size
        As for `domain_areas`.
    maps
        Latent maps, shape (channels, rows, cols); ``None`` leaves them out.
    walls
        Walls of the domains: ``walls_between(grid, labels)``.

    Returns
    -------
    list of dict
        Value by column: "domain", "patches", "area (nm²)" or "area (px²)", "share", then the mean
        and the standard deviation of each latent, and "walls", in words. All rows have the same
        columns: ``csv.DictWriter(file, rows[0])`` and ``pandas.DataFrame(rows)`` take them.

    Raises
    ------
    ValueError
        As `domain_areas`; if maps do not fit the grid.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((40, 50)), size=10, step=10)
    >>> for row in domain_table(grid, [[0] * 5] * 3 + [[1] * 5], maps=np.ones((4, 5))):
    ...     print(*row.values())
    0 15 1500.0 0.75 1.0 0.0
    1 5 500.0 0.25 1.0 0.0
    """
    domains = labels_of(grid, labels)
    areas = domain_areas(grid, domains, pixel_size=pixel_size)
    latents = np.empty((0, *grid.shape)) if maps is None else as_maps(maps)[0]
    if latents.shape[1:] != grid.shape:
        raise ValueError(
            f"maps has shape {latents.shape}, but the grid has {grid.shape}; pass its maps."
        )
    rows, total = [], sum(areas.values())
    fine = resolution(grid, pixel_size)
    for label, area in areas.items():
        inside = domains == label
        row: dict[str, Any] = {
            "domain": label,
            "patches": int(inside.sum()),
            f"area ({'px²' if pixel_size is None else 'nm²'})": area,
            "share": area / total,
        }
        for number, values in enumerate(latents[:, inside], 1):
            row |= {f"z{number} mean": float(values.mean()), f"z{number} std": float(values.std())}
        if walls:
            row["walls"] = "; ".join(
                f"to {sum(wall.domains) - label}: {rounded(wall.length, fine)} {wall.unit}, "
                f"{wall.kind}"
                for wall in walls
                if label in wall.domains
            )
        rows.append(row)
    return rows


def resolution(grid: PatchGrid, pixel_size: Any) -> float:
    """Return the smaller distance of neighbouring patches, nm, or px without a pixel size."""
    return float(min(grid.step * sides_of(pixel_size)))


def rounded(value: Any, finest: float) -> Any:
    """Return a float as text, without digits that are finer than `finest`; "" of NaN."""
    if not isinstance(value, float) or math.isnan(value):
        return value if not isinstance(value, float) else ""
    digits = -math.floor(math.log10(finest))
    return f"{round(value, digits):.{max(0, digits)}f}"
