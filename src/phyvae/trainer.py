"""The training loop, on CPU or CUDA, in one process or many."""

import copy
import math
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import fields
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from tqdm.auto import tqdm

from . import parallel
from ._given import as_integer, as_number, brief
from .checkpoint import AnyPath, begin, described_call, save_trainer
from .contents import described_trainer
from .epochs import Drawn, Tiles, Totals, draws
from .history import History
from .layout import Layout
from .models import PatchModel, adapt, check_patches
from .objective import ObjectiveParts, PhysicsObjective
from .patches import PatchGrid
from .posterior import Posterior
from .precision import Precision, dtype_of
from .schedules import Beta, as_schedule
from .tiles import sampler_of, steps_over

__all__ = ["Callback", "CollapsedMapsWarning", "NonFiniteLossError", "PhysicsTrainer"]

Callback = Callable[["PhysicsTrainer", int], None]
"""Called after every epoch with the trainer and the number of epochs trained so far."""
ADVICE = (
    "What is segmented from them may be mostly noise. Train longer (1000 to 2500 steps are "
    "usual), start from a smaller beta, check size and coordinate_scale of the patches against "
    "the lattice (phyvae.lattice_spacing), or lower strength. An image of one phase has no map."
)
"""What to do about maps that say nothing."""
State = tuple[dict[str, Any], dict[str, Any]]  # of model and optimiser


class NonFiniteLossError(RuntimeError):
    """The loss became NaN or infinite; the model was put back to its last good weights."""


class CollapsedMapsWarning(UserWarning):
    """Training ended with latent maps that do not stand out of their own uncertainty."""


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
    seed
        Seed of tiles, batches and latent noise.
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
        batch_size: int = 100,
        tile: int = 64,
        sites: int = 512,
        pixels: float | None = None,
        precision: Precision = "auto",
        compile: bool = False,
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
        if not isinstance(compile, bool):
            raise TypeError(f"compile={compile!r} must be True or False.")
        if not model.has_fast_path and (compile or precision == "bfloat16"):
            raise ValueError(
                f"compile={compile} and precision={precision!r}: only a ShiftVAE can be compiled "
                "or trained in bfloat16; leave them out."
            )
        self.model: PatchModel = model if device is None else model.to(device)
        self.objective = (objective or PhysicsObjective()).to(self.model.like.device)
        self.batch_size, self.tile, self.sites = batch_size, tile, sites
        self.pixels, self.seed = pixels, seed
        self.precision: Precision = precision
        self.compile = compile
        as_integer(seed, "seed", 0)
        # Bad values are refused here, not after an hour.
        as_integer(batch_size, "batch_size", 1, " patch")
        as_integer(tile, "tile", 2, " patches: physics needs neighbours")
        as_integer(sites, "sites", 1, " patch")
        wanted = dtype_of(precision, self.device)
        self._dtype = wanted if self.model.has_fast_path else self.model.like.dtype
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=lr, fused=True)
        self.epochs_done = 0
        self._rows: list[list[float]] = []
        self._warned_of_collapse = False

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
            Once per trainer, if at the end no latent map stands out of its own uncertainty: less
            than half of every content latent's variance lies between patches.
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
            call = None
            if checkpoint is not None or resume is not None:
                files = {"checkpoint": checkpoint, "resume": resume}
                call = begin(self, grids, epochs, beta, steps_per_epoch, **files)
        first = self.epochs_done if resume is None else 0
        done = self.epochs_done - first
        saves = {"checkpoint": checkpoint is not None, "every": every}
        self._start_alike(grids, epochs - done, beta, steps_per_epoch, saves)
        silent = not progress or parallel.rank() > 0
        with tqdm(total=epochs, initial=done, disable=silent, unit="epoch") as bar:
            for epoch in range(done + 1, epochs + 1):
                parts = self._epoch(grids, schedule(self.epochs_done), steps_per_epoch)
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
                            save_trainer(self, checkpoint, call)
        self._warn_of_collapse(grids)
        return self._history(first)

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
        self._start_alike(grids, 1, beta, steps_per_epoch, {})
        self._epoch(grids, beta, steps_per_epoch)

    def save(self, path: AnyPath) -> None:
        """Write all that training needs to go on to a file, at once or not at all.

        `phyvae.load_trainer` reads it, and ``fit(..., resume=path)`` goes on from it. It holds
        weights, the optimiser's state, all settings and the history; neither the patches nor the
        code of a loss of your own. A file that is there is replaced. Any process may call it, for
        all have the same to save.
        """
        save_trainer(self, path)

    @property
    def settings(self) -> dict[str, float | str]:
        """The constructor's settings, but for the device."""
        return {
            "lr": self.optimizer.defaults["lr"],
            "batch_size": self.batch_size,
            "tile": self.tile,
            "sites": self.sites,
            "pixels": self.pixels,
            "precision": self.precision,
            "compile": self.compile,
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
        self, grid: PatchGrid, *, beta: float = 1.0, seed: int = 0, batch_size: int = 256
    ) -> ObjectiveParts:
        """Return the parts of the objective over a whole grid; nothing is changed.

        Parameters
        ----------
        grid
            Patches to evaluate on, the training grid or another.
        beta
            Weight of the KL divergence; 1 gives the ELBO proper.
        seed
            Seed of the latent noise, one sample per patch.
        batch_size
            Patches decoded at a time.

        Returns
        -------
        ObjectiveParts
            Means per patch, with Ψ of the whole map.
        """
        check_patches(self.model, grid)
        beta = as_number(beta, "beta")
        as_integer(seed, "seed", 0)
        as_integer(batch_size, "batch_size", 1)
        model, indices = self.model, grid.indices
        generator = torch.Generator(self.device).manual_seed(seed)
        sums = torch.zeros(3, dtype=torch.float64)
        content = []
        for index in indices.split(batch_size):
            data = grid.data(index, model.like)
            posterior = model.posterior(data)
            terms = model.terms(data, posterior, beta, generator=generator)
            parts = torch.stack([*terms, model.floor(data).mean()])
            sums += len(index) * parts.double().cpu()
            content.append(posterior.mean[:, model.content])
        layout = Layout.of(grid).to(self.device)
        psi = self.objective.psi(layout.maps(torch.cat(content)), layout.mask, layout.graph)
        reconstruction, kl, floor = (sums / len(indices)).to(psi)
        return self.objective.combine(reconstruction, kl, floor, psi, beta).detach()

    # -- One epoch ---------------------------------------------------------------------------

    def _start_alike(
        self,
        grids: list[PatchGrid],
        epochs: int,
        beta: Beta,
        steps: int | None,
        saves: dict[str, int | None],
    ) -> None:
        """Refuse processes that would not train the same; give all the state of the first."""
        if parallel.world_size() == 1:
            return
        with parallel.together():
            schedule = as_schedule(beta)
            settings = {
                **described_trainer(self),
                **described_call(grids, beta, steps),
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
        started = time.perf_counter()
        self.objective.set_epoch(self.epochs_done)
        good, totals = self._state(), Totals(self.device)
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
            self.optimizer.step()
            totals.add(parts)
        numbers = totals.means()
        return self._finish([*numbers, time.perf_counter() - started], beta, good)

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

    def _state(self) -> State:
        return copy.deepcopy((self.model.state_dict(), self.optimizer.state_dict()))

    def _finish(self, numbers: list[float], beta: float, good: State) -> dict[str, float]:
        """Take note of an epoch, of its parts and seconds, or refuse it and go back."""
        numbers = parallel.mean_over_ranks(numbers)
        means = dict(zip((f.name for f in fields(ObjectiveParts)), numbers[:-1], strict=True))
        self._refuse_bad(means, good)
        # What a loss counts in its buffers is that of the first process, which saves it.
        parallel.broadcast(self._buffers(), self.device)
        means["beta"] = beta  # as it was given, not as float32 has it
        self.epochs_done += 1
        self._rows.append([self.epochs_done, *means.values(), numbers[-1]])
        return means

    def _refuse_bad(self, means: dict[str, float], good: State) -> None:
        """Raise if the epoch's numbers are not usable, with the weights of before it."""
        finite = all(map(math.isfinite, means.values()))
        if finite and means["psi"] >= 0:
            return
        self.model.load_state_dict(good[0])
        self.optimizer.load_state_dict(good[1])
        if finite:
            raise ValueError(
                f"{self.objective.physics!r} returned {means['psi']:.4g} on average, but a "
                "physics loss must be >= 0, or the product rewards a bad reconstruction; "
                "add a constant or square it."
            )
        last = self._history(self.epochs_done - 1) if self._rows else None
        before = (
            "none before it"
            if last is None
            else f"-ELBO {last.neg_elbo[0]:.4g}, KL {last.kl[0]:.4g}, Psi {last.psi[0]:.4g}"
        )
        raise NonFiniteLossError(
            f"The loss became NaN or infinite in epoch {self.epochs_done + 1} "
            f"({', '.join(f'{k} {v:.4g}' for k, v in means.items())}). Last finite epoch: "
            f"{before}. The weights of that epoch are kept; try a smaller lr or another "
            "physics loss."
        )

    def _warn_of_collapse(self, grids: Sequence[PatchGrid]) -> None:
        """Warn, once, if all content latents vary less between patches than they are uncertain."""
        if self._warned_of_collapse or parallel.rank() > 0:
            return
        shares = self._collapsed(grids)
        if shares:
            self._warned_of_collapse = True
            warnings.warn(
                f"The latent maps say nothing yet: {shares} of their variance lies between "
                f"patches, after {self.epochs_done} epochs. {ADVICE}",
                CollapsedMapsWarning,
                stacklevel=3,
            )

    @torch.no_grad()
    def _collapsed(self, grids: Sequence[PatchGrid]) -> str:
        """Return the share of each map's variance that lies between patches, or ""."""
        rng, found = np.random.default_rng(0), []
        for grid in grids:
            count = grid.count
            chosen = rng.integers(count, size=max(1, min(count, 1024) // len(grids)))
            data = grid.data(grid.indices[torch.from_numpy(chosen)], self.model.like)
            posterior = self.model.posterior(data)
            found.append((posterior.mean, posterior.std))
        mean, std = (torch.cat(parts) for parts in zip(*found, strict=True))
        signal = Posterior(mean, std).signal()[self.model.content].cpu()
        return "" if bool((signal >= 0.5).any()) else ", ".join(f"{s:.1%}" for s in signal)

    def _checked(self, grid: object) -> list[PatchGrid]:
        """Return the grids to train on, if the model can."""
        grids: list[Any] = list(grid) if isinstance(grid, list | tuple) else [grid]
        if not grids:
            raise ValueError("grid is an empty list; pass at least one PatchGrid.")
        for one in grids:
            check_patches(self.model, one)
        return grids

    def _history(self, first: int) -> History:
        columns = np.array(self._rows[first:], dtype=float).reshape(-1, len(fields(History))).T
        return History(*columns)


def _as_callbacks(callbacks: object) -> list[Callback]:
    """Return the callbacks as a list, which outlives the first epoch as an iterator does not."""
    if isinstance(callbacks, Iterable) and not callable(callbacks):
        listed = list(callbacks)
        if all(callable(callback) for callback in listed):
            return listed
    raise TypeError(
        f"callbacks={brief(callbacks)} must be a list of callables (trainer, epochs_done) -> "
        "None: [callback]."
    )


def _mixed(*numbers: int) -> int:
    """Return a seed of a seed, an epoch, a rank; neighbouring ones share nothing."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)
