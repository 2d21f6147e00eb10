"""The record of a training: its parts, its history, its file, its objective over whole grids."""

from collections.abc import Sequence
from dataclasses import asdict

import torch

from .._checks import as_integer, as_number, as_seed
from ..compute import processes
from ..compute.own_state import own_state
from ..models import PatchModel
from ..patches.grid import PatchGrid
from ..saving.contents import AnyPath
from .checkpoints import save_training
from .epoch import evaluated
from .grids import grids_to_encode
from .history import History
from .objective import PhysicsObjective
from .parts import ObjectiveParts
from .schedules import as_schedule
from .state import TrainingState

__all__ = ["TrainingRecord"]


class TrainingRecord:
    """Access to the state of a training, also under the names of pyroVED's trainers."""

    def __init__(self, state: TrainingState) -> None:
        self.state = state

    def __repr__(self) -> str:
        model = type(getattr(self.model, "vae", self.model)).__name__
        return f"{type(self).__name__}({model}, {self.objective!r}, {self.epochs_done} epochs)"

    @property
    def model(self) -> PatchModel:
        """The model; a pyroVED model, adapted, is ``model.vae``."""
        return self.state.model

    @property
    def objective(self) -> PhysicsObjective:
        """The objective."""
        return self.state.objective

    @property
    def optimizer(self) -> torch.optim.Optimizer:
        """The optimiser."""
        return self.state.optimizer

    @optimizer.setter
    def optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        self.state.optimizer = optimizer

    @property
    def device(self) -> torch.device:
        """The device of the model, and of its training."""
        return self.model.like.device

    @property
    def settings(self) -> dict[str, float | str]:
        """The constructor's settings, but for the device."""
        return asdict(self.state.options)

    @property
    def epochs_done(self) -> int:
        """Epochs trained so far."""
        return self.state.epochs_done

    @property
    def history(self) -> History:
        """All epochs so far."""
        return self.state.history()

    @property
    def loss_history(self) -> dict[str, list[float]]:
        """Loss per epoch as a dictionary, in the manner of pyroVED's trainers.

        ``"test_loss"`` is that of the epochs that had a `test_grid`.
        """
        history = self.history
        return {
            "training_loss": history.loss.tolist(),
            "test_loss": list(self.state.test_losses),
            "neg_elbo": history.neg_elbo.tolist(),
            "psi": history.psi.tolist(),
        }

    def print_statistics(self) -> None:
        """Print the parts of the last epoch; of several processes, the first one does."""
        if processes.rank() > 0:
            return
        if not self.epochs_done:
            print("No epoch trained yet.")  # noqa: T201 - its purpose
            return
        last, tests = self.state.history(self.epochs_done - 1), self.state.test_losses
        tested = f"Test loss: {tests[-1]:.4f}, " if tests else ""
        print(  # noqa: T201
            f"Epoch: {self.epochs_done} Training loss: {last.loss[0]:.4f}, {tested}"
            f"-ELBO: {last.neg_elbo[0]:.4f}, Psi: {last.psi[0]:.4f}, beta: {last.beta[0]:.3g}"
        )

    def save(self, path: AnyPath) -> None:
        """Write all that training needs to go on to a file, at once or not at all.

        `phyvae.load_trainer` reads it, and ``fit(..., resume=path)`` goes on from it. It holds
        weights, the optimiser's state, all settings, the history and a fingerprint of the
        patches; neither the patches nor the code of a loss of your own. A file that is there is
        replaced. Any process may call it, for all have the same to save.
        """
        save_training(self.state, path)

    @own_state(grad=False)
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
        grids = grids_to_encode(self.model, grid)
        beta = as_schedule(as_number(beta, "beta"))(self.epochs_done)
        as_seed(seed)
        as_integer(batch_size, "batch_size", 1)
        return evaluated(self.model, self.objective, grids, beta, seed=seed, batch_size=batch_size)
