"""A sweep: one grid, several settings, trained side by side."""

import contextlib
import copy
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Unpack

from torch import nn
from tqdm.auto import tqdm

from .._checks import as_integer
from ..compute import processes
from ..compute.own_state import own_state
from ..compute.progress import silent
from ..compute.threads import in_threads
from ..models import ShiftVAE
from ..patches.grid import PatchGrid
from ..training.checkpoints import described_call
from ..training.collapse import STANDS_OUT, CollapsedMapsWarning, advice_on, signals
from ..training.grids import grids_to_train
from ..training.loop import NonFiniteLossError, run_epoch
from ..training.objective import PhysicsObjective
from ..training.schedules import Beta, as_schedule
from ..training.trainer import PhysicsTrainer
from .comparison import Sweep
from .settings import Setting, TrainerOptions, named_settings, starting_model

__all__ = ["StoppedSettingWarning", "SweepInterrupted", "sweep"]


class StoppedSettingWarning(UserWarning):
    """The loss of one setting of a sweep became NaN or infinite; the others went on.

    Examples
    --------
    >>> import warnings
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((60, 80)), size=20, step=10)
    >>> def broken(maps, mask=None):
    ...     return maps.mean() * np.nan
    >>> with warnings.catch_warnings():
    ...     warnings.simplefilter("ignore", phyvae.StoppedSettingWarning)
    ...     found = phyvae.sweep(
    ...         grid,
    ...         {"no physics": None, "broken": phyvae.PhysicsObjective(broken)},
    ...         epochs=1,
    ...         model=lambda seed: phyvae.ShiftVAE(grid.patch_shape, seed=seed),
    ...         progress=False,
    ...     )
    >>> found, list(found.stopped)
    (Sweep('no physics': 1 epochs, 'broken': 0 epochs, stopped), ['broken'])
    """


class SweepInterrupted(KeyboardInterrupt):
    """Ctrl-C during a sweep; `sweep` has what was trained.

    Attributes
    ----------
    sweep : Sweep
        All settings, each with its last whole epoch.

    Examples
    --------
    >>> import numpy as np
    >>> import phyvae
    >>> grid = phyvae.PatchGrid(np.random.default_rng(0).random((60, 80)), size=20, step=10)
    >>> try:
    ...     found = phyvae.sweep(
    ...         grid,
    ...         {"no physics": None},
    ...         epochs=1,
    ...         model=lambda seed: phyvae.ShiftVAE(grid.patch_shape, seed=seed),
    ...         progress=False,
    ...     )
    ... except phyvae.SweepInterrupted as stop:
    ...     found = stop.sweep
    >>> found
    Sweep('no physics': 1 epochs)
    """

    def __init__(self, sweep: Sweep) -> None:
        super().__init__(
            f"{sweep!r} is kept: in a script, except phyvae.SweepInterrupted as stop: stop.sweep; "
            "at a prompt or in a notebook, sys.last_value.sweep."
        )
        self.sweep = sweep


@own_state(grad=True)
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
        If the maps of any setting carry no signal at the end.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo((160, 160), seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=24)
    >>> found = phyvae.sweep(
    ...     grid,
    ...     {f"w = {w}": phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=w) for w in (0.1, 0.5)},
    ...     epochs=1,
    ...     model=lambda seed: phyvae.ShiftVAE(grid.patch_shape, seed=seed),
    ...     progress=False,
    ... )
    >>> list(found.maps)
    ['w = 0.1', 'w = 0.5']
    """
    named = named_settings(settings)
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
    starts = {seed: starting_model(model, seed, grid) for seed in {s.seed for s in named.values()}}
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
    for name, each in trainers.items():
        with _stopping(found, name):
            grids_to_train(each.model, each.objective, grid)
    call = described_call([grid], beta, steps_per_epoch)
    try:
        total = epochs * len(named)
        with tqdm(total=total, disable=silent(progress), unit="epoch", desc="sweep") as bar:
            for epoch in range(epochs):
                now = {n: betas[n][epoch] for n in named if n not in found.stopped}
                if now:
                    _epoch(found, now, steps_per_epoch, call)
                for name in now.keys() & found.stopped.keys():
                    why = f"Setting {name!r} stopped: {found.stopped[name]} The others go on."
                    warnings.warn(why, StoppedSettingWarning, stacklevel=3)
                bar.update(len(named))
    except KeyboardInterrupt:
        raise SweepInterrupted(found) from None
    _warn_of_collapse(found)
    return found


def _epoch(
    found: Sweep, betas: Mapping[str, float], steps: int | None, call: dict[str, Any]
) -> None:
    """Train each setting for an epoch; those that cannot go on become `stopped`."""

    def train(name: str) -> None:
        with _stopping(found, name):
            state, beta = found.trainers[name].state, betas[name]
            run_epoch(state, [found.grid], beta, steps, call | {"beta": repr(beta)})

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
            f"The latent maps of {len(collapsed)} of {len(shares)} settings carry no signal "
            f"yet. Of their variance there lies between patches: {', '.join(collapsed)}. "
            f"{advice_on(next(iter(found.models.values())), [found.grid])}",
            CollapsedMapsWarning,
            stacklevel=4,
        )
