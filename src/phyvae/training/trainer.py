"""The trainer: epochs of a physics-driven objective, on CPU or CUDA, in one process or many."""

from collections.abc import Iterable, Sequence
from functools import partial

import torch
from torch import nn
from tqdm.auto import tqdm

from .._checks import as_device, as_integer, brief
from ..compute import processes
from ..compute.determinism import check_deterministic
from ..compute.own_state import own_state
from ..compute.precision import Precision
from ..compute.progress import silent
from ..compute.threads import one_thread
from ..models import adapt
from ..patches.grid import PatchGrid
from ..saving.contents import AnyPath
from .agreement import start_alike
from .best_state import BestState
from .checkpoints import begin, described_call, kept_after_interrupt, save_alone
from .collapse import CollapseWatch, Watched
from .grids import grids_to_train
from .history import History
from .loop import planned_epochs, run_epoch, steps_in_epoch
from .objective import PhysicsObjective
from .options import Callback, as_callbacks, checked_options
from .record import TrainingRecord
from .schedules import Beta, as_schedule
from .state import TrainingState

__all__ = ["PhysicsTrainer"]


class PhysicsTrainer(TrainingRecord):
    """Train a model with a physics-driven objective.

    Parameters
    ----------
    model
        The VAE: a `ShiftVAE`, any pyroVED model (see `adapt`), or a `PatchModel` of your own. It
        is trained in place.
    objective
        The objective; ``None`` is the plain shift-invariant VAE.
    lr
        Learning rate of Adam, > 0. ``None`` is 2e-3, for batches of less than 100 patches in
        proportion less, since their gradients are noisier, and for patches of more than 288 px in
        inverse proportion, since −ELBO is a sum over pixels, which the same step changes more:
        1e-3 for patches of 24 x 24 px, 2.5e-4 for 48 x 48. Maps that `align` has found survive it;
        without `align`, 2e-3 learns large patches faster.
    warmup
        Steps over which the learning rate rises to `lr`, >= 0. Adam's very first steps are as
        long as its learning rate whatever the gradient, and can undo what `align` taught.
    batch_size
        Patches decoded in a step, by each process.
    tile
        Largest height and width, in patches, of the tile that is encoded in a step. Ψ is
        that of its map.
    sites
        Patches of a tile through which Ψ trains the encoder in a step, sampled anew in each. Ψ
        is that of the whole tile, and so is the expected gradient; fewer are faster and noisier.
    pixels
        Share of the pixels decoded in a step, in (0, 1]; sampled anew in each step, the same for
        all patches of the batch, and unbiased. Less is faster and noisier. The default is a
        fifth, but 100 to 288 pixels; all of them for a decoder of whole patches.
    precision
        Arithmetic of the hidden layers in training: ``"float32"``, ``"bfloat16"``, or
        ``"auto"``, bfloat16 where the processor has it natively. Weights, the decoder's output
        and the loss are float32 in any case, and so is all that is computed after training. Models
        other than `ShiftVAE` have float32.
    deterministic
        Whether the same seed gives the same bits on CUDA, too, on the same machine: training then
        takes torch's deterministic algorithms alone, which are slower, and puts torch's global
        setting back after each epoch. On the CPU the bits are the same in any case.
    seed
        Seed of tiles, batches and latent noise, 0 <= seed < 2**63.
    device
        Where to train, for example ``"cuda"``; the model is moved there. ``None`` stays with the
        model, whose own `device` is CUDA by default if there is any.

    enumerate_parallel
        An option of pyroVED's trainer, for `None` alone: classes are summed over in any case.

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
        lr: float | None = None,
        warmup: int = 300,
        batch_size: int = 100,
        tile: int = 64,
        sites: int = 512,
        pixels: float | None = None,
        precision: Precision = "auto",
        deterministic: bool = False,
        seed: int = 0,
        device: torch.device | str | None = None,
        enumerate_parallel: None = None,
    ) -> None:
        if enumerate_parallel is not None:
            raise ValueError(
                f"enumerate_parallel={brief(enumerate_parallel)}: the classes of a jiVAE or an "
                "ssiVAE are summed over in any case, and no other model has any; leave it out."
            )
        model = adapt(model)
        if objective is not None and not isinstance(objective, PhysicsObjective):
            raise TypeError(
                f"objective={objective!r} must be a PhysicsObjective or None: "
                "PhysicsObjective(loss, w=0.1)."
            )
        where = model.like.device if device is None else as_device(device)
        if where.type == "meta":
            raise ValueError("model is on the meta device, so it has no weights; model.to('cpu').")
        if deterministic is True:
            check_deterministic(where)
        options = checked_options(
            model,
            pixels=pixels,
            lr=lr,
            warmup=warmup,
            batch_size=batch_size,
            tile=tile,
            sites=sites,
            precision=precision,
            deterministic=deterministic,
            seed=seed,
        )
        model = model if device is None else model.to(where)
        objective = (objective or PhysicsObjective()).to(model.like.device)
        optimizer = torch.optim.Adam(model.parameters(), lr=options.lr, fused=True)
        super().__init__(TrainingState(model, objective, optimizer, options))
        self._collapse = CollapseWatch()

    @own_state(grad=True)
    def fit(
        self,
        grid: PatchGrid | Sequence[PatchGrid],
        epochs: int | None = None,
        *,
        steps: int | None = None,
        test_grid: PatchGrid | Sequence[PatchGrid] | None = None,
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
        steps
            Number of steps instead, >= 1; 1000 to 2500 are usual, whatever the size of the grid.
            The last epoch may be shorter than the others. Several processes share them. A schedule
            of β counts epochs all the same: see `beta`.
        test_grid
            Patches held out, one grid or several; they change no weight. The objective on them
            after each epoch, `evaluate` at its β, is in ``trainer.loss_history["test_loss"]``.
        beta
            Weight of the KL divergence: a number, a schedule, or any ``epoch -> float``. Epochs
            are counted from 0 at the first epoch of the trainer. By default their length depends
            on the grid, so with `steps` a schedule needs `steps_per_epoch`, to end when it should
            on any grid: ``fit(grid, steps=1000, steps_per_epoch=20, beta=LinearBeta(0.1, 1.0,
            epochs=50))``.
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
            File to go on from, with this trainer's settings, grid and β. `epochs` or `steps` then
            counts those in the file, too, so the same call finishes a run that was killed: on the
            CPU of the same machine, with the bits of a run that was not. If `checkpoint` is the
            same path, the file may be missing yet. Every process reads the file. Their number may
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
        LostMapsWarning
            If training made the maps worse than the best state of this call, its beginning
            included: −ELBO rose beyond its noise, or neighbouring patches, of which no two share
            a pixel, have less in common in the maps. The model is then that of the best state
            again, with a quarter of the learning rate. Looked at ten times on the way and at the
            end, on the same patches and noise each time; at most three returns on the way.
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
        with processes.together():
            grids, held_out = grids_to_train(self.model, self.objective, grid, test_grid)
            for name, value in {"steps_per_epoch": steps_per_epoch, "every": every}.items():
                if value is not None:
                    as_integer(value, name, 1)
            if every is not None and checkpoint is None:
                raise ValueError(f"every={every} needs checkpoint=path, the file to save to.")
            each = steps_in_epoch(self.state, grids, steps_per_epoch)
            plan = partial(planned_epochs, epochs, steps, each)
            left = plan()
            schedule, callbacks = as_schedule(beta), as_callbacks(callbacks)
            call = described_call(grids, beta, steps_per_epoch)
            if checkpoint is not None or resume is not None:
                begin(self.state, call, plan, beta, checkpoint=checkpoint, resume=resume)
        first = self.epochs_done
        if resume is not None:
            left = plan(epochs_done=first, steps_done=self.state.steps_done)
            first = 0
        done = self.epochs_done - first
        epochs = done + len(left)
        saves = {"checkpoint": checkpoint is not None, "every": every, "steps": steps}
        start_alike(self.state, call, len(left), beta, saves)
        begun, mute = self.epochs_done, silent(progress)
        if resume is None:
            self.state.best = None
        keeper = BestState(self.state, grids, len(left))
        watch = Watched(grids, len(left), each)
        try:
            small = self.state.options.has_small_steps(self.model)
            with (
                one_thread(small=small),
                tqdm(total=epochs, initial=done, disable=mute, unit="epoch", desc="train") as bar,
            ):
                for epoch, count in enumerate(left, done + 1):
                    now = schedule(self.epochs_done)
                    parts = run_epoch(self.state, grids, now, count, call, held_out)
                    keeper.look(now, last=epoch == epochs)
                    bar.set_postfix(
                        {"−ELBO": f"{parts['neg_elbo']:.2f}", "Ψ": f"{parts['psi']:.3f}"}
                        | {"β": f"{parts['beta']:.3g}"},
                        refresh=False,
                    )
                    bar.update()
                    for callback in callbacks:
                        callback(self, self.epochs_done)
                    if checkpoint is not None and (epoch % (every or 1) == 0 or epoch == epochs):
                        save_alone(self.state, checkpoint)
                    self._collapse.look(self.state, watch, epoch - done)
        except KeyboardInterrupt as stop:
            stop.add_note(kept_after_interrupt(self.state, begun, checkpoint))
            raise
        return self.state.history(first)

    @own_state(grad=True)
    def step(
        self,
        grid: PatchGrid | Sequence[PatchGrid],
        test_grid: PatchGrid | Sequence[PatchGrid] | None = None,
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
        test_grid, steps_per_epoch
            As for `fit`.
        """
        with processes.together():
            grids, held_out = grids_to_train(self.model, self.objective, grid, test_grid)
            if steps_per_epoch is not None:
                as_integer(steps_per_epoch, "steps_per_epoch", 1)
            beta = as_schedule(scale_factor, "scale_factor")(self.epochs_done)
            call = described_call(grids, beta, steps_per_epoch)
        start_alike(self.state, call, 1, beta, {})
        run_epoch(self.state, grids, beta, steps_per_epoch, call, held_out)
