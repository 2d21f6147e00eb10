"""Contents of a page, as plain arrays and text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int, UInt8

__all__ = ["Cells", "Contents", "Patches"]


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells of the grid that hold a patch; n of them, lengths in px of the image.

    index: Row and column in the grid, shape (n, 2).
    centers: Centres (y, x), shape (n, 2).
    outlines: Height and width of all cells, shape (2,), or corners (y, x) of each, shape (n, m,
        2).
    maps, stds: Latents and their standard deviations, shape (channels, n).
    labels: Domain of each cell, -1 for none, shape (n,), by number of domains.
    walls: Points (y, x) of the walls, NaN after each line, shape (m, 2), by number of domains.
    """

    index: Int[np.ndarray, "n 2"]
    centers: Float[np.ndarray, "n 2"]
    outlines: Float[np.ndarray, "..."]
    maps: Float[np.ndarray, "channels n"]
    stds: Float[np.ndarray, "channels n"]
    labels: Mapping[int, Int[np.ndarray, " n"]]
    walls: Mapping[int, Float[np.ndarray, "m 2"]]


@dataclass(frozen=True, eq=False)
class Patches:
    """Patches that the page shows for a cell; 255 is the intensity 1 of the grid's image.

    shape: (height, width) of a patch, px, or (length,) of a spectrum.
    nearest: For each cell, which of the k kept ones is nearest, shape (n,).
    kept: Which cells these are, shape (k,).
    decoded: Decoded patches of the kept cells, shape (k, *shape); ``None`` without a decoder.
    spectra: Spectra of the kept cells, shape (k, length). Patches of an image are cut from it.
    axis, axis_name: Values of the spectral axis, shape (length,), and its label.
    """

    shape: tuple[int, ...]
    nearest: Int[np.ndarray, " n"]
    kept: Int[np.ndarray, " k"]
    decoded: UInt8[np.ndarray, "k *shape"] | None = None
    spectra: UInt8[np.ndarray, "k length"] | None = None
    axis: Float[np.ndarray, " length"] | None = None
    axis_name: str = "channel"


@dataclass(frozen=True, eq=False)
class Contents:
    """All that a page shows.

    title, answer: Name of the scan; the answer in a sentence.
    doubts, notes: Reasons for doubt; parts left out to keep the page small. In sentences.
    image: Shape (height, width), 255 is bright.
    scale, unit: Height and width of a pixel, and their unit.
    cells, patches: The cells, and the patches shown for them.
    number: The number of domains found; 0 if there are none to show.
    maps: Name of the maps, if they are no latents.
    tables: Rows, as value by column, by title of the table.
    figures: PNG files, by caption.
    hatching: 1 on stripes over the pixels that were left out, else 0, shape (height, width);
        ``None`` if none were.
    """

    title: str
    answer: str
    doubts: Sequence[str]
    notes: Sequence[str]
    image: UInt8[np.ndarray, "height width"]
    scale: tuple[float, float]
    unit: str
    cells: Cells
    patches: Patches
    number: int
    tables: Mapping[str, Sequence[Mapping[str, Any]]]
    figures: Mapping[str, bytes]
    hatching: UInt8[np.ndarray, "height width"] | None = None
    maps: str = ""
