"""The latent space: what it decodes to, how the patches spread over it."""

from typing import Any

import numpy as np
import torch
from scipy.special import ndtri

from ._given import Array, as_array, as_labels, as_maps, chosen_channels, extent_of
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
    z = as_maps(maps)
    domains = np.zeros(z.shape[1:], int) if labels is None else as_labels(labels, z.shape[1:])
    along = chosen_channels(channels, len(z))
    kept = np.isfinite(z).all(axis=0) & (domains >= 0)
    if not kept.any():
        raise ValueError("maps and labels leave no patch with finite z and a label >= 0.")
    points, domain = z[along][:, kept].astype(float), domains[kept]
    fig, axes = new_panels(1, 1, width)
    ax = axes[0, 0]
    panels = [ax]
    if len(along) == 2:
        colours = np.array(COLOURS)[domain % len(COLOURS)]
        size = float(np.clip(350 * width**2 / len(domain), 1, 12))
        ax.scatter(*points, s=size, c=colours, alpha=0.6, linewidths=0, rasterized=True)
        middle, half = (points.max(1) + points.min(1)) / 2, np.ptp(points, axis=1) * 0.53 + 1e-9
        half = np.full(2, half.max()) if half.max() < 4 * half.min() else half
        (left, bottom), (right, top) = middle - half, middle + half
        ax.set(xlim=(left, right), ylim=(bottom, top), ylabel=latent_name(along[1]))
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
    ax.set(xlabel=latent_name(along[0]), box_aspect=1 if len(along) == 2 else 0.6)
    if labels is not None:
        corner = (1.02 if len(along) == 1 else 1.3, 1)
        handles = histograms[0].get_legend_handles_labels()
        ax.legend(*handles, title="labels", loc="upper left", bbox_to_anchor=corner, frameon=False)
    return finished(fig), np.array(panels)


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
    along = chosen_channels(channels, model.latent_dim)
    values = ndtri(np.linspace(*limits, n))
    z = torch.zeros(n ** (len(along) - 1), n, model.latent_dim)
    z[..., along[-1]] = torch.from_numpy(values[::-1].copy())[: len(z), None]
    z[..., along[0]] = torch.from_numpy(values)
    with torch.no_grad():
        decoded = as_array(model.decode(z.flatten(0, 1)).unflatten(0, z.shape[:2]))
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
        f"{value + 0.0:.2f}".replace("-0.00", "0.00").replace("-", "−") for value in values[ticks]
    ]
    ax.set_xticks(ticks, names)
    ax.set(xlabel=latent_name(along[0]), yticks=[])
    if len(along) == 2:
        ax.set_yticks(n - 1 - ticks, names)
        ax.set_ylabel(latent_name(along[1]))
    return finished(fig), axes[0]
