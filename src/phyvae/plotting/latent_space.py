"""The latent space: what it decodes to, how the patches spread over it."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri

from .._checks import as_integer
from ._given import (
    Array,
    as_array,
    as_labels,
    as_maps,
    brief,
    checked_width,
    chosen_channels,
    extent_of,
)
from ._panels import COLOURS, Drawn, add_colourbar, finished, latent_name, new_panels, show

__all__ = ["plot_distribution", "plot_manifold"]


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
    from matplotlib.colors import to_rgba

    z = as_maps(maps)
    domains = np.zeros(z.shape[1:], int) if labels is None else as_labels(labels, z.shape[1:])
    along = chosen_channels(channels, len(z))
    kept = np.isfinite(z).all(axis=0) & (domains >= 0)
    if not kept.any():
        raise ValueError("maps and labels leave no patch with finite z and a label >= 0.")
    points, domain = z[along][:, kept].astype(float), domains[kept]
    fig, panels, corner = _joint_panels(len(along), width)
    ax, histograms = panels[0], panels[-2:]
    if len(along) == 2:
        colours = np.array(COLOURS)[domain % len(COLOURS)]
        size = float(np.clip(350 * width**2 / len(domain), 1, 12))
        ax.scatter(*points, s=size, c=colours, alpha=0.6, linewidths=0, rasterized=True)
        middle, half = (points.max(1) + points.min(1)) / 2, np.ptp(points, axis=1) * 0.53 + 1e-9
        half = np.full(2, half.max()) if half.max() < 4 * half.min() else half
        (left, bottom), (right, top) = middle - half, middle + half
        ax.set(xlim=(left, right), ylim=(bottom, top), ylabel=latent_name(along[1]))
    for panel, values, upright in zip(histograms, points, (True, False), strict=False):
        bins = np.histogram_bin_edges(values, bins=40)
        for k in np.unique(domain):
            # Faint, with a firm outline: where labels overlap, each can still be followed.
            panel.hist(
                values[domain == k],
                bins,
                histtype="stepfilled",
                orientation="vertical" if upright else "horizontal",
                facecolor=to_rgba(COLOURS[k % len(COLOURS)], 0.3),
                edgecolor=COLOURS[k % len(COLOURS)],
                linewidth=0.8,
                label=f"{k}",
            )
    histograms[0].set_ylabel("patches")
    ax.set_xlabel(latent_name(along[0]))
    if labels is not None:
        handles, names = histograms[0].get_legend_handles_labels()
        few = len(names) <= 4  # as many as the corner holds
        (corner if few else histograms[0]).legend(
            handles,
            names,
            title="labels",
            loc="upper left" if few else "lower left",
            bbox_to_anchor=(0, 1.0 if few else 1.05),
            ncols=1 if few else 5,
            frameon=False,
            borderaxespad=0,
            borderpad=0,
            handlelength=0.8,
            handletextpad=0.4,
            columnspacing=0.8,
            labelspacing=0.3,
        )
    return finished(fig), panels


def _joint_panels(latents: int, width: float) -> tuple[Any, np.ndarray, Any]:
    """Return a figure, its panels, and the corner of the legend.

    Of two latents: the scatter plot, the histograms above and beside it, on its axes.
    """
    import matplotlib.pyplot as plt

    if latents == 1:
        fig, ((ax, corner),) = plt.subplots(
            1,
            2,
            squeeze=False,
            width_ratios=(5, 1),
            layout="compressed",
            figsize=(checked_width(width), 9.5),
        )
        ax.set_box_aspect(0.6)
        corner.set_axis_off()
        return fig, np.array([ax]), corner
    fig, ((top, corner), (ax, right)) = plt.subplots(
        2,
        2,
        width_ratios=(4, 1),
        height_ratios=(1, 4),
        layout="compressed",
        figsize=(checked_width(width), 9.5),
        gridspec_kw={"wspace": 0.03, "hspace": 0.03},
    )
    corner.set_axis_off()
    for panel, aspect in ((ax, 1), (top, 0.25), (right, 4), (corner, 1)):
        panel.set_box_aspect(aspect)
    top.sharex(ax)
    right.sharey(ax)
    top.tick_params(labelbottom=False)
    right.tick_params(labelleft=False)
    right.set_xlabel("patches")
    for panel, axis, intervals in ((top, "y", 3), (right, "x", 2)):
        panel.locator_params(axis=axis, nbins=intervals)
        panel.spines[["top", "right"]].set_visible(False)
    fig.align_ylabels([top, ax])
    fig.align_xlabels([ax, right])
    return fig, np.array([ax, top, right]), corner


def plot_manifold(
    model: Any,
    n: int = 9,
    *,
    maps: Array | None = None,
    limits: tuple[float, float] = (0.05, 0.95),
    channels: tuple[int, int] = (0, 1),
    known: int | Sequence[float] | Array | None = None,
    width: float = 3.4,
) -> Drawn:
    """Plot the patches decoded from an n x n lattice of two latents.

    Parameters
    ----------
    model
        A ShiftVAE, or a pyroVED model; of one latent, the figure is one row. Spectra share one
        scale.
    n
        Patches along each axis, >= 2.
    maps
        Latent maps, shape (channels, rows, cols): the lattice then spans what they hold, and the
        other latents stay at their medians. Without, it spans the prior, and the others are 0.
    limits
        First and last quantile of the maps or of the prior, which is standard normal; without
        maps, z is -1.64 to 1.64 by default.
    channels
        The latents along x and y (upwards).
    known
        Of a pyroVED model with classes or properties: the class, or the properties, to draw.
    width
        Figure width, inches.

    Examples
    --------
    >>> import phyvae
    >>> model = phyvae.ShiftVAE((16, 16), latent_dim=2, seed=0)
    >>> fig, axes = phyvae.plot_manifold(model, n=5)
    """
    model = _drawing(model)
    told = {"known": known} if hasattr(model, "condition_dim") else {}
    if known is not None and not told:
        raise ValueError(f"known={brief(known)}, but a ShiftVAE draws from its latents alone.")
    as_integer(n, "n", 0)
    if not isinstance(limits, tuple | list) or len(limits) != 2:
        raise TypeError(f"limits={brief(limits)} must be two quantiles, such as (0.05, 0.95).")
    if n < 2 or not 0 < limits[0] < limits[1] < 1:
        raise ValueError(f"n={n} must be >= 2 and limits={limits} rise from above 0 to below 1.")
    along = chosen_channels(channels, model.latent_dim)
    values, others = _lattice_of(maps, model.latent_dim, limits, n)
    z = torch.from_numpy(others).float().repeat(n ** (len(along) - 1), n, 1)
    z[..., along[-1]] = torch.from_numpy(values[along[-1], ::-1].copy())[: len(z), None].float()
    z[..., along[0]] = torch.from_numpy(values[along[0]]).float()
    with torch.no_grad():
        decoded = as_array(model.decode(z.flatten(0, 1), **told).unflatten(0, z.shape[:2]))
    fig, axes = new_panels(1, 1, width)
    ax, extent = axes[0, 0], extent_of(z.shape[:2])
    if decoded.ndim == 4:
        tall, wide = decoded.shape[2:]
        mosaic = decoded.swapaxes(1, 2).reshape(len(z) * tall, n * wide)
        shown = show(ax, mosaic, cmap="gray", extent=extent, aspect=tall / wide)
        bar = add_colourbar(ax, shown, None if len(z) > 1 else shown.get_clim())
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
        [f"{z + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−") for z in values[k, ticks]]
        for k in along
    ]
    ax.set_xticks(ticks, names[0])
    ax.set(xlabel=latent_name(along[0]), yticks=[])
    if len(along) == 2:
        ax.set_yticks(n - 1 - ticks, names[1])
        ax.set_ylabel(latent_name(along[1]))
    return finished(fig), axes[0]


def _drawing(model: Any) -> Any:
    """Return a model that decodes content latents; pyroVED's own are adapted."""
    if hasattr(model, "decode") and hasattr(model, "latent_dim"):
        return model
    from ..models import adapt  # pyroVED brings matplotlib along

    try:
        return adapt(model)
    except TypeError:
        is_module = isinstance(model, torch.nn.Module)
        cure = ": trainer.model" if hasattr(model, "model") and not is_module else ""
        raise TypeError(
            f"model={brief(model)} must be a ShiftVAE or a pyroVED model{cure}."
        ) from None


def _lattice_of(
    maps: Array | None, latent_dim: int, limits: tuple[float, float], n: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return n values along each latent, shape (latent_dim, n), and where a latent rests."""
    if maps is None:
        prior = ndtri(np.linspace(*limits, n))
        return np.tile(prior, (latent_dim, 1)), np.zeros(latent_dim)
    z = as_maps(maps)
    if len(z) != latent_dim:
        raise ValueError(
            f"maps has {len(z)} channels, but the model {latent_dim} latents: pass all of them."
        )
    low, middle, high = np.nanquantile(
        np.where(np.isfinite(z), z, np.nan).reshape(latent_dim, -1),
        (limits[0], 0.5, limits[1]),
        axis=1,
    )
    return np.linspace(low, high, n, axis=1), middle
