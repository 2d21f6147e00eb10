"""Measure the memory of a process that trains for many epochs.

    python tests/memory_of_runs.py [EPOCHS]

The run has what runs have: physics, a schedule, a callback, checkpoints, a grid of several tiles.
Prints the resident memory and the number of tensors after every tenth of the epochs, and the
peak, as JSON. On Linux.
"""

import gc
import json
import re
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch

import phyvae


def mebibytes(name):
    status = Path("/proc/self/status").read_text()
    return int(re.search(rf"{name}:\s+(\d+) kB", status)[1]) / 1024


def main(epochs):
    torch.set_num_threads(1)
    image = np.random.default_rng(0).random((120, 124))
    grid = phyvae.PatchGrid(image, 12, 4)
    model = phyvae.ShiftVAE(grid.patch_shape, hidden_dim_e=(32,), hidden_dim_d=(32,))
    objective = phyvae.PhysicsObjective(phyvae.EdgeLoss() + 0.5 * phyvae.FourierLoss())
    trainer = phyvae.PhysicsTrainer(model, objective, tile=16, sites=100)
    resident, alive, maps = {}, {}, {}

    def look(trainer, epoch):
        maps["last"] = trainer.model.latent_maps(grid, progress=False)
        if epoch % (epochs // 10) == 0:
            gc.collect()
            resident[epoch] = round(mebibytes("VmRSS"), 1)
            alive[epoch] = sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    trainer.fit(
        grid,
        epochs,
        beta=phyvae.LinearBeta(0.1, 1.0, epochs),
        callbacks=[look],
        progress=False,
        checkpoint=Path(tempfile.mkdtemp()) / "run",
        every=10,
    )
    first, *_, last = resident.values()
    found = {"resident_MiB": resident, "grown_MiB": round(last - first, 1), "tensors_alive": alive}
    print(json.dumps(found | {"peak_MiB": round(mebibytes("VmHWM"), 1)}))


if __name__ == "__main__":
    warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
