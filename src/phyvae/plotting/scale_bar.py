"""A scale bar, of a length that begins with 1, 2 or 5."""

from typing import Any

import numpy as np

__all__ = ["add_scale_bar", "round_length"]


def add_scale_bar(ax: Any, unit: str, corner: str = "lower left") -> None:
    """Add a scale bar to an image, at most a third as long as it is wide; no axes then."""
    from mpl_toolkits.axes_grid1.anchored_artists import AnchoredSizeBar

    left, right = ax.get_xlim()
    bottom, top = ax.get_ylim()
    length = round_length(abs(right - left) / 3)
    name = f"{length / 1000:g} µm" if unit == "nm" and length >= 1000 else f"{length:g} {unit}"
    bar = AnchoredSizeBar(
        ax.transData, length, name, corner, pad=0.4, borderpad=0.4, sep=2, color="white",
        size_vertical=abs(top - bottom) / 80, fontproperties={"size": 7},
    )  # fmt: skip
    bar.patch.set(facecolor="black", alpha=0.6, linewidth=0)
    ax.add_artist(bar)
    ax.set(xticks=[], yticks=[])


def round_length(most: float) -> float:
    """Return the longest length of 1, 2 or 5 times a power of ten that is not above `most`."""
    power = 10.0 ** np.floor(np.log10(most))
    first = next(k for k in (5, 2, 1) if k <= most / power * (1 + 1e-9))
    return float(f"{first * power:.0e}")
