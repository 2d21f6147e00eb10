"""Patches decoded from a lattice of two latents."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import ndtri

from .._checks import as_array, as_integer, brief
from .arguments import Array, as_channels, as_latents, extent_of
from .panels import COLOURS, Panels, add_colourbar, finished, latent_name, new_panels, show_image

__all__ = ["plot_manifold"]


def plot_manifold(
    model: Any,
    n: int = 9,
    *,
    maps: Array | None = None,
    limits: tuple[float, float] = (0.05, 0.95),
    channels: tuple[int, int] = (0, 1),
    known: int | Sequence[float] | Array | None = None,
    d: int | None = None,
    cmap: str = "gray",
    width: float = 3.4,
) -> Panels:
    """Plot the patches decoded from an n x n lattice of two latents.

    Parameters
    ----------
    model
        A ShiftVAE, or a pyroVED model; of one latent, the figure is one row. Spectra share one
        scale.
    n
        Patches along each axis, >= 2.
    maps
        Latent maps, shape (channels, rows, cols): the lattice then spans their range, and the
        other latents stay at their medians. Without, it spans the prior, and the others are 0.
    limits
        First and last quantile of the maps or of the prior, which is standard normal; without
        maps, z is -1.64 to 1.64 by default.
    channels
        The latents along x and y (upwards).
    known
        Of a pyroVED model with classes or properties: the class, or the properties, to decode.
    d
        `n`, under pyroVED's name.
    cmap
        Matplotlib's colour map of patches; spectra are curves of one colour.
    width
        Figure width, inches.

    Examples
    --------
    >>> import phyvae
    >>> model = phyvae.ShiftVAE((16, 16), latent_dim=2, seed=0)
    >>> fig, axes = phyvae.plot_manifold(model, n=5)
    """
    decoder = _as_decoder(model)
    options = {} if known is None else {"known": known}
    if options and "known" not in inspect.signature(decoder.decode).parameters:
        raise ValueError(f"known={brief(known)}, but a ShiftVAE decodes its latents alone.")
    name, n = ("n", n) if d is None else ("d", d)
    as_integer(n, name, 2, " patches")
    if not isinstance(limits, tuple | list) or len(limits) != 2:
        raise TypeError(f"limits={brief(limits)} must be two quantiles, such as (0.05, 0.95).")
    if not 0 < limits[0] < limits[1] < 1:
        raise ValueError(f"limits={limits} must rise from above 0 to below 1.")
    along = as_latents(channels, decoder.latent_dim)
    values, others = _lattice_of(maps, decoder.latent_dim, limits, n)
    z = torch.from_numpy(others).float().repeat(n ** (len(along) - 1), n, 1)
    z[..., along[-1]] = torch.from_numpy(values[along[-1], ::-1].copy())[: len(z), None].float()
    z[..., along[0]] = torch.from_numpy(values[along[0]]).float()
    with torch.no_grad():
        decoded = decoder.decode(z.flatten(0, 1), **options).unflatten(0, z.shape[:2])
    fig, axes = new_panels(1, 1, width)
    if decoded.ndim == 4:
        _show_patches(axes[0, 0], as_array(decoded), cmap)
    else:
        _show_spectra(axes[0, 0], as_array(decoded))
    _label_lattice(axes[0, 0], values, along, len(z))
    return finished(fig), axes[0]


def _show_patches(ax: Any, patches: np.ndarray, cmap: str) -> None:
    """Show patches, shape (rows, cols, height, width), side by side on one colour scale."""
    rows, columns, tall, wide = patches.shape
    mosaic = patches.swapaxes(1, 2).reshape(rows * tall, columns * wide)
    extent = extent_of((rows, columns))
    shown = show_image(ax, mosaic, cmap=cmap, extent=extent, aspect=tall / wide)
    bar = add_colourbar(ax, shown, None if rows > 1 else shown.get_clim())
    bar.set_label("decoded intensity" if rows > 1 else "")


def _show_spectra(ax: Any, spectra: np.ndarray) -> None:
    """Show spectra, shape (rows, cols, length), as curves in their cells on one scale."""
    row, column = np.indices(spectra.shape)[:2]
    share = (spectra - spectra.min()) / max(np.ptp(spectra), 1e-12)
    x = (column + np.linspace(-0.42, 0.42, spectra.shape[2])).reshape(-1, spectra.shape[2])
    ax.plot(x.T, (row + 0.4 - 0.8 * share).reshape(x.shape).T, color=COLOURS[0], linewidth=0.8)
    extent = extent_of(spectra.shape[:2])
    ax.set(xlim=extent[:2], ylim=extent[2:], aspect=0.8)


def _label_lattice(ax: Any, values: np.ndarray, along: list[int], rows: int) -> None:
    """Add lines between the cells, and the values of the latents along both axes."""
    n = values.shape[1]
    extent = extent_of((rows, n))
    ax.vlines(np.arange(1, n) - 0.5, *extent[2:], color="0.8", linewidth=0.5)
    ax.hlines(np.arange(1, rows) - 0.5, *extent[:2], color="0.8", linewidth=0.5)
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


def _as_decoder(model: Any) -> Any:
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
    """Return n values along each latent, shape (latent_dim, n), and its value at rest."""
    if maps is None:
        prior = ndtri(np.linspace(*limits, n))
        return np.tile(prior, (latent_dim, 1)), np.zeros(latent_dim)
    z = as_channels(maps)
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
