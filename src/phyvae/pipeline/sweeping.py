"""A sweep: one grid, several settings, trained side by side."""

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypedDict, Unpack

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from tqdm.auto import tqdm

from .._checks import as_integer, as_seed, brief, check_takes
from ..compute import processes
from ..compute.precision import Precision
from ..compute.threads import in_threads
from ..domains.metrics import adjusted_rand_index, match_labels
from ..domains.segmentation import segment
from ..domains.walls import boundary_length
from ..models import PatchModel, ShiftVAE, adapt, check_patches
from ..patches.grid import PatchGrid
from ..patches.layout import Layout
from ..physics import EdgeLoss, FourierLoss
from ..training.collapse import STANDS_OUT, CollapsedMapsWarning, advice_on, signals
from ..training.history import History
from ..training.objective import PhysicsObjective
from ..training.refusals import NonFiniteLossError
from ..training.schedules import Beta, as_schedule
from ..training.trainer import PhysicsTrainer

__all__ = [
    "Setting", "StoppedSettingWarning", "Sweep", "SweepInterrupted", "TrainerOptions", "sweep",
]  # fmt: skip


class StoppedSettingWarning(UserWarning):
    """The loss of one setting of a sweep became NaN or infinite; the others went on."""


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep; `sweep` has what was trained.

    Attributes
    ----------
    sweep : Sweep
        All settings, each with its last whole epoch.
    """

    def __init__(self, sweep: "Sweep") -> None:
        super().__init__(
            f"{sweep!r} is kept: in a script, except phyvae.SweepInterrupted as stop: stop.sweep; "
            "at a prompt or in a notebook, sys.last_value.sweep."
        )
        self.sweep = sweep


class TrainerOptions(TypedDict, total=False):
    """Keywords of `PhysicsTrainer` that all settings of a sweep have in common."""

    lr: float
    warmup: int
    batch_size: int
    tile: int
    sites: int
    pixels: float | None
    precision: Precision
    deterministic: bool
    device: torch.device | str | None


@dataclass(frozen=True)
class Setting:
    """What one training of a sweep has of its own.

    Attributes
    ----------
    objective : PhysicsObjective or None
        ``None`` is the plain shift-invariant VAE.
    beta : float, callable or None
        Weight of the KL divergence; ``None`` is that of the sweep.
    seed : int
        Seed of weights, tiles, batches and noise.
    """

    objective: PhysicsObjective | None = None
    beta: Beta | None = None
    seed: int = 0


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
        """Return the domains of each, shape (rows, cols), from a Gaussian mixture on its maps.

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
        losses = {"Ψ SL1": EdgeLoss()} | ({} if graph else {"Ψ SL2": FourierLoss()})
        if classes is not None or truth is not None:
            labels = self._labelled(maps, _classes(classes, truth), truth)
        cell: dict[str, Any] = {}
        if graph is not None:
            cell = {"graph": graph, "pixel_size": 1 / graph.spacing}
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
                found[name]["walls (map px)"] = boundary_length(labels[name], **cell)
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
        width: float = 7.0,
    ) -> tuple[Any, Any]:
        """Plot a row of panels per setting: its maps and, with `classes` or `truth`, its domains.

        The arguments are those of `measures` and of `plot_comparison`; returns ``(fig, axes)``.
        """
        from ..plotting import plot_comparison

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


def sweep(
    grid: PatchGrid,
    settings: Mapping[str, Setting | PhysicsObjective | None],
    epochs: int,
    *,
    model: Callable[[int], nn.Module],
    beta: Beta = 1.0,
    steps_per_epoch: int | None = None,
    progress: bool = True,
    **trainer: Unpack[TrainerOptions],
) -> Sweep:
    r"""Train a model with each of several settings: objectives, w, losses, β, seeds.

    On a CPU, every core trains a setting; on a GPU, they are trained one after another. Each has
    tiles, batches and noise from its own seed, so that it ends as if it were trained alone.

    Parameters
    ----------
    grid
        Patches to learn from.
    settings
        By name, a `Setting`, or an objective alone.
    epochs
        Number of epochs, >= 1.
    model
        Called with each seed once, it returns the model to start from, which all settings with
        this seed take a copy of. So what need not differ, as `align`, is done once.
    beta
        Weight of the KL divergence for settings that have none of their own.
    steps_per_epoch, progress
        As for `PhysicsTrainer.fit`.
    **trainer
        Further keywords of `PhysicsTrainer`: lr, warmup, batch_size, tile, sites, pixels,
        precision, deterministic, device.

    Returns
    -------
    Sweep
        Trainers, histories and maps by name; a table; a figure.

    Raises
    ------
    TypeError, ValueError
        If an argument is of the wrong kind or out of its range, before any training, or if a
        physics loss is negative.
    SweepInterrupted
        After Ctrl-C, a KeyboardInterrupt with the `Sweep` so far: each setting has its last
        whole epoch.

    Warns
    -----
    StoppedSettingWarning
        If the loss of a setting becomes NaN or infinite; the others go on.
    CollapsedMapsWarning
        If there are settings whose maps say nothing at the end.

    Examples
    --------
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(phyvae.phantoms.bfo(seed=0).image, size=24, step=24)
    >>> found = phyvae.sweep(
    ...     grid,
    ...     {f"w = {w}": phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=w) for w in (0.1, 0.5)},
    ...     epochs=2,
    ...     model=lambda seed: phyvae.ShiftVAE(grid.patch_shape, seed=seed),
    ...     progress=False,
    ... )
    >>> list(found.maps)
    ['w = 0.1', 'w = 0.5']
    """
    named = _checked(settings)
    as_integer(epochs, "epochs", 1)
    if steps_per_epoch is not None:
        as_integer(steps_per_epoch, "steps_per_epoch", 1)
    if processes.world_size() > 1:
        raise RuntimeError(
            "sweep trains in one process, but this is one of "
            f"{processes.world_size()}; give each its own settings, without init_process_group."
        )
    for name in trainer:
        if name not in TrainerOptions.__annotations__:
            raise TypeError(
                f"{name} is no keyword of sweep. Those of its trainers are "
                f"{', '.join(TrainerOptions.__annotations__)}; seed belongs to Setting, w, "
                "channels, coupling and strength belong to PhysicsObjective."
            )
    # Options are refused before models are made, which may take long.
    PhysicsTrainer(ShiftVAE((2, 2), hidden_dim_e=(1,), hidden_dim_d=(1,)), **trainer)
    common, betas = as_schedule(beta), {}
    for name, one in named.items():
        own = f"beta of settings[{name!r}]"
        schedule = common if one.beta is None else as_schedule(one.beta, own)
        betas[name] = [schedule(epoch) for epoch in range(epochs)]
    starts = {seed: _start(model, seed, grid) for seed in {s.seed for s in named.values()}}
    trainers = {
        name: PhysicsTrainer(
            copy.deepcopy(starts[setting.seed]),
            copy.deepcopy(setting.objective),
            seed=setting.seed,
            **trainer,
        )
        for name, setting in named.items()
    }
    found = Sweep(grid, trainers)
    try:
        with tqdm(total=epochs * len(named), disable=not progress, unit="epoch") as bar:
            for epoch in range(epochs):
                now = {n: betas[n][epoch] for n in named if n not in found.stopped}
                if now:
                    _epoch(found, now, steps_per_epoch)
                for name in now.keys() & found.stopped.keys():
                    why = f"Setting {name!r} stopped: {found.stopped[name]} The others go on."
                    warnings.warn(why, StoppedSettingWarning, stacklevel=2)
                bar.update(len(named))
    except KeyboardInterrupt:
        raise SweepInterrupted(found) from None
    _warn_of_collapse(found)
    return found


def _epoch(found: Sweep, betas: Mapping[str, float], steps: int | None) -> None:
    """Train each setting for an epoch; those that cannot go on become `stopped`."""

    def train(name: str) -> None:
        with _stopping(found, name):
            one = found.trainers[name]
            one.step(found.grid, scale_factor=betas[name], steps_per_epoch=steps)

    models = [found.trainers[name].model for name in betas]
    if all(one.trains_in_threads and one.like.device.type == "cpu" for one in models):
        in_threads(train, [*betas])
    else:
        for name in betas:
            train(name)


@contextlib.contextmanager
def _stopping(found: Sweep, name: str) -> Iterator[None]:
    """Let a loss that is no number stop one setting, and not the others."""
    try:
        yield
    except NonFiniteLossError as error:
        found.stopped[name] = str(error)
    except Exception as error:
        error.add_note(f"It was setting {name!r} of the sweep.")
        raise


def _warn_of_collapse(found: Sweep) -> None:
    shares = {
        name: signals(one.model, [found.grid])
        for name, one in found.trainers.items()
        if name not in found.stopped
    }
    collapsed = [
        f"{name!r} ({', '.join(f'{share:.1%}' for share in signal)})"
        for name, signal in shares.items()
        if max(signal) < STANDS_OUT
    ]
    if collapsed:
        warnings.warn(
            f"The latent maps of {len(collapsed)} of {len(shares)} settings say nothing yet. Of "
            f"their variance there lies between patches: {', '.join(collapsed)}. "
            f"{advice_on(next(iter(found.models.values())))}",
            CollapsedMapsWarning,
            stacklevel=3,
        )


def _checked(settings: object) -> dict[str, Setting]:
    """Return the settings by name, with objectives alone made settings."""
    if not isinstance(settings, Mapping):
        raise TypeError(
            f"settings={brief(settings)} must map names to settings: "
            '{"w = 0.1": PhysicsObjective(EdgeLoss(), w=0.1)}.'
        )
    if not settings:
        raise ValueError("settings is empty; pass at least one, by name.")
    named = {}
    for name, value in settings.items():
        if not isinstance(name, str) or not name.strip():
            raise TypeError(
                f"settings has the name {name!r}; it must be a string that says something."
            )
        objective = value.objective if isinstance(value, Setting) else value
        if not isinstance(objective, PhysicsObjective | None):
            raise TypeError(
                f"settings[{name!r}]={brief(value)} must be a PhysicsObjective, None, or a "
                "Setting with one of them: PhysicsObjective(loss, w=0.1)."
            )
        setting = value if isinstance(value, Setting) else Setting(objective)
        as_seed(setting.seed, f"seed of settings[{name!r}]")
        named[name] = setting
    return named


def _start(model: Callable[[int], nn.Module], seed: int, grid: PatchGrid) -> PatchModel:
    if not callable(model) or isinstance(model, nn.Module | type):
        raise TypeError(
            f"model={brief(model)} must be a function of a seed that returns a new model: "
            "lambda seed: ShiftVAE(grid.patch_shape, seed=seed)."
        )
    check_takes(model, (seed,), "model", "a function of a seed that returns a new model")
    made = model(seed)
    if not isinstance(made, nn.Module):
        raise TypeError(
            f"model({seed}) returned an object of type {type(made).__name__}, but must return "
            "a model."
        )
    start = adapt(made)
    check_patches(start, grid)
    return start


def _classes(classes: int | None, truth: np.ndarray | None) -> int:
    if classes is not None:
        return classes
    if truth is None:
        raise ValueError("classes=None: pass the number of domains, or truth, which has it.")
    return len(np.unique(truth))
