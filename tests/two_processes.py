"""What two processes do, for tests/compute/test_processes.py: each writes what it saw to a file.

    torchrun --nproc-per-node 2 tests/two_processes.py FOLDER

The folder holds `alone.phyvae`, which one process has trained for one epoch. Of the workers of
pytest-xdist, one starts the two processes for all tests: the fixtures `folder` and `both`.
"""

import contextlib
import copy
import io
import os
import subprocess
import sys
import time
import warnings
from dataclasses import astuple
from pathlib import Path

import numpy as np
import pytest
import torch

import phyvae
from phyvae import (
    EdgeLoss,
    LinearBeta,
    PatchGrid,
    PhysicsLoss,
    PhysicsObjective,
    PhysicsTrainer,
)
from phyvae.compute import processes as parallel
from phyvae.patches.known import Patches
from phyvae.training import checkpoints
from phyvae.training.history import History

SOURCE = str(Path(phyvae.__file__).parents[1])


class Counting(PhysicsLoss):
    """A loss that remembers, in a buffer, something of every tile that it has seen."""

    def __init__(self):
        super().__init__()
        self.register_buffer("seen", torch.zeros(()))

    def forward(self, maps, mask=None):
        self.seen += maps.detach().std()
        return EdgeLoss()(maps, mask)


def small_grid(seed=0):
    return PatchGrid(np.random.default_rng(seed).random((42, 46)), 6, 4)  # 10 x 11 patches


def small_trainer(physics=None, **settings):
    model = phyvae.ShiftVAE((6, 6), hidden_dim_e=(8,), hidden_dim_d=(9,), seed=3)
    objective = PhysicsObjective(EdgeLoss() if physics is None else physics)
    defaults = {"batch_size": 10, "pixels": 0.5, "tile": 8, "seed": 1, "warmup": 0}
    return PhysicsTrainer(model, objective, **(defaults | settings))


def fit(trainer, epochs=2, grid=None, **settings):
    defaults = {"beta": LinearBeta(0.1, 1.0, 4), "progress": False}
    return trainer.fit(small_grid() if grid is None else grid, epochs, **(defaults | settings))


def state(trainer):
    """Everything that must be alike: weights, buffers, Adam's state, history."""
    tensors = {**trainer.model.state_dict(), **trainer.objective.state_dict()}
    for index, values in trainer.optimizer.state_dict()["state"].items():
        tensors |= {f"{index} {name}": value for name, value in values.items()}
    if trainer.epochs_done:
        tensors["history"] = torch.from_numpy(np.stack(astuple(trainer.history)))
    return copy.deepcopy(tensors)


def without_seconds(tensors):
    last = [name for name in History.__dataclass_fields__].index("seconds")
    return tensors | {"history": tensors["history"][:last]} if "history" in tensors else tensors


def error_of(action):
    try:
        action()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "no error"


def share_the_work(see, folder):
    trainer, decoded, epochs = small_trainer(), [], []
    backward = trainer.objective.backward

    def watched(model, batch, beta):
        decoded.append(batch.tile[batch.decoded].pixels.clone())
        return backward(model, batch, beta)

    trainer.objective.backward = watched
    errors, output = io.StringIO(), io.StringIO()
    errors.isatty = lambda: True
    with warnings.catch_warnings(record=True) as caught, contextlib.redirect_stderr(errors):
        warnings.simplefilter("always", phyvae.CollapsedMapsWarning)
        fit(
            trainer,
            progress=True,
            callbacks=[lambda _, epoch: epochs.append(epoch)],
            checkpoint=folder / "both.phyvae",
        )
    with contextlib.redirect_stdout(output):
        trainer.print_statistics()
    see["trained"], see["decoded"], see["epochs"] = state(trainer), decoded, epochs
    see["bar"], see["printed"] = "epoch" in errors.getvalue(), output.getvalue() != ""
    see["warnings"] = [warning.category.__name__ for warning in caught]


def average(see):
    start = small_trainer().model
    patches = small_grid().patches.reshape(-1, 6, 6)
    own = patches.tensor_split(2)[parallel.rank()]
    start.posterior(Patches(own)).kl().mean().backward()
    see["own"] = {
        name: p.grad.clone() for name, p in start.named_parameters() if p.grad is not None
    }
    parallel.average_gradients(start.parameters())
    see["mean"] = {n: p.grad.clone() for n, p in start.named_parameters() if p.grad is not None}
    see["untouched"] = [n for n, p in start.named_parameters() if p.grad is None]


def take_one_step(see):
    trainer = small_trainer()
    with torch.no_grad():
        for parameter in trainer.model.parameters():
            parameter += 0.01 * parallel.rank()  # the first one's weights count
    fit(trainer, 1, steps_per_epoch=2)
    see["one step"] = state(trainer)


def go_on(see, folder):
    path = folder / "resumed.phyvae"
    fit(small_trainer(), 1, checkpoint=path)
    trainer = small_trainer()
    fit(trainer, 2, checkpoint=path, resume=path)
    see["resumed"] = state(trainer)
    trainer = small_trainer()
    for epoch in range(2):
        trainer.step(small_grid(), scale_factor=LinearBeta(0.1, 1.0, 4)(epoch))
    see["stepped"] = state(trainer)
    trainer = small_trainer()
    see["from alone"] = fit(trainer, 2, resume=folder / "alone.phyvae").epoch.tolist()
    trainer = small_trainer(Counting())
    fit(trainer, 1)
    see["counting"] = state(trainer)


def fail(see, folder):
    first = parallel.rank() == 0
    holder = []

    def poisoned(maps):
        bad = not first and holder[0].epochs_done == 1
        return EdgeLoss()(maps) * (torch.nan if bad else 1.0)

    holder.append(small_trainer(poisoned))
    fit(holder[0], 1)
    good = state(holder[0])
    see["nan"] = error_of(lambda: fit(holder[0], 1))
    after = state(holder[0])
    see["put back"] = all(torch.equal(good[name], after[name]) for name in good)

    lr = error_of(lambda: fit(small_trainer(lr=1e-3 if first else 2e-3)))
    grid = error_of(lambda: fit(small_trainer(), grid=small_grid(0 if first else 1)))
    beta = error_of(lambda: fit(small_trainer(), beta=lambda e: 0.5 if first else 0.25 * (e + 1)))
    see["unlike"] = {"trainer.lr": lr, "grid.sha256": grid, "beta": beta}
    files = {"checkpoint": folder / "first_only.phyvae"} if first else {}
    see["unlike"]["checkpoint"] = error_of(lambda: fit(small_trainer(), **files))
    see["unlike"]["epochs"] = error_of(lambda: fit(small_trainer(), 2 if first else 3))
    see["bad argument"] = error_of(lambda: fit(small_trainer(), 1 if first else 0))

    missing = folder / "missing" / "run.phyvae"
    see["no folder"] = error_of(lambda: fit(small_trainer(), checkpoint=missing))
    own = folder / ("both.phyvae" if first else "not_here.phyvae")
    see["own file"] = error_of(lambda: fit(small_trainer(), 3, checkpoint=own, resume=own))

    def full(*_):
        raise OSError("disk full")

    save, checkpoints.save_training = checkpoints.save_training, full
    see["disk full"] = error_of(lambda: fit(small_trainer(), checkpoint=folder / "full.phyvae"))
    checkpoints.save_training = save


def check_processes(see):
    """What the functions of compute/processes do by themselves."""
    number = parallel.rank()
    see["mean of numbers"] = parallel.mean_over_ranks([number + 1.0, 4.0])
    see["broadcast"] = [torch.full((2,), float(number)), torch.full((3,), number)]
    parallel.broadcast(see["broadcast"], torch.device("cpu"))

    def together(error):
        with parallel.together():
            if error and number == 1:
                raise error

    see["together"] = error_of(lambda: together(KeyError("mine")))
    see["all well"] = error_of(lambda: together(None))
    see["agree"] = error_of(lambda: parallel.agree({"a": {"b": number}, "c": 1}))


def main(folder):
    device = phyvae.init_distributed("cpu")
    warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
    see = {"device": str(device), "rank": phyvae.rank(), "ranks": parallel.world_size()}
    check_processes(see)
    share_the_work(see, folder)
    average(see)
    take_one_step(see)
    go_on(see, folder)
    fail(see, folder)
    torch.save(see, folder / f"{phyvae.rank()}.pt")


def start_both(folder):
    fit(small_trainer(), 1, checkpoint=folder / "alone.phyvae")
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    run = subprocess.run(
        [*torchrun, "--nproc-per-node=2", __file__, str(folder)],
        env=os.environ | {"PYTHONPATH": SOURCE, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    (folder / "stderr").write_text(run.stderr if run.returncode else "")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """The folder that both processes wrote to."""
    base = tmp_path_factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "two_processes"
    try:
        shared.mkdir()
    except FileExistsError:
        while not (shared / "stderr").exists():
            time.sleep(0.1)
    else:
        try:
            start_both(shared)
        finally:
            (shared / "stderr").touch()
    failure = (shared / "stderr").read_text()
    assert failure == ""
    return shared


@pytest.fixture(scope="module")
def both(folder):
    """What each of both processes saw."""
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in (0, 1)]


if __name__ == "__main__":
    main(Path(sys.argv[1]))
