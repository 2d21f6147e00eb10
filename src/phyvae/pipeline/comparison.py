"""The trainings of a sweep compared: maps, domains, measures, a table, a figure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from ..domains.metrics import adjusted_rand_index, match_labels
from ..domains.segmentation import segment
from ..domains.walls import boundary_length
from ..models import PatchModel
from ..patches.grid import PatchGrid
from ..patches.layout import Layout
from ..physics import EdgeLoss, FourierLoss
from ..plotting import plot_comparison
from ..training.history import History
from ..training.objective import PhysicsObjective
from ..training.trainer import PhysicsTrainer

__all__ = ["Sweep"]


@dataclass(frozen=True, repr=False)
class Sweep:
    """The trainings of a sweep, by the names of their settings.

    Attributes
    ----------
    grid : PatchGrid
        What they were trained on.
    trainers : dict
        A `PhysicsTrainer` each, with its model, its history and all it needs to go on.
    stopped : dict
        Of settings whose loss became NaN or infinite, why. They have their last good weights.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((60, 80)), size=20, step=10)
    >>> found = phyvae.sweep(
    ...     grid,
    ...     {"no physics": None, "SL1": phyvae.PhysicsObjective(phyvae.EdgeLoss())},
    ...     epochs=1,
    ...     model=lambda seed: phyvae.ShiftVAE(grid.patch_shape, seed=seed),
    ...     progress=False,
    ... )
    >>> found
    Sweep('no physics': 1 epochs, 'SL1': 1 epochs)
    >>> list(found.measures()["SL1"])
    ['−ELBO (nats/patch)', 'KL (nats/patch)', 'Ψ SL1', 'Ψ SL2', 's']
    """

    grid: PatchGrid
    trainers: dict[str, PhysicsTrainer]
    stopped: dict[str, str] = field(default_factory=dict)

    def __repr__(self) -> str:
        runs = (
            f"{name!r}: {one.epochs_done} epochs{', stopped' * (name in self.stopped)}"
            for name, one in self.trainers.items()
        )
        return f"Sweep({', '.join(runs)})"

    @property
    def models(self) -> dict[str, PatchModel]:
        """The trained models."""
        return {name: trainer.model for name, trainer in self.trainers.items()}

    @property
    def histories(self) -> dict[str, History]:
        """The epochs of each; `plot_history` draws them."""
        return {name: trainer.history for name, trainer in self.trainers.items()}

    @property
    def maps(self) -> dict[str, Float[Tensor, "channels rows cols"]]:
        """The latent maps of each, computed at each look, as training may have gone on."""
        return {name: model.latent_maps(self.grid) for name, model in self.models.items()}

    def labels(
        self, classes: int | None = None, *, truth: Int[np.ndarray, "rows cols"] | None = None
    ) -> dict[str, Int[np.ndarray, "rows cols"]]:
        """Return the domains of each, shape (rows, cols): those of `segment` on its maps.

        Parameters
        ----------
        classes
            Number of domains; by default that of `truth`.
        truth
            True domains, shape (rows, cols). Numbers mean the same as there or, without it, the
            same as in the first setting.
        """
        return self._labelled(self.maps, _classes(classes, truth), truth)

    def _labelled(
        self, maps: Mapping[str, Tensor], classes: int, truth: np.ndarray | None
    ) -> dict[str, np.ndarray]:
        graph = self.grid.graph
        found = {name: segment(z, classes, graph=graph) for name, z in maps.items()}
        reference = next(iter(found.values())) if truth is None else truth
        return {name: match_labels(labels, reference) for name, labels in found.items()}

    def measures(
        self, *, classes: int | None = None, truth: Int[np.ndarray, "rows cols"] | None = None
    ) -> dict[str, dict[str, float]]:
        """Return what was measured of each setting, by the names of the measures.

        Parameters
        ----------
        classes
            Number of domains; by default that of `truth`. With neither, no domains are sought.
        truth
            True domains, shape (rows, cols), to compare with.

        Returns
        -------
        dict
            −ELBO at β = 1 and KL divergence, nats per patch, Ψ of edge loss and, on a raster,
            Fourier loss on all maps, adjusted Rand index, length of walls in map pixels (of sites
            without a lattice, in their spacing), seconds of training.
        """
        maps, labels, graph = self.maps, {}, self.grid.graph
        layout = Layout.of(self.grid)
        losses = {"Ψ SL1": EdgeLoss()} | ({"Ψ SL2": FourierLoss()} if layout.is_raster else {})
        if classes is not None or truth is not None:
            labels = self._labelled(maps, _classes(classes, truth), truth)
        found = {}
        for name, trainer in self.trainers.items():
            parts = trainer.evaluate(self.grid)
            found[name] = {
                "−ELBO (nats/patch)": float(parts.neg_elbo),
                "KL (nats/patch)": float(parts.kl),
            }
            for psi, loss in losses.items():
                value = PhysicsObjective(loss).psi(layout.values(maps[name]), layout)
                found[name][psi] = float(value)
            if truth is not None:
                found[name]["ARI"] = adjusted_rand_index(labels[name], truth)
            if labels:
                found[name]["walls (map px)"] = boundary_length(
                    labels[name], graph=graph, pixel_size=1 / layout.spacing
                )
            found[name]["s"] = float(trainer.history.seconds.sum())
        return found

    def table(
        self, *, classes: int | None = None, truth: Int[np.ndarray, "rows cols"] | None = None
    ) -> str:
        """Return the `measures` as a Markdown table."""
        found = self.measures(classes=classes, truth=truth)
        head = ["setting", *next(iter(found.values()))]
        rows = [head, ["---"] * len(head)]
        for name, measures in found.items():
            shown = " ".join(name.replace("|", "\\|").split()) + " (stopped)" * (
                name in self.stopped
            )
            rows.append([shown, *(f"{value:.{_DIGITS[key]}f}" for key, value in measures.items())])
        return "\n".join(f"| {' | '.join(row)} |" for row in rows)

    def plot(
        self,
        *,
        classes: int | None = None,
        truth: Int[np.ndarray, "rows cols"] | None = None,
        pixel_size: float | None = None,
        unit: str = "px",
        label_names: Sequence[str] | None = None,
        width: float = 7.0,
    ) -> tuple[Any, Any]:
        """Plot a row of panels per setting: its maps and, with `classes` or `truth`, its domains.

        The arguments are those of `measures` and of `plot_comparison`; returns ``(fig, axes)``.
        """
        maps, labels = self.maps, {}
        if classes is not None or truth is not None:
            labels = self._labelled(maps, _classes(classes, truth), truth)
        rows = {name: (z, labels.get(name)) for name, z in maps.items()}
        titles = {name: model.map_names for name, model in self.models.items()}
        alike = next(iter(titles.values())) if len(set(map(repr, titles.values()))) == 1 else None
        return plot_comparison(
            rows,
            truth=truth,
            grid=self.grid,
            names=alike,
            label_names=label_names,
            pixel_size=pixel_size,
            unit=unit,
            width=width,
        )


# Digits after the point, in a table.
_DIGITS = {
    "−ELBO (nats/patch)": 2,
    "KL (nats/patch)": 2,
    "Ψ SL1": 3,
    "Ψ SL2": 4,
    "ARI": 3,
    "walls (map px)": 0,
    "s": 0,
}


def _classes(classes: int | None, truth: np.ndarray | None) -> int:
    if classes is not None:
        return classes
    if truth is None:
        raise ValueError("classes=None: pass the number of domains, or truth, which has it.")
    return len(np.unique(truth))
