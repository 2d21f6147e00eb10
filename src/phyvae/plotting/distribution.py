"""How the patches spread over two latents."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from .arguments import Array, as_channels, as_domains, as_latents, as_width
from .panels import Panels, colour_of, finished, latent_name

__all__ = ["plot_distribution"]


def plot_distribution(
    maps: Array,
    labels: Array | None = None,
    *,
    channels: tuple[int, int] = (0, 1),
    label_names: Sequence[str] | None = None,
    width: float = 3.4,
) -> Panels:
    """Plot how the patches spread over two latents, coloured by label, and both histograms.

    Both axes have one scale, unless one latent spreads at least four times the other.

    Parameters
    ----------
    maps, labels, label_names, width
        As for `plot_latent_maps`; patches without finite z or a domain are left out.
    channels
        The latents along x and y.

    Returns
    -------
    fig, axes
        `axes`: the scatter plot, the histograms along x and y; of one channel, its histogram.

    Raises
    ------
    ValueError
        If no patch is left, or there is no such latent.

    Examples
    --------
    >>> import torch
    >>> import phyvae
    >>> maps = torch.randn(2, 40, 50)
    >>> fig, axes = phyvae.plot_distribution(maps, (maps[0] > 0.5).int())
    """
    z = as_channels(maps)
    domains = np.zeros(z.shape[1:], int) if labels is None else as_domains(labels, z.shape[1:])
    along = as_latents(channels, len(z))
    kept = np.isfinite(z).all(axis=0) & (domains >= 0)
    if not kept.any():
        raise ValueError("maps and labels leave no patch with finite z and a label >= 0.")
    points, domain = z[along][:, kept].astype(float), domains[kept]
    fig, panels, corner = _joint_panels(len(along), width)
    ax, histograms = panels[0], panels[-2:]
    if len(along) == 2:
        _scatter(ax, points, domain, width)
        ax.set_ylabel(latent_name(along[1]))
    for panel, values, upright in zip(histograms, points, (True, False), strict=False):
        _histograms(panel, values, domain, upright)
    histograms[0].set_ylabel("patches")
    ax.set_xlabel(latent_name(along[0]))
    if labels is not None:
        _legend(histograms[0], corner, label_names or ())
    return finished(fig), panels


def _scatter(ax: Any, points: np.ndarray, domain: np.ndarray, width: float) -> None:
    """Plot points, shape (2, n), in the colours of their domains."""
    colours = np.array([colour_of(k) for k in range(int(domain.max()) + 1)])[domain]
    size = float(np.clip(350 * width**2 / len(domain), 1, 12))
    ax.scatter(*points, s=size, c=colours, alpha=0.6, linewidths=0, rasterized=True)
    middle, half = (points.max(1) + points.min(1)) / 2, np.ptp(points, axis=1) * 0.53 + 1e-9
    half = np.full(2, half.max()) if half.max() < 4 * half.min() else half
    (left, bottom), (right, top) = middle - half, middle + half
    ax.set(xlim=(left, right), ylim=(bottom, top))


def _histograms(panel: Any, values: np.ndarray, domain: np.ndarray, upright: bool) -> None:
    """Plot a histogram of each domain, upright or on its side."""
    from matplotlib.colors import to_rgba

    bins = np.histogram_bin_edges(values, bins=40)
    for k in np.unique(domain):
        # Faint, with a firm outline: where labels overlap, each can still be followed.
        colour = colour_of(int(k))
        panel.hist(
            values[domain == k],
            bins,
            histtype="stepfilled",
            orientation="vertical" if upright else "horizontal",
            facecolor=to_rgba(colour, 0.3),
            edgecolor=colour,
            linewidth=0.8,
            label=f"{k}",
        )


def _legend(histogram: Any, corner: Any, names: Sequence[str]) -> None:
    """Put the legend of a few labels in the corner, of many or named ones above the figure."""
    handles, labels = histogram.get_legend_handles_labels()
    few = len(labels) <= 4 and not names  # as many as the corner holds
    labels = [names[k] if (k := int(label)) < len(names) else label for label in labels]
    (corner if few else histogram).legend(
        handles,
        labels,
        title=None if names else "labels",
        loc="upper left" if few else "lower left",
        bbox_to_anchor=(0, 1.0 if few else 1.05),
        ncols=1 if few else 2 if names else 5,
        frameon=False,
        borderaxespad=0,
        borderpad=0,
        handlelength=0.8,
        handletextpad=0.4,
        columnspacing=0.8,
        labelspacing=0.3,
    )


def _joint_panels(latents: int, width: float) -> tuple[Any, np.ndarray, Any]:
    """Return a figure, its panels, and the corner of the legend.

    Of two latents: the scatter plot, the histograms above it and to its right, on its axes.
    """
    import matplotlib.pyplot as plt

    if latents == 1:
        fig, ((ax, corner),) = plt.subplots(
            1,
            2,
            squeeze=False,
            width_ratios=(5, 1),
            layout="compressed",
            figsize=(as_width(width), 9.5),
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
        figsize=(as_width(width), 9.5),
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
