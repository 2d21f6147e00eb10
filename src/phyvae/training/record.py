"""The record of a training: its parts and its history, as a trainer shows them."""

import torch

from ..compute import processes
from ..models import PatchModel
from .history import History
from .objective import PhysicsObjective
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
        return self.state.options.described()

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
        """Loss per epoch as a dictionary, in the manner of pyroVED's trainers."""
        history = self.history
        return {
            "training_loss": history.loss.tolist(),
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
        last = self.state.history(self.epochs_done - 1)
        print(  # noqa: T201
            f"Epoch: {self.epochs_done} Training loss: {last.loss[0]:.4f}, "
            f"-ELBO: {last.neg_elbo[0]:.4f}, Psi: {last.psi[0]:.4f}, beta: {last.beta[0]:.3g}"
        )
