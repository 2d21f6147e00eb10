"""The training loop, on CPU or CUDA, in one process or many."""

import copy
import math
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm.auto import tqdm

from . import parallel
from ._given import as_device, as_integer, as_number, as_seed, brief, check_takes
from .checkpoint import AnyPath, begin, described_call, save_trainer
from .collapse import CollapseWatch
from .contents import described_trainer
from .determinism import check_deterministic, deterministically
from .epochs import Drawn, Tiles, Totals, draws
from .history import History
from .layout import Layout
from .models import PatchModel, adapt, at_rest, check_patches
from .objective import ObjectiveParts, PhysicsObjective
from .patches import PatchGrid
from .precision import Precision, dtype_of
from .schedules import Beta, as_schedule
from .tiles import sampler_of, steps_over
from .warmup import Warmup

__all__ = ["Callback", "NonFiniteLossError", "PhysicsTrainer"]

Callback = Callable[["PhysicsTrainer", int], None]
"""Called after every epoch with the trainer and the number of epochs trained so far."""
_HALF_TIME = 1000  # steps; fewer say nothing of whether a map will form


@dataclass(frozen=True)
class _State:
    """All that training changes, copied."""

    model: dict[str, Any]
    objective: dict[str, Any]
    optimizer: dict[str, Any]
    epochs_done: int


class NonFiniteLossError(RuntimeError):
    """The loss became NaN or infinite; the model was put back to its last good weights."""


class PhysicsTrainer:
    """Train a model with a physics-driven objective.

    Parameters
    ----------
    model
        The VAE: a `ShiftVAE`, any pyroVED model (see `adapt`), or a `PatchModel` of your own. It
        is trained in place.
    objective
        The objective; ``None`` is the plain shift-invariant VAE.
    lr
        Learning rate of Adam, > 0.
    warmup
        Steps over which the learning rate rises to `lr`, >= 0. Adam's very first steps are as
        long as its learning rate whatever the gradient, and can undo what `align` taught.
    batch_size
        Patches decoded in a step, by each process.
    tile
        Largest height and width, in patches, of the tile that is encoded in a step. Its map is
        what the physics sees.
    sites
        Patches of a tile through which Ψ trains the encoder in a step, drawn anew in each. Ψ is
        that of the whole tile, and so is the expected gradient; fewer are faster and noisier.
    pixels
        Share of the pixels decoded in a step, in (0, 1]; drawn anew in each step, the same for
        all patches of the batch, and unbiased. Less is faster and noisier. The default is a
        fifth, but no fewer than 100 pixels; and all of them for a decoder that does not draw
        pixel by pixel.
    precision
        Arithmetic of the hidden layers in training: ``"float32"``, ``"bfloat16"``, or
        ``"auto"``, bfloat16 where the processor has it natively. Weights, the decoder's output
        and the loss are float32 in any case, and so is all that is computed after training. Models
        other than `ShiftVAE` have float32.
    compile
        Whether torch.compile translates the decoder's hidden layers: it takes some ten seconds at
        the first step of a process, so it pays for long runs. Where it fails, for want of a C++
        compiler for example, there is one `CompileWarning`, and training goes on without.
    deterministic
        Whether the same seed gives the same bits on CUDA, too, on the same machine: training then
        takes torch's deterministic algorithms alone, which are slower, and puts torch's global
        setting back after each epoch. On the CPU the bits are the same in any case.
    seed
        Seed of tiles, batches and latent noise, 0 <= seed < 2**63.
    device
        Where to train, for example ``"cuda"``; the model is moved there. ``None`` stays with the
        model.

    Attributes
    ----------
    model : PatchModel
        The model; a pyroVED model, adapted, is ``model.vae``.
    epochs_done : int
        Epochs trained so far.
    history : History
        All epochs so far.

    Notes
    -----
    Under ``torchrun``, after `phyvae.init_distributed` or ``init_process_group``, all processes
    share the steps of each epoch and average their gradients in each step, so a step decodes
    `batch_size` patches per process, an epoch has fewer steps, and all end with the same weights.

    Examples
    --------
    >>> import phyvae
    >>> phantom = phyvae.phantoms.bfo(seed=0)
    >>> grid = phyvae.PatchGrid(phantom.image, size=24, step=24)
    >>> model = phyvae.ShiftVAE(grid.patch_shape, seed=0)
    >>> objective = phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.1)
    >>> trainer = phyvae.PhysicsTrainer(model, objective, seed=0)
    >>> history = trainer.fit(grid, epochs=2, progress=False)
    >>> len(history)
    2
    """

    def __init__(
        self,
        model: nn.Module,
        objective: PhysicsObjective | None = None,
        *,
        lr: float = 2e-3,
        warmup: int = 300,
        batch_size: int = 100,
        tile: int = 64,
        sites: int = 512,
        pixels: float | None = None,
        precision: Precision = "auto",
        compile: bool = False,
        deterministic: bool = False,
        seed: int = 0,
        device: torch.device | str | None = None,
    ) -> None:
        model = adapt(model)
        if objective is not None and not isinstance(objective, PhysicsObjective):
            raise TypeError(
                f"objective={objective!r} must be a PhysicsObjective or None: "
                "PhysicsObjective(loss, w=0.1)."
            )
        if not 0 < as_number(lr, "lr") < math.inf:
            raise ValueError(f"lr={lr} must be > 0 and finite.")
        if pixels is None:
            share = min(1.0, max(0.2, 100 / math.prod(model.patch_shape)))
            pixels = share if model.decodes_pixels else 1.0
        if not 0 < as_number(pixels, "pixels") <= 1:
            raise ValueError(f"pixels={pixels} is a share and must lie in (0, 1].")
        if pixels < 1 and not model.decodes_pixels:
            raise ValueError(
                f"pixels={pixels}, but this model's decoder draws whole patches; leave pixels out."
            )
        for name, value in (("compile", compile), ("deterministic", deterministic)):
            if not isinstance(value, bool):
                raise TypeError(f"{name}={brief(value)} must be True or False.")
        if not model.has_fast_path and (compile or precision == "bfloat16"):
            raise ValueError(
                f"compile={compile} and precision={precision!r}: only a ShiftVAE can be compiled "
                "or trained in bfloat16; leave them out."
            )
        as_seed(seed)
        # Bad values are refused here, not after an hour.
        as_integer(batch_size, "batch_size", 1, " patch")
        as_integer(tile, "tile", 2, " patches: physics needs neighbours")
        as_integer(sites, "sites", 1, " patch")
        as_integer(warmup, "warmup", 0)
        where = model.like.device if device is None else as_device(device)
        if where.type == "meta":
            raise ValueError("model is on the meta device, so it has no weights; model.to('cpu').")
        if deterministic:
            check_deterministic(where)
        self.model: PatchModel = model if device is None else model.to(where)
        self.objective = (objective or PhysicsObjective()).to(self.model.like.device)
        self.batch_size, self.tile, self.sites = batch_size, tile, sites
        self.pixels, self.seed, self.warmup = pixels, seed, warmup
        self.precision: Precision = precision
        self.compile, self.deterministic = compile, deterministic
        wanted = dtype_of(precision, self.device)
        self._dtype = wanted if self.model.has_fast_path else self.model.like.dtype
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr, fused=True)
        self.epochs_done = 0
        self._rows: list[list[float]] = []
        self._collapse = CollapseWatch()
        self._call: dict[str, Any] | None = None  # what the last epoch was trained on

    @property
    def device(self) -> torch.device:
        """Where the model is, and is trained."""
        return self.model.like.device

    # -- Training ----------------------------------------------------------------------------

    def fit(
        self,
        grid: PatchGrid | Sequence[PatchGrid],
        epochs: int,
        *,
        beta: Beta = 1.0,
        steps_per_epoch: int | None = None,
        callbacks: Iterable[Callback] = (),
        progress: bool = True,
        checkpoint: AnyPath | None = None,
        every: int | None = None,
        resume: AnyPath | None = None,
    ) -> History:
        """Train for some epochs; a further call goes on from there.

        Parameters
        ----------
        grid
            Patches to learn from; of a list of grids, as `PatchGrid.series` makes, those of all.
            The physics then sees the maps of one at a time.
        epochs
            Number of epochs, >= 1.
        beta
            Weight of the KL divergence: a number, a schedule, or any ``epoch -> float``. Epochs
            are counted from 0 at the first epoch of the trainer.
        steps_per_epoch
            Steps in an epoch. By default an epoch decodes as many patches as the grid has. Several
            processes share them, each taking equally many, rounded up.
        callbacks
            Called after every epoch as ``callback(trainer, epochs_done)``, in every process.
        progress
            Whether to show a progress bar; of several processes, the first one does.
        checkpoint
            File to save the trainer to, after the callbacks of an epoch and at the end. A trainer
            that has not begun does not replace a file. Of several processes, the first one writes
            it while the others wait.
        every
            Epochs from save to save, >= 1; by default 1.
        resume
            File to go on from, with this trainer's settings, grid and β. `epochs` then counts the
            epochs in the file, too, so the same call finishes a run that was killed: on the CPU
            of the same machine, with the bits of a run that was not. If `checkpoint` is the same
            path, the file may be missing yet. Every process reads the file. Their number may
            change, but then so do the bits.

        Returns
        -------
        History
            The epochs of this call; with `resume`, all epochs. Means over all processes.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C, with weights, optimiser and history of the last whole epoch, which
            `checkpoint`, if given, then holds, too (of several processes none saves). A further
            call goes on from there, and to the same bits.
        CheckpointError
            If the file to go on from is damaged, or one of another run.
        FileExistsError
            If `checkpoint` would replace a file without going on from it.
        NonFiniteLossError
            If the loss becomes NaN or infinite, in whichever process. The weights are put back to
            the last good epoch.
        RuntimeError
            If another process refused its arguments, or could not save.
        TypeError, ValueError
            If an argument is of the wrong kind or out of its range, or not that of the other
            processes; before any training.

        Warns
        -----
        CollapsedMapsWarning
            Once per trainer, if no latent map stands out of its own uncertainty: less than half
            of every content latent's variance lies between patches. Looked at ten times on the
            way; reported at once of maps that did stand out, else at half time, after 1000 steps
            or more, or at the end.

        Notes
        -----
        An epoch counts as a whole or not at all: after an error in it, or Ctrl-C, all is as it
        was before it. An error of a callback leaves the epoch before it as it is.
        """
        with parallel.together():
            grids = self._checked(grid)
            as_integer(epochs, "epochs", 1)
            if steps_per_epoch is not None:
                as_integer(steps_per_epoch, "steps_per_epoch", 1)
            if every is not None:
                as_integer(every, "every", 1)
            if every is not None and checkpoint is None:
                raise ValueError(f"every={every} needs checkpoint=path, the file to save to.")
            schedule, callbacks = as_schedule(beta), _as_callbacks(callbacks)
            call = described_call(grids, beta, steps_per_epoch)
            if checkpoint is not None or resume is not None:
                begin(self, call, epochs, beta, checkpoint=checkpoint, resume=resume)
        first = self.epochs_done if resume is None else 0
        done = self.epochs_done - first
        saves = {"checkpoint": checkpoint is not None, "every": every}
        self._start_alike(call, epochs - done, beta, saves)
        begun = self.epochs_done

        def save() -> None:
            if checkpoint is not None:
                save_trainer(self, checkpoint)

        silent = not progress or parallel.rank() > 0
        try:
            with tqdm(total=epochs, initial=done, disable=silent, unit="epoch") as bar:
                for epoch in range(done + 1, epochs + 1):
                    parts = self._epoch(grids, schedule(self.epochs_done), steps_per_epoch)
                    self._call = call
                    bar.set_postfix(
                        {"−ELBO": f"{parts['neg_elbo']:.2f}", "Ψ": f"{parts['psi']:.3f}"}
                        | {"β": f"{parts['beta']:.3g}"},
                        refresh=False,
                    )
                    bar.update()
                    for callback in callbacks:
                        callback(self, self.epochs_done)
                    if checkpoint is not None and (epoch % (every or 1) == 0 or epoch == epochs):
                        with parallel.together():
                            if parallel.rank() == 0:
                                save()
                    self._watch(grids, steps_per_epoch, epoch - done, epochs - done)
        except KeyboardInterrupt as stop:
            stop.add_note(self._kept(begun, None if checkpoint is None else save))
            raise
        return self._history(first)

    def _kept(self, begun: int, save: Callable[[], None] | None) -> str:
        """Save what an interrupted call of `fit` has trained; return what there is, in words."""
        kept = (
            f"Training ended after {self.epochs_done} epochs: the model has the weights of the "
            "last, trainer.history has all of them, and a further call of fit goes on."
        )
        # Of several processes each is somewhere else, and none may wait for another.
        if save is None or self.epochs_done == begun or parallel.world_size() > 1:
            return kept
        save()
        return f"{kept} The checkpoint has them, too."

    def step(
        self,
        grid: PatchGrid | Sequence[PatchGrid],
        *,
        scale_factor: float = 1.0,
        steps_per_epoch: int | None = None,
    ) -> None:
        """Train one epoch, in the manner of pyroVED's trainers.

        Parameters
        ----------
        grid
            Patches to learn from.
        scale_factor
            β, the weight of the KL divergence, under pyroVED's name.
        steps_per_epoch
            As for `fit`.
        """
        with parallel.together():
            grids = self._checked(grid)
            if steps_per_epoch is not None:
                as_integer(steps_per_epoch, "steps_per_epoch", 1)
            beta = as_schedule(scale_factor, "scale_factor")(self.epochs_done)
            call = described_call(grids, beta, steps_per_epoch)
        self._start_alike(call, 1, beta, {})
        self._epoch(grids, beta, steps_per_epoch)
        self._call = call

    def save(self, path: AnyPath) -> None:
        """Write all that training needs to go on to a file, at once or not at all.

        `phyvae.load_trainer` reads it, and ``fit(..., resume=path)`` goes on from it. It holds
        weights, the optimiser's state, all settings, the history and a fingerprint of the
        patches; neither the patches nor the code of a loss of your own. A file that is there is
        replaced. Any process may call it, for all have the same to save.
        """
        save_trainer(self, path)

    @property
    def settings(self) -> dict[str, float | str]:
        """The constructor's settings, but for the device."""
        return {
            "lr": self.optimizer.defaults["lr"],
            "warmup": self.warmup,
            "batch_size": self.batch_size,
            "tile": self.tile,
            "sites": self.sites,
            "pixels": self.pixels,
            "precision": self.precision,
            "compile": self.compile,
            "deterministic": self.deterministic,
            "seed": self.seed,
        }

    def print_statistics(self) -> None:
        """Print the parts of the last epoch; of several processes, the first one does."""
        if parallel.rank() > 0:
            return
        if not self._rows:
            print("No epoch trained yet.")  # noqa: T201 - printing is what it is for
            return
        last = self._history(self.epochs_done - 1)
        print(  # noqa: T201
            f"Epoch: {self.epochs_done} Training loss: {last.loss[0]:.4f}, "
            f"-ELBO: {last.neg_elbo[0]:.4f}, Psi: {last.psi[0]:.4f}, beta: {last.beta[0]:.3g}"
        )

    @property
    def history(self) -> History:
        """All epochs so far."""
        return self._history(0)

    @property
    def loss_history(self) -> dict[str, list[float]]:
        """Loss per epoch as a dictionary, in the manner of pyroVED's trainers."""
        history = self.history
        return {
            "training_loss": history.loss.tolist(),
            "neg_elbo": history.neg_elbo.tolist(),
            "psi": history.psi.tolist(),
        }

    # -- Evaluation --------------------------------------------------------------------------

    @torch.no_grad()
    def evaluate(
        self,
        grid: PatchGrid | Sequence[PatchGrid],
        *,
        beta: float = 1.0,
        seed: int = 0,
        batch_size: int = 256,
    ) -> ObjectiveParts:
        """Return the parts of the objective over whole grids; nothing is changed.

        Parameters
        ----------
        grid
            Patches to evaluate on, those of the training or others; of a list of grids, all.
        beta
            Weight of the KL divergence; 1 gives the ELBO proper.
        seed
            Seed of the latent noise, one sample per patch.
        batch_size
            Patches decoded at a time.

        Returns
        -------
        ObjectiveParts
            Means per patch, with Ψ of the whole map; of several grids, Ψ is the mean of their
            maps', each counting as its patches do.
        """
        grids = _listed(grid)
        for one in grids:
            check_patches(self.model, one)
        beta = as_schedule(as_number(beta, "beta"))(self.epochs_done)
        as_seed(seed)
        as_integer(batch_size, "batch_size", 1)
        generator = torch.Generator(self.device).manual_seed(seed)
        sums = torch.zeros(4, dtype=torch.float64)
        for one in grids:
            sums += self._summed(one, beta, generator, batch_size)
        reconstruction, kl, floor, psi = (sums / sum(one.count for one in grids)).to(
            self.model.like
        )
        return self.objective.combine(reconstruction, kl, floor, psi, beta).detach()

    def _summed(
        self, grid: PatchGrid, beta: float, generator: torch.Generator, batch_size: int
    ) -> Float[Tensor, "4"]:
        """Return reconstruction, KL, floor and Ψ of a grid, times its patches."""
        model = self.model
        sums = torch.zeros(3, dtype=torch.float64)
        content = []
        with at_rest(model):
            for index in grid.indices.split(batch_size):
                data = grid.data(index, model.like)
                posterior = model.posterior(data)
                terms = model.terms(data, posterior, beta, generator=generator)
                parts = torch.stack([*terms, model.floor(data).mean()])
                sums += len(index) * parts.double().cpu()
                content.append(posterior.mean[:, model.content])
        layout = Layout.of(grid).to(self.device)
        psi = self.objective.psi(layout.maps(torch.cat(content)), layout.mask, layout.graph)
        return torch.cat([sums, grid.count * psi.double().cpu()[None]])

    # -- One epoch ---------------------------------------------------------------------------

    def _start_alike(
        self,
        call: dict[str, Any],
        epochs: int,
        beta: Beta,
        saves: dict[str, int | None],
    ) -> None:
        """Refuse processes that would not train the same; give all the state of the first."""
        if parallel.world_size() == 1:
            return
        with parallel.together():
            schedule = as_schedule(beta)
            settings = {
                **described_trainer(self),
                **call,
                # A function has no repr that two processes share.
                "beta": [schedule(self.epochs_done + epoch) for epoch in range(epochs)],
                "epochs": epochs,
                "epochs_done": self.epochs_done,
                "device": self.device.type,
                **saves,  # or one would wait for another's save
            }
        parallel.agree(settings)
        states = [self.optimizer.state.get(p, {}) for p in self.model.parameters()]
        adam = [state[name] for state in states for name in sorted(state)]
        weights = [*self.model.parameters(), *self._buffers()]
        parallel.broadcast([*weights, *adam], self.device)

    def _buffers(self) -> list[Tensor]:
        return [*self.model.buffers(), *self.objective.buffers()]

    def _epoch(
        self, grids: Sequence[PatchGrid], beta: float, steps: int | None
    ) -> dict[str, float]:
        """Train an epoch, or be as before."""
        started, good = time.perf_counter(), self._state()
        try:
            with deterministically(self.deterministic):
                numbers = self._steps(grids, beta, steps)
            return self._finish([*numbers, time.perf_counter() - started], beta, good)
        except BaseException:
            self._go_back(good)
            raise

    def _steps(self, grids: Sequence[PatchGrid], beta: float, steps: int | None) -> list[float]:
        """Take the steps of an epoch; return what `Totals.means` does."""
        self.objective.set_epoch(self.epochs_done)
        totals = Totals(self.device)
        adam = Warmup(self.optimizer, self.warmup)
        for drawn in self._draws(Tiles(grids, self.model.like), steps):
            self.optimizer.zero_grad(set_to_none=True)
            parts = self.objective.backward(
                self.model,
                drawn.tile,
                drawn.layout,
                drawn.batch,
                sites=drawn.sites,
                beta=beta,
                generator=drawn.generator,
                pixels=drawn.pixels,
                dtype=self._dtype,
                compiled=self.compile,
            )
            parallel.average_gradients(self.model.parameters())
            adam.step()
            totals.add(parts)
        return totals.means()

    def _draws(self, tiles: Tiles, steps: int | None) -> Iterator[Drawn]:
        """Return what the steps of the next epoch are made of."""
        rank, ranks = parallel.rank(), parallel.world_size()
        samplers = [
            sampler_of(grid, self.batch_size, self.tile, self.sites) for grid in tiles.grids
        ]
        seed = _mixed(self.seed, self.epochs_done)
        # Each process has noise of its own, the first one that of a process alone.
        own = _mixed(self.seed, self.epochs_done, rank) if rank else seed
        drawn = steps_over(samplers, seed, steps, rank=rank, ranks=ranks)
        if not self.objective.needs_map:
            drawn = (step.without_neighbours() for step in drawn)
        return draws(tiles, drawn, self.pixels, own)

    def _state(self) -> _State:
        parts = self.model.state_dict(), self.objective.state_dict(), self.optimizer.state_dict()
        return _State(*copy.deepcopy(parts), self.epochs_done)

    def _go_back(self, state: _State) -> None:
        self.model.load_state_dict(state.model)
        self.objective.load_state_dict(state.objective)
        self.optimizer.load_state_dict(state.optimizer)
        self.epochs_done = state.epochs_done
        del self._rows[state.epochs_done :]

    def _finish(self, numbers: list[float], beta: float, good: _State) -> dict[str, float]:
        """Take note of an epoch, of its totals and seconds, or refuse it and go back."""
        *numbers, negative, rewarded, seconds = parallel.mean_over_ranks(numbers)
        means = dict(zip((f.name for f in fields(ObjectiveParts)), numbers, strict=True))
        try:
            self._refuse_bad(means, negative, rewarded)
        except (NonFiniteLossError, ValueError):
            self._go_back(good)
            raise
        # What a loss counts in its buffers is that of the first process, which saves it.
        parallel.broadcast(self._buffers(), self.device)
        means["beta"] = beta  # as it was given, not as float32 has it
        self.epochs_done += 1
        self._rows.append([self.epochs_done, *means.values(), seconds])
        return means

    def _refuse_bad(self, means: dict[str, float], negative: float, rewarded: float) -> None:
        """Raise an error if the epoch's numbers are not usable.

        `negative` is the share of steps with Ψ < 0, `rewarded` that with a negative product.
        """
        finite = all(map(math.isfinite, means.values()))
        if finite and negative > 0:
            raise ValueError(
                f"{self.objective.physics!r} was negative in {negative:.0%} of the steps "
                f"({means['psi']:.4g} on average), but a physics loss must be >= 0, or the "
                "product rewards a bad reconstruction; add a constant or square it."
            )
        if finite and rewarded > 0 and self.objective.coupling == "product":
            raise ValueError(
                f"−ELBO, measured from its floor, was negative in {rewarded:.0%} of the steps "
                f"({means['neg_elbo']:.4g} nats, with a floor of {means['floor']:.4g}, on "
                'average), so coupling="product" would reward Ψ; take coupling="balanced", or a '
                "broader distribution (decoder_sig, reg_sig)."
            )
        if finite:
            return
        last = self._history(self.epochs_done - 1) if self._rows else None
        before = (
            "There was none before it, and the model is as it was"
            if last is None
            else f"Last finite epoch: -ELBO {last.neg_elbo[0]:.4g}, KL {last.kl[0]:.4g}, "
            f"Psi {last.psi[0]:.4g}; its weights are kept"
        )
        raise NonFiniteLossError(
            f"The loss became NaN or infinite in epoch {self.epochs_done + 1} "
            f"({', '.join(f'{k} {v:.4g}' for k, v in means.items())}). {before}. Try a smaller "
            "lr, or look for a NaN in a physics loss of your own: "
            "phyvae.testing.check_physics_loss(loss)."
        )

    def _watch(
        self, grids: Sequence[PatchGrid], steps: int | None, epoch: int, epochs: int
    ) -> None:
        """Look at the maps ten times in a call of `fit`, until they were warned of."""
        if self._collapse.warned or parallel.rank() > 0:
            return
        last = epoch == epochs
        if not last and epoch % max(1, epochs // 10):
            return
        taken = epoch * self._steps_per_epoch(grids, steps)
        self._collapse.look(
            self.model,
            grids,
            epochs_done=self.epochs_done,
            kl=float(self._history(self.epochs_done - 1).kl[0]),
            late=2 * epoch >= epochs and taken >= _HALF_TIME,
            last=last,
        )

    def _steps_per_epoch(self, grids: Sequence[PatchGrid], steps: int | None) -> int:
        if steps is not None:
            return steps
        samplers = (sampler_of(grid, self.batch_size, self.tile, self.sites) for grid in grids)
        return sum(sampler.steps_per_epoch() for sampler in samplers)

    def _checked(self, grid: object) -> list[PatchGrid]:
        """Return the grids to train on, if the model can."""
        grids = _listed(grid)
        for one in grids:
            check_patches(self.model, one)
        self.model.check_training(grids)
        self.objective.check(self.model)
        return grids

    def _history(self, first: int) -> History:
        columns = np.array(self._rows[first:], dtype=float).reshape(-1, len(fields(History))).T
        return History(*columns)


def _listed(grid: object) -> list[Any]:
    """Return the grids, one or several, as a list."""
    grids = list(grid) if isinstance(grid, list | tuple) else [grid]
    if not grids:
        raise ValueError("grid is an empty list; pass at least one PatchGrid.")
    return grids


def _as_callbacks(callbacks: object) -> list[Callback]:
    """Return the callbacks as a list, which outlives the first epoch as an iterator does not."""
    if isinstance(callbacks, Iterable) and not callable(callbacks):
        listed = list(callbacks)
        if all(callable(callback) for callback in listed):
            for callback in listed:
                check_takes(callback, (None, 1), "callback", "(trainer, epochs_done) -> None")
            return listed
    raise TypeError(
        f"callbacks={brief(callbacks)} must be a list of callables (trainer, epochs_done) -> "
        "None: [callback]."
    )


def _mixed(*numbers: int) -> int:
    """Return a seed of a seed, an epoch, a rank; neighbouring ones share nothing."""
    # Python's own integer: NumPy 1 has no shift of an unsigned one by a signed one.
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0]) >> 1
