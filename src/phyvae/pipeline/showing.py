"""A result as a figure, as a page, and in a notebook."""

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8

from ..domains.segmentation import segment
from ..models import ShiftVAE
from ..patches.grid import PatchGrid
from ..plotting.arguments import extent_of
from ..plotting.cells import corners_of, on_sites
from ..plotting.walls import wall_lines
from ..report.contents import Cells, Contents, Patches
from ..report.page import write_page
from ..saving.contents import AnyPath
from ..scans.scan import Scan
from .choices import Choice

__all__ = ["Shown"]

_MOST = 6  # domains on offer
_PIXELS = 2_000_000  # of the image on a page
_CELLS = 20_000
_KEPT = 2_500_000  # pixels of the patches kept for a page


class Shown:
    """What of a result can be looked at; the attributes are those of `Domains`."""

    scan: Scan
    grid: PatchGrid
    model: ShiftVAE
    labels: Int[np.ndarray, "rows cols"]
    maps: Float[np.ndarray, "channels rows cols"]
    stds: Float[np.ndarray, "channels rows cols"]
    shifts: Float[np.ndarray, "axes rows cols"]
    signal: Float[np.ndarray, " channels"]
    settings: Mapping[str, Choice]
    doubts: tuple[str, ...]
    problem: str

    @property
    @abstractmethod
    def classes(self) -> int:
        """Number of domains; 0 if the question could not be answered."""

    @property
    @abstractmethod
    def answer(self) -> str:
        """The answer in a sentence."""

    def report(self, path: AnyPath) -> None:
        """Write an interactive page of the result, which needs no network.

        It shows the image with its domains for one to six of them, the maps, the latents, and
        for each cell its patch and the decoded one; settings with their reasons, and doubts.

        Parameters
        ----------
        path
            The file, such as ``"scan.html"``. One that is there is replaced.

        Raises
        ------
        ImportError
            Without Bokeh: ``pip install "phyvae[report]"``.
        """
        write_page(path, _contents(self))


def _contents(found: Shown) -> Contents:
    """Return the contents of a page, thinned out where it would be large."""
    image, factor = _picture(found.grid)
    there, stride = _thinned(found.grid, _CELLS)
    cells = _cells(found, there, stride, factor)
    patches, apart = _patches(found, there, factor)
    down, right = found.scan.pixel_size or (1.0, 1.0)
    notes = {
        f"The image is shown at 1/{factor} of its resolution.": factor > 1,
        f"Every {stride}th row and column of cells is shown.": stride > 1,
        f"Decoded patches are those of every {apart}th row and column.": apart > stride
        and patches.decoded is not None,
    }
    return Contents(
        title=found.scan.name,
        answer=found.answer,
        doubts=found.doubts,
        notes=[note for note, holds in notes.items() if holds],
        image=image,
        scale=(down * factor, right * factor),
        unit=found.scan.unit,
        cells=cells,
        patches=patches,
        number=found.classes,
        tables=_tables(found),
        figures={},
    )


def _picture(grid: PatchGrid) -> tuple[UInt8[np.ndarray, "height width"], int]:
    """Return the image in 8 bits, and the factor by which it was made smaller."""
    image = grid.image.double().cpu().numpy()
    image = image if image.ndim == 2 else _stretched(image.mean(axis=2))
    factor = int(np.ceil((image.size / _PIXELS) ** 0.5))
    return _eight_bits(_smaller(image, factor)), factor


def _thinned(grid: PatchGrid, most: int) -> tuple[Int[np.ndarray, " n"], int]:
    """Return cells with a patch, of every k-th row and column so that they are few, and k."""
    filled = grid.indices.cpu().numpy()
    row, column = np.divmod(filled, grid.shape[1])
    stride = 1
    while True:
        kept = filled[(row % stride == 0) & (column % stride == 0)]
        if len(kept) <= most or len(kept) == 1:
            return kept, stride
        stride += 1


def _cells(found: Shown, there: np.ndarray, stride: int, factor: int) -> Cells:
    """Return the cells of the page; lengths in px of its image."""
    grid = found.grid
    flat = {
        name: getattr(found, name).reshape(-1, len(grid))[:, there] for name in ("maps", "stds")
    }
    labels = _labels(found)
    extent = extent_of(grid.shape, grid)
    walls = {k: _joined(wall_lines(one, extent, grid)) for k, one in labels.items()}
    centers = grid.centers.reshape(-1, 2)[there]
    outlines = np.multiply(grid.step, stride)
    if on_sites(grid):
        outlines = _outlines(grid)[there]

    def on_page(places: np.ndarray) -> np.ndarray:
        found: np.ndarray = (places + 0.5) / factor - 0.5
        return found

    return Cells(
        index=np.stack(np.divmod(there, grid.shape[1]), axis=1),
        centers=on_page(centers),
        outlines=on_page(outlines) if outlines.ndim == 3 else outlines / factor,
        labels={k: one.ravel()[there] for k, one in labels.items()},
        walls={k: on_page(lines) for k, lines in walls.items()},
        **flat,
    )


def _labels(found: Shown) -> dict[int, Int[np.ndarray, "rows cols"]]:
    """Return the labels for each number of domains; none if the question was not answered."""
    if not found.classes:
        return {}
    grid = found.grid
    labels = {
        k: segment(found.maps, k, mask=grid.mask, graph=grid.graph, signal=found.signal)
        for k in range(1, min(_MOST, grid.count) + 1)
        if k != found.classes
    }
    return dict(sorted((labels | {found.classes: found.labels}).items()))


def _joined(lines: list[np.ndarray]) -> Float[np.ndarray, "m 2"]:
    """Return the points of lines, NaN after each."""
    gap = np.full((1, 2), np.nan)
    return np.concatenate([part for line in lines for part in (line, gap)] or [gap])


def _outlines(grid: PatchGrid) -> Float[np.ndarray, "cells m 2"]:
    """Return the corners of the cells around sites."""
    if grid.vectors is None:
        angle = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        disc = grid.step[0] / 2 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
        return (grid.sites[..., None, :] + disc).reshape(len(grid), -1, 2)
    corners = corners_of(grid)
    around = (corners[:-1, :-1], corners[:-1, 1:], corners[1:, 1:], corners[1:, :-1])
    return np.stack(around, axis=2).reshape(len(grid), -1, 2)


def _patches(found: Shown, there: np.ndarray, factor: int) -> tuple[Patches, int]:
    """Return what the page shows of patches, and how far apart the rows of kept ones are."""
    from scipy.spatial import cKDTree

    grid, scan = found.grid, found.scan
    spectra = len(grid.patch_shape) == 1
    few, apart = _thinned(grid, max(1, _KEPT // int(np.prod(grid.patch_shape))))
    few = few[np.isin(few, there)]
    centers = grid.centers.reshape(-1, 2)
    axis = None
    if spectra:
        axis = np.arange(grid.patch_shape[0]) if scan.axis is None else scan.axis
    decoded = None if found.problem else _smaller(_decoded(found, few), 1 if spectra else factor)
    return Patches(
        shape=grid.patch_shape if spectra else tuple(n // factor for n in grid.patch_shape),
        nearest=cKDTree(centers[few]).query(centers[there])[1],
        kept=np.searchsorted(there, few),
        decoded=None if decoded is None else _eight_bits(decoded),
        spectra=_eight_bits(grid.gather(torch.from_numpy(few)).cpu().numpy()) if spectra else None,
        axis=axis,
        axis_name=f"energy ({scan.axis_unit})" if scan.axis_unit else "channel",
    ), apart


def _decoded(found: Shown, cells: np.ndarray) -> Float[np.ndarray, "n *patch"]:
    """Return the decoded patches of some cells, as their content lies in the image."""
    model, count = found.model, len(found.maps)
    latents = torch.from_numpy(found.maps).flatten(1)[:, cells].T
    if count < model.latent_dim:  # latents that are noise have no refined map
        rest = model.latent_maps(found.grid, progress=False)[count:]
        latents = torch.cat([latents, rest.flatten(1)[:, cells].T.to(latents)], dim=1)
    shifts = torch.from_numpy(found.shifts).flatten(1)[:, cells].T
    shift = shifts / model.shift_scale.cpu().to(shifts)
    return model.decode(latents, shift=shift).double().numpy()


def _tables(found: Shown) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of a page."""
    return {
        "Domains": _domain_rows(found),
        "Settings": [
            {"setting": name, "value": one.value, "reason": one.reason}
            for name, one in found.settings.items()
        ],
    }


def _domain_rows(found: Shown) -> list[dict[str, Any]]:
    number = (found.labels >= 0).sum()
    rows = []
    for label in np.unique(found.labels[found.labels >= 0]).tolist():
        inside = found.labels == label
        latents = {
            f"z{k}": f"{values[inside].mean():.2f} ± {values[inside].std():.2f}"
            for k, values in enumerate(found.maps, 1)
        }
        share = f"{100 * inside.sum() / number:.1f} %"
        rows.append({"domain": label, "cells": int(inside.sum()), "share": share, **latents})
    return rows


def _smaller(images: np.ndarray, factor: int) -> Float[np.ndarray, "..."]:
    """Return means over squares of pixels, along the last two axes."""
    if factor == 1:
        return images
    *others, height, width = images.shape
    rows, cols = height // factor, width // factor
    cut = images[..., : rows * factor, : cols * factor]
    means: np.ndarray = cut.reshape(*others, rows, factor, cols, factor).mean(axis=(-3, -1))
    return means


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = float(values.min()), float(values.max())
    found: np.ndarray = (values - low) / ((high - low) or 1.0)
    return found


def _eight_bits(values: np.ndarray) -> UInt8[np.ndarray, "..."]:
    """Return intensities from 0 to 1 as 0 to 255."""
    found: np.ndarray = np.round(255 * np.clip(values, 0, 1)).astype(np.uint8)
    return found
