"""Figures of what the library computes: latent maps, domains, the manifold, training curves.

Each function returns ``(fig, axes)``, `axes` an array, and shows nothing. `width` is in inches:
3.4 fills one column of a journal, 7 two; text is 7 to 8 pt at either, and rcParams stay untouched.
"""

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import ndtri
from torch import Tensor

from .patches import PatchGrid

if TYPE_CHECKING:  # matplotlib is imported when a figure is drawn, not before
    import matplotlib.figure

__all__ = [
    "plot_comparison",
    "plot_distribution",
    "plot_history",
    "plot_latent_maps",
    "plot_manifold",
    "plot_patches",
    "plot_segmentation",
]

Array: TypeAlias = Tensor | npt.NDArray[Any]
Drawn: TypeAlias = tuple["matplotlib.figure.Figure", npt.NDArray[Any]]

Extent: TypeAlias = tuple[float, float, float, float]  # left, right, bottom, top

# Okabe & Ito's colours, which colour-blind readers tell apart; label k has colour k modulo 8.
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
CURVES = {  # attribute of History: title, unit
    "neg_elbo": ("$-$ELBO", "nats per patch"),
    "reconstruction": ("reconstruction", "nats per patch"),
    "kl": ("KL divergence", "nats per patch"),
    "psi": (r"physics loss $\Psi$", "dimensionless"),
    "beta": (r"KL weight $\beta$", "dimensionless"),
}


def plot_patches(grid: PatchGrid, n: int = 5, *, seed: int = 0, width: float = 7.0) -> Drawn:
    """Plot the image with `n` patches outlined, and these patches on the same grey scale.

    Of a spectrum image: its mean intensity with `n` points marked, and their spectra. `seed` picks
    the patches; `axes` starts with the image. Raises ValueError unless 1 <= n <= len(grid).

    Examples
    --------
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(phyvae.phantoms.bfo(seed=0).image, size=24, step=12)
    >>> fig, axes = phyvae.plot_patches(grid, n=6)
    """
    if not 1 <= n <= len(grid):
        raise ValueError(f"n={n} must be between 1 and the number of patches, {len(grid)}.")
    import matplotlib.pyplot as plt

    chosen = np.sort(np.random.default_rng(seed).choice(len(grid), n, replace=False))
    centers = grid.centers.reshape(-1, 2)[chosen]
    patches, image = _array(grid.gather(torch.from_numpy(chosen))), _image(grid)
    spectra = patches.ndim == 2
    columns = 4 if spectra else 2 + math.ceil(n / 2)
    height = 2 / columns * width * image.shape[0] / image.shape[1]
    fig = plt.figure(figsize=(width, height), layout="constrained")
    cells = fig.add_gridspec(2, columns)
    places = [cells[:, 2:]] if spectra else [cells[k % 2, 2 + k // 2] for k in range(n)]
    axes = np.array([fig.add_subplot(place) for place in (cells[:, :2], *places)])
    shown = _show(axes[0], image, cmap="gray")
    axes[0].set(title="mean intensity" if spectra else "image", xlabel="x (px)", ylabel="y (px)")
    for k, ((y, x), patch) in enumerate(zip(centers, patches, strict=True)):
        colour = COLOURS[k % 7]  # the eighth, black, would vanish in the image
        name = f"y {y:.0f}, x {x:.0f}"
        if spectra:
            axes[0].plot(x, y, "o", color=colour, markeredgecolor="white", markersize=5)
            axes[1].plot(patch, color=colour, linewidth=1, label=name)
        else:
            corners = np.array([[0, 0], [1, 0], [1, 1], [0, 1], [0, 0]]) - 0.5
            outline = (y, x) + corners * patch.shape
            axes[0].plot(outline[:, 1], outline[:, 0], color=colour, linewidth=1.5)
            _show(axes[1 + k], patch, cmap="gray", clim=shown.get_clim())
            axes[1 + k].set(xticks=[], yticks=[], title=name)
            axes[1 + k].spines[:].set(color=colour, linewidth=1.5)
    if spectra:
        axes[1].set(title="spectra", xlabel="spectral channel", ylabel="intensity (scaled)")
        axes[1].set_box_aspect(image.shape[0] / image.shape[1])
        axes[1].legend(frameon=False)
    return _finished(fig), axes


def plot_latent_maps(
    maps: Array,
    labels: Array | None = None,
    *,
    grid: PatchGrid | None = None,
    pixel_size: float | None = None,
    unit: str = "px",
    width: float = 7.0,
) -> Drawn:
    """Plot each latent map on a colour scale of its own, the walls between labels over it.

    Parameters
    ----------
    maps
        Latent maps, shape (channels, rows, cols); what is not finite stays white.
    labels
        Domains, shape (rows, cols), integers: the last panel. Negative means none: white.
    grid
        The grid of the maps; axes are then in image pixels, else in map pixels.
    pixel_size, unit
        Size of an image pixel and its unit: ``pixel_size=0.02, unit="nm"``; needs `grid`.
    width
        Figure width, inches.

    Raises
    ------
    ValueError
        If shapes do not fit, a map holds no finite value, or `pixel_size` lacks `grid` or unit.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> maps = torch.rand(2, 40, 50)
    >>> fig, axes = phyvae.plot_latent_maps(maps, (maps[0] > 0.5).int())
    >>> [ax.get_title() for ax in axes]
    ['$z_1$', '$z_2$', 'labels']
    """
    z = _maps(maps)
    domains = None if labels is None else _labels(labels, z.shape[1:])
    extent, unit = _frame(z.shape[1:], grid, pixel_size, unit)
    n = len(z) + (domains is not None)
    rows = math.ceil(n / (4 if width > 5 else 2))
    fig, axes = _panels(rows, math.ceil(n / rows), width)
    _draw_row(axes.ravel()[:n], z, domains, extent)
    for ax in axes.flat[n:]:
        ax.set_visible(False)
    _label_outer(axes, unit)
    return _finished(fig), axes.ravel()[:n]


def plot_segmentation(
    image: Array | PatchGrid,
    labels: Array,
    *,
    grid: PatchGrid | None = None,
    pixel_size: float | None = None,
    unit: str = "px",
    alpha: float = 0.4,
    width: float = 3.4,
) -> Drawn:
    """Plot domains, translucent, and their walls over the grey image, in image coordinates.

    Parameters
    ----------
    image
        Shape (height, width), or the grid, which holds its image.
    labels
        Domains on the grid, shape (rows, cols), or without a grid on the pixels of `image`.
    grid, pixel_size, unit, width
        As for `plot_latent_maps`. The rim of the image, the centre of no patch, stays grey.
    alpha
        Opacity of the domains, 0 to 1.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=12)
    >>> fig, axes = phyvae.plot_segmentation(grid, grid.sample(phantom.domains))
    """
    grid = image if isinstance(image, PatchGrid) else grid
    picture = _image(image)
    if grid is not None and picture.shape != grid.image.shape[:2]:
        raise ValueError(
            f"image has shape {picture.shape}, but grid that of {tuple(grid.image.shape[:2])}; "
            "pass the image it was made from, or the grid alone."
        )
    domains = _labels(labels, picture.shape if grid is None else grid.shape)
    around = _in_unit(_cells(picture.shape), pixel_size, unit)
    fig, axes = _panels(1, 1, width)
    _show(axes[0, 0], picture, cmap="gray", extent=around)
    _draw_labels(
        axes[0, 0], domains, _in_unit(_cells(domains.shape, grid), pixel_size, unit), alpha
    )
    axes[0, 0].set(xlim=around[:2], ylim=around[2:])
    _label_outer(axes, unit)
    return _finished(fig), axes[0]


def plot_comparison(
    rows: Mapping[str, tuple[Array, Array | None]],
    *,
    grid: PatchGrid | None = None,
    pixel_size: float | None = None,
    unit: str = "px",
    width: float = 7.0,
) -> Drawn:
    """Plot a row per method: its latent maps, each on a colour scale of its own, and its labels.

    `rows` maps the method's name to (maps, labels or None), all on one patch grid; the rest is as
    for `plot_latent_maps`. `axes` has shape (methods, columns); unused ones are invisible.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> maps = torch.rand(2, 40, 50)
    >>> rows = {"sh-VAE": (maps, (maps[0] > 0.5).int()), "physics": (maps, (maps[1] > 0.5).int())}
    >>> fig, axes = phyvae.plot_comparison(rows)
    """
    if not rows:
        raise ValueError("rows is empty; pass a mapping from method to (maps, labels).")
    z = [_maps(maps, f"maps of {name!r}") for name, (maps, _) in rows.items()]
    shape, channels = z[0].shape[1:], max(map(len, z))
    if len({stack.shape[1:] for stack in z}) > 1:
        shapes = ", ".join(
            f"{name!r} {stack.shape[1:]}" for name, stack in zip(rows, z, strict=True)
        )
        raise ValueError(f"rows hold maps of unequal (rows, cols): {shapes}; use one patch grid.")
    domains = [None if v is None else _labels(v, shape) for _, v in rows.values()]
    extent, unit = _frame(shape, grid, pixel_size, unit)
    fig, axes = _panels(len(rows), channels + any(v is not None for v in domains), width)
    for row, stack, labels in zip(axes, z, domains, strict=True):
        _draw_row(row, stack, labels, extent)
    _label_outer(axes, unit)
    for row, name in zip(axes, rows, strict=True):
        row[0].set_ylabel(f"{name}\n{row[0].get_ylabel()}", linespacing=1.6)
    for column in axes.T:
        for ax in [ax for ax in column if ax.get_visible()][1:]:
            ax.set_title("")
    return _finished(fig), axes


def plot_manifold(
    model: Any,
    n: int = 9,
    *,
    limits: tuple[float, float] = (0.05, 0.95),
    channels: tuple[int, int] = (0, 1),
    width: float = 3.4,
) -> Drawn:
    """Plot the patches decoded from an n x n lattice of two latents, the others being 0.

    Parameters
    ----------
    model
        A ShiftVAE on the CPU; of one latent, the figure is one row. Spectra share one scale.
    n
        Patches along each axis, >= 2.
    limits
        First and last quantile of the standard normal prior; by default z is -1.64 to 1.64.
    channels
        The latents along x and y (upwards).
    width
        Figure width, inches.

    Examples
    --------
    >>> import phyvae
    >>> model = phyvae.ShiftVAE((16, 16), latent_dim=2, seed=0)
    >>> fig, axes = phyvae.plot_manifold(model, n=5)
    """
    if n < 2 or not 0 < limits[0] < limits[1] < 1:
        raise ValueError(f"n={n} must be >= 2 and limits={limits} rise from above 0 to below 1.")
    along = _chosen(channels, model.latent_dim)
    values = ndtri(np.linspace(*limits, n))
    z = torch.zeros(n ** (len(along) - 1), n, model.latent_dim)
    z[..., along[-1]] = torch.from_numpy(values[::-1].copy())[: len(z), None]
    z[..., along[0]] = torch.from_numpy(values)
    with torch.no_grad():
        decoded = _array(model.decode(z.flatten(0, 1)).unflatten(0, z.shape[:2]))
    fig, axes = _panels(1, 1, width)
    ax, extent = axes[0, 0], _cells(z.shape[:2])
    if decoded.ndim == 4:
        tall, wide = decoded.shape[2:]
        mosaic = decoded.swapaxes(1, 2).reshape(len(z) * tall, n * wide)
        shown = _show(ax, mosaic, cmap="gray", extent=extent, aspect=tall / wide)
        bar = _colourbar(ax, shown, None if len(z) > 1 else shown.get_clim())
        bar.set_label("decoded intensity" if len(z) > 1 else "")
    else:
        row, column = np.indices(decoded.shape)[:2]
        share = (decoded - decoded.min()) / max(np.ptp(decoded), 1e-12)
        x = (column + np.linspace(-0.42, 0.42, decoded.shape[2])).reshape(-1, decoded.shape[2])
        ax.plot(x.T, (row + 0.4 - 0.8 * share).reshape(x.shape).T, color=COLOURS[0], linewidth=0.8)
        ax.set(xlim=extent[:2], ylim=extent[2:], aspect=0.8)
    ax.vlines(np.arange(1, n) - 0.5, *extent[2:], color="0.8", linewidth=0.5)
    ax.hlines(np.arange(1, len(z)) - 0.5, *extent[:2], color="0.8", linewidth=0.5)
    ticks = np.arange(0, n, max(1, (n - 1) // 4))
    names = [
        f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−") for value in values[ticks]
    ]
    ax.set_xticks(ticks, names)
    ax.set(xlabel=_name(along[0]), yticks=[])
    if len(along) == 2:
        ax.set_yticks(n - 1 - ticks, names)
        ax.set_ylabel(_name(along[1]))
    return _finished(fig), axes[0]


def plot_distribution(
    maps: Array,
    labels: Array | None = None,
    *,
    channels: tuple[int, int] = (0, 1),
    width: float = 3.4,
) -> Drawn:
    """Plot how the patches spread over two latents, coloured by label, and both histograms.

    `maps` and `labels` are as for `plot_latent_maps`; patches without finite z or a domain are
    left out. Both axes have one scale, unless one latent spreads at least four times the other.
    `axes`: the scatter plot, the histograms along x and y; of one channel, its histogram.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> maps = torch.randn(2, 40, 50)
    >>> fig, axes = phyvae.plot_distribution(maps, (maps[0] > 0.5).int())
    """
    z = _maps(maps)
    domains = np.zeros(z.shape[1:], int) if labels is None else _labels(labels, z.shape[1:])
    along = _chosen(channels, len(z))
    kept = np.isfinite(z).all(axis=0) & (domains >= 0)
    if not kept.any():
        raise ValueError("maps and labels leave no patch with finite z and a label >= 0.")
    points, domain = z[along][:, kept].astype(float), domains[kept]
    fig, axes = _panels(1, 1, width)
    ax = axes[0, 0]
    panels = [ax]
    if len(along) == 2:
        colours = np.array(COLOURS)[domain % len(COLOURS)]
        size = float(np.clip(350 * width**2 / len(domain), 1, 12))
        ax.scatter(*points, s=size, c=colours, alpha=0.6, linewidths=0, rasterized=True)
        middle, half = (points.max(1) + points.min(1)) / 2, np.ptp(points, axis=1) * 0.53 + 1e-9
        half = np.full(2, half.max()) if half.max() < 4 * half.min() else half
        (left, bottom), (right, top) = middle - half, middle + half
        ax.set(xlim=(left, right), ylim=(bottom, top), ylabel=_name(along[1]))
        panels.append(ax.inset_axes((0, 1.04, 1, 0.25), sharex=ax))
        panels.append(ax.inset_axes((1.04, 0, 0.25, 1), sharey=ax, xlabel="patches"))
        panels[1].tick_params(labelbottom=False)
        panels[2].tick_params(labelleft=False)
        panels[2].locator_params(axis="x", nbins=2, prune="lower")
    histograms = panels[-2:]
    for panel, values, upright in zip(histograms, points, (True, False), strict=False):
        bins = np.histogram_bin_edges(values, bins=40)
        for k in np.unique(domain):
            panel.hist(
                values[domain == k],
                bins,
                histtype="stepfilled",
                orientation="vertical" if upright else "horizontal",
                color=COLOURS[k % len(COLOURS)],
                alpha=0.6,
                label=f"{k}",
            )
    histograms[0].set_ylabel("patches")
    ax.set(xlabel=_name(along[0]), box_aspect=1 if len(along) == 2 else 0.6)
    if labels is not None:
        corner = (1.02 if len(along) == 1 else 1.3, 1)
        handles = histograms[0].get_legend_handles_labels()
        ax.legend(*handles, title="labels", loc="upper left", bbox_to_anchor=corner, frameon=False)
    return _finished(fig), np.array(panels)


def plot_history(history: Any, *, width: float = 7.0) -> Drawn:
    """Plot -ELBO, reconstruction, KL divergence, physics loss and KL weight against the epoch.

    `history` is the History of a training, or a mapping from name to History, compared in one
    figure with a legend.

    Examples
    --------
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(phyvae.phantoms.bfo(seed=0).image, size=24, step=24)
    >>> trainer = phyvae.PhysicsTrainer(
    ...     phyvae.ShiftVAE(grid.patch_shape, seed=0), phyvae.PhysicsObjective(phyvae.EdgeLoss())
    ... )
    >>> fig, axes = phyvae.plot_history(trainer.fit(grid, epochs=2))
    """
    named = history if isinstance(history, Mapping) else {"": history}
    if not named:
        raise ValueError("history is empty; pass a History, or a mapping from name to History.")
    fig, axes = _panels(*((2, 3) if width > 5 else (3, 2)), width)
    *used, spare = axes.flat
    for ax, (attribute, (title, unit)) in zip(used, CURVES.items(), strict=True):
        for k, (name, run) in enumerate(named.items()):
            ax.plot(
                run.epoch,
                getattr(run, attribute),
                color=COLOURS[k % len(COLOURS)],
                linestyle=("-", "--", "-.", ":")[k % 4],
                marker="o" if len(run.epoch) == 1 else "",
                linewidth=1.2,
                label=name,
            )
        ax.set(title=title, xlabel="epoch", ylabel=unit, box_aspect=0.75)
        ax.locator_params(axis="x", integer=True)
    spare.set_axis_off()
    if isinstance(history, Mapping):
        spare.legend(*used[0].get_legend_handles_labels(), loc="center", frameon=False)
    return _finished(fig), np.array(used)


# What is given -> arrays and coordinates that fit each other


def _array(values: Array) -> npt.NDArray[Any]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _maps(maps: Array, name: str = "maps") -> npt.NDArray[Any]:
    z = _array(maps)
    if z.ndim != 3 or z.size == 0:
        raise ValueError(f"{name} has shape {z.shape}, but must be (channels, rows, cols).")
    for k, channel in enumerate(z):
        if not np.isfinite(channel).any():
            raise ValueError(f"{name} has no finite value in channel {k}; did training diverge?")
    return z


def _labels(labels: Array, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    domains = _array(labels)
    if domains.shape != tuple(shape) or domains.dtype.kind not in "iub":
        raise ValueError(
            f"labels has shape {domains.shape} and dtype {domains.dtype}, but must be integers of "
            f"shape {tuple(shape)}; grid.sample takes an image of labels to its patch grid."
        )
    return domains.astype(int)


def _image(image: Array | PatchGrid) -> npt.NDArray[Any]:
    values = _array(image.image if isinstance(image, PatchGrid) else image)
    if isinstance(image, PatchGrid) and values.ndim == 3:
        return np.asarray(values.mean(axis=2))
    if values.ndim != 2:
        raise ValueError(f"image has shape {values.shape}, but must be (height, width).")
    return values


def _chosen(channels: tuple[int, int], count: int) -> list[int]:
    along = list(channels[:count])
    if len({*along}) < len(along) or not all(0 <= k < count for k in along):
        raise ValueError(f"channels={channels} must be two different ones of {[*range(count)]}.")
    return along


def _name(channel: int) -> str:
    return f"$z_{channel + 1}$" if channel < 9 else f"$z_{{{channel + 1}}}$"


def _cells(shape: tuple[int, ...], grid: PatchGrid | None = None) -> Extent:
    """Return the extent of all cells, each one step wide around its centre, px."""
    if grid is not None and grid.shape != tuple(shape):
        raise ValueError(
            f"grid has shape {grid.shape}, but maps and labels {tuple(shape)}; "
            "pass the grid they were computed on."
        )
    first, last = ((0, 0), np.subtract(shape, 1))
    if grid is not None:
        first, last = grid.centers[0, 0], grid.centers[-1, -1]
    half = np.array((1, 1) if grid is None else grid.step) / 2
    (top, left), (bottom, right) = first - half, last + half
    return float(left), float(right), float(bottom), float(top)


def _in_unit(extent: Extent, pixel_size: float | None, unit: str) -> Extent:
    if (pixel_size is None) != (unit == "px") or (pixel_size is not None and pixel_size <= 0):
        raise ValueError(
            f"pixel_size={pixel_size} and unit={unit!r} go together, as in pixel_size=0.02, "
            "unit='nm'; leave both out for pixels."
        )
    left, right, bottom, top = (edge * (pixel_size or 1) for edge in extent)
    return left, right, bottom, top


def _frame(
    shape: tuple[int, ...], grid: PatchGrid | None, pixel_size: float | None, unit: str
) -> tuple[Extent, str]:
    """Return extent and unit of maps."""
    if grid is None and pixel_size is not None:
        raise ValueError(f"pixel_size={pixel_size} is that of an image pixel; pass grid, too.")
    extent = _in_unit(_cells(shape, grid), pixel_size, unit)
    return extent, "map px" if grid is None else unit


# Arrays -> panels


def _panels(rows: int, columns: int, width: float) -> Drawn:
    """Return a figure as high as a page, which `_finished` trims, and its axes."""
    import matplotlib.pyplot as plt

    return plt.subplots(rows, columns, figsize=(width, 9.5), layout="compressed", squeeze=False)


def _show(ax: Any, values: Any, **style: Any) -> Any:
    """Draw row 0 at the top, square pixels, whatever the user's rcParams."""
    return ax.imshow(values, origin="upper", **{"aspect": "equal", **style})


def _draw_row(axes: Any, z: Any, labels: Any, extent: Extent) -> None:
    """Draw each channel and, in the last panel, the labels; hide what stays empty."""
    for k, (ax, channel) in enumerate(zip(axes, z, strict=False)):
        values = np.ma.masked_invalid(channel)
        shown = _show(ax, values, cmap="viridis", extent=extent, interpolation="nearest")
        _colourbar(ax, shown).formatter.set_powerlimits((-2, 4))
        ax.set_title(_name(k))
        if labels is not None:
            _draw_walls(ax, labels, extent, "white")
    if labels is not None:
        _draw_labels(axes[-1], labels, extent)
        axes[-1].set_title("labels")
    for ax in axes:
        ax.set_visible(ax.has_data())


def _draw_labels(ax: Any, labels: Any, extent: Extent, alpha: float = 1.0) -> None:
    from matplotlib.colors import ListedColormap

    domains = np.ma.masked_less(labels, 0)
    low, high = (int(domains.min()), int(domains.max())) if domains.count() else (0, 0)
    colours = ListedColormap([COLOURS[k % len(COLOURS)] for k in range(low, high + 1)])
    style = {"cmap": colours, "vmin": low - 0.5, "vmax": high + 0.5, "alpha": alpha}
    shown = _show(ax, domains, extent=extent, interpolation="nearest", **style)
    _draw_walls(ax, labels, extent, "black")
    _colourbar(ax, shown, range(low, high + 1, 1 + (high - low) // 8))


def _draw_walls(ax: Any, labels: Any, extent: Extent, colour: str) -> None:
    """Draw the edges between cells of unequal labels, exactly."""
    from matplotlib.collections import LineCollection

    left, right, bottom, top = extent
    x = np.linspace(left, right, labels.shape[1] + 1)
    y = np.linspace(top, bottom, labels.shape[0] + 1)
    i, j = np.nonzero(labels[1:] != labels[:-1])
    across = np.array([[x[j], y[i + 1]], [x[j + 1], y[i + 1]]])
    i, j = np.nonzero(labels[:, 1:] != labels[:, :-1])
    down = np.array([[x[j + 1], y[i]], [x[j + 1], y[i + 1]]])
    walls = np.concatenate([across, down], axis=2).transpose(2, 0, 1)
    lines = LineCollection(list(walls), colors=colour, linewidths=0.7, capstyle="projecting")
    ax.add_collection(lines, autolim=False)


def _colourbar(ax: Any, shown: Any, ticks: Any = None) -> Any:
    """Add a colourbar exactly as high as the panel."""
    from matplotlib.ticker import MaxNLocator

    cax = ax.inset_axes((1.03, 0, 0.05, 1))
    return ax.figure.colorbar(shown, cax=cax, ticks=MaxNLocator(5) if ticks is None else ticks)


def _label_outer(axes: Any, unit: str) -> None:
    """Label the lowest visible panel of each column and the first of each row only."""
    for ax in axes.flat:
        ax.tick_params(labelbottom=False, labelleft=False)
    for column in axes.T:
        lowest = [ax for ax in column if ax.get_visible()][-1]
        lowest.tick_params(labelbottom=True)
        lowest.set_xlabel(f"x ({unit})")
    for first in axes[:, 0]:
        first.tick_params(labelleft=True)
        first.set_ylabel(f"y ({unit})")


def _finished(fig: "matplotlib.figure.Figure") -> "matplotlib.figure.Figure":
    """Set the sizes of all text, and trim the height to what is drawn."""
    from matplotlib.axes import Axes
    from matplotlib.legend import Legend

    for ax in fig.findobj(Axes):
        ax.tick_params(labelsize=7, length=2.5, width=0.6)
        ax.yaxis.get_offset_text().set_fontsize(7)
        for text in (ax.title, ax.xaxis.label, ax.yaxis.label):
            text.set_fontsize(8)
    for legend in fig.findobj(Legend):
        for text in (legend.get_title(), *legend.get_texts()):
            text.set_fontsize(7)
    fig.draw_without_rendering()
    fig.set_figheight(fig.get_tightbbox().height + 0.12)
    return fig
