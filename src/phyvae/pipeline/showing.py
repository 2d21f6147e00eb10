"""A result as a figure, as a page, and in a notebook."""

from abc import abstractmethod
from collections.abc import Mapping
from html import escape
from io import BytesIO
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int

from ..domains.evidence import DomainEvidence
from ..domains.extents import resolution, rounded
from ..domains.segmentation import segment
from ..models import ShiftVAE
from ..plotting.arguments import extent_of, sides_of
from ..plotting.cells import on_sites, outlines_of, wall_lines
from ..plotting.overview import Spectral, plot_cells, plot_overview
from ..plotting.panels import Panels
from ..report.contents import Cells, Contents, Patches
from ..report.page import png_address, write_page
from ..saving.contents import AnyPath
from .choices import Choice
from .measuring import Measured
from .thinning import eight_bits, picture_of, smaller, thinned

__all__ = ["Shown"]

_QUANTITIES = dict.fromkeys(("meV", "eV", "keV"), "energy")
_QUANTITIES |= dict.fromkeys(("mV", "V", "kV"), "bias") | dict.fromkeys(("nm", "µm"), "wavelength")
_CAPTIONS = "Mean patch of each domain, moved onto the lattice.", "Mean spectrum of each domain."
_MOST = 6  # domains on offer
_FIRST_LOOK = "autocorrelation"  # name of the maps where there is no answer
_TRAINING = ("classes", "physics", "w", "strength", "train", "seed")
_CELLS = 20_000  # on a page
_KEPT = 1_500_000  # pixels of the patches kept for a page


class Shown(Measured):
    """Figures of a result: the part of `Domains` that makes it visible."""

    model: ShiftVAE
    stds: Float[np.ndarray, "channels rows cols"]
    signal: Float[np.ndarray, " channels"]
    evidence: DomainEvidence | None
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

    def plot(self, *, width: float = 7.0) -> Panels:
        """Plot the image with its walls and a scale bar, the domains, the maps and mean cells.

        Pixels that were left out are hatched, those not recorded (NaN) blank.

        Parameters
        ----------
        width
            Figure width, inches: 7 fills two columns of a journal, 3.4 one.

        Returns
        -------
        fig, axes
            A matplotlib figure and an array of its panels.
        """
        return plot_overview(
            self.grid,
            self.labels,
            self.maps,
            _mean_cells(self),
            image=self.scan.image,
            pixel_size=self.scan.pixel_size,
            unit=self.scan.unit,
            width=width,
            spectral=_spectral(self),
            names=[f"{_FIRST_LOOK} {k + 1}" for k in range(len(self.maps) * bool(self.problem))],
        )

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
            Without Bokeh: ``python -m pip install ".[report]"`` in a clone.
        """
        write_page(path, _contents(self))

    def _repr_html_(self) -> str:
        """Return the figure, the answer, doubts and settings, for a notebook."""
        rows = "".join(
            f"<tr><td>{escape(name)}</td><td>{escape(str(one.value))}</td>"
            f"<td>{escape(one.reason)}</td></tr>"
            for name, one in _settings(self).items()
        )
        doubts = "".join(f"<li>{escape(doubt)}</li>" for doubt in self.doubts)
        return (
            f"<p><b>{escape(self.scan.name)}</b>: {escape(self.answer)}</p>"
            f'<img src="{png_address(_png(self))}" alt="image, domains and maps">'
            + (f"<p>Doubts:</p><ul>{doubts}</ul>" if doubts else "")
            + f"<details><summary>Settings</summary><table>{rows}</table></details>"
        )


def _png(found: Shown) -> bytes:
    """Return the figure of a result as a PNG file."""
    return _as_png(found.plot()[0])


def _figures(found: Shown) -> dict[str, bytes]:
    """Return the mean cells as a PNG file, by caption."""
    cells = _mean_cells(found)
    if not cells:
        return {}
    scan, spectral = found.scan, _spectral(found)
    fig, _ = plot_cells(cells, sides_of(scan.pixel_size), scan.unit, spectral)
    return {_CAPTIONS[spectral is not None]: _as_png(fig)}


def _spectral(found: Shown) -> Spectral | None:
    """Return the spectral axis and its label, by its unit; ``None`` for an image."""
    scan, shape = found.scan, found.grid.patch_shape
    if len(shape) == 2:
        return None
    if scan.axis is None:
        return np.arange(float(shape[0])), "channel"
    name = _QUANTITIES.get(scan.axis_unit, "spectral axis")
    return scan.axis, f"{name} ({scan.axis_unit})" if scan.axis_unit else name


def _as_png(fig: Any) -> bytes:
    import matplotlib.pyplot as plt

    data = BytesIO()
    fig.savefig(data, format="png", dpi=110)
    plt.close(fig)
    return data.getvalue()


def _mean_cells(found: Shown) -> dict[int, np.ndarray]:
    """Return the mean patch of each domain that has one."""
    cells = {one.label: one.mean for one in found.cells}
    return {label: mean for label, mean in cells.items() if np.isfinite(mean).any()}


def _contents(found: Shown) -> Contents:
    """Return the contents of a page, thinned out where it would be large."""
    image, hatching, factor = picture_of(found.grid, found.scan.image)
    there, stride = thinned(found.grid, _CELLS)
    cells = _cells(found, there, stride, factor)
    patches, apart = _patches(found, there, stride, factor)
    down, right = found.scan.pixel_size or (1.0, 1.0)
    notes = {
        "Hatched pixels were left out: no specimen, or nothing recorded.": hatching is not None,
        f"The image is shown at 1/{factor} of its resolution.": factor > 1,
        f"Of the cells, one in {stride} rows and columns is shown.": stride > 1,
        f"Decoded patches are kept for one in {apart} rows and columns.": apart > stride
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
        maps=_FIRST_LOOK if found.problem else "",
        tables=_tables(found),
        figures=_figures(found),
        hatching=hatching,
    )


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
        outlines = outlines_of(grid).reshape(len(grid), -1, 2)[there]

    def on_page(places: np.ndarray) -> np.ndarray:
        return np.asarray((places + 0.5) / factor - 0.5)

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
        for k in range(1, max(found.classes, min(_MOST, grid.count)) + 1)
        if k != found.classes
    }
    return dict(sorted((labels | {found.classes: found.labels}).items()))


def _joined(lines: list[np.ndarray]) -> Float[np.ndarray, "m 2"]:
    """Return the points of lines, NaN after each."""
    gap = np.full((1, 2), np.nan)
    return np.concatenate([part for line in lines for part in (line, gap)] or [gap])


def _patches(found: Shown, there: np.ndarray, stride: int, factor: int) -> tuple[Patches, int]:
    """Return the patches of the page, and how far apart the rows of kept ones are."""
    from scipy.spatial import cKDTree

    grid = found.grid
    axis, name = _spectral(found) or (None, "")
    spectra = axis is not None
    few, apart = thinned(grid, max(1, _KEPT // int(np.prod(grid.patch_shape))), stride)
    centers = grid.centers.reshape(-1, 2)
    decoded = None if found.problem else smaller(_decoded(found, few), 1 if spectra else factor)
    return Patches(
        shape=grid.patch_shape if spectra else tuple(n // factor for n in grid.patch_shape),
        nearest=cKDTree(centers[few]).query(centers[there])[1],
        kept=np.searchsorted(there, few),
        decoded=None if decoded is None else eight_bits(decoded),
        spectra=eight_bits(grid.gather(torch.from_numpy(few)).cpu().numpy()) if spectra else None,
        axis=axis,
        axis_name=name,
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
    moved = shift * model.t_prior.cpu().to(shifts)
    return model.decode(latents, shift=moved).double().numpy()


def _tables(found: Shown) -> dict[str, list[dict[str, Any]]]:
    """Return the tables of a page."""
    fine = resolution(found.grid, found.scan.pixel_size)
    return {
        "Domains": [
            {
                name: rounded(one, fine**2 if name.startswith("area") else 1e-3)
                for name, one in row.items()
                if name != "walls"  # a table of their own
            }
            for row in found.table()
        ],
        "Walls": [
            {
                "between": " and ".join(map(str, wall.domains)),
                f"length ({wall.unit})": rounded(wall.length, fine),
                "kind": wall.kind,
                "remark": wall.reason,
            }
            for wall in found.walls
        ],
        "Number of domains": [
            {
                "number": one.number,
                "edges at walls, std above chance": rounded(one.score, 0.1),
                "reason": one.reason,
            }
            for one in (found.evidence.ranking if found.evidence else ())
        ],
        "Settings": [
            {"setting": name, "value": one.value, "reason": one.reason}
            for name, one in _settings(found).items()
        ],
    }


def _settings(found: Shown) -> dict[str, Choice]:
    """Return the settings; without an answer nothing was trained, and they are fewer."""
    left_out = _TRAINING if found.problem else ()
    return {name: one for name, one in found.settings.items() if name not in left_out}
