"""What does not grow with the image: memory, and the time of a step."""

import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import phyvae

pytestmark = pytest.mark.slow
MEASURE = """
import numpy, phyvae, torch

def peak():
    # Not ru_maxrss, which a new process inherits from the one that starts it.
    lines = open("/proc/self/status").read().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM"))

torch.set_num_threads(1)
phyvae.ShiftVAE, phyvae.PhysicsTrainer
before = peak()
grid = phyvae.PatchGrid(numpy.random.default_rng(0).random((1024, 1024)), size=48, step=1)
model = phyvae.ShiftVAE(grid.patch_shape)
{}
print(peak() - before)
"""
MAP = "assert model.latent_maps(grid, progress=False).shape == (2, 977, 977)"
TRAIN = """
trainer = phyvae.PhysicsTrainer(model, phyvae.PhysicsObjective(phyvae.EdgeLoss()))
trainer.fit(grid, 1, steps_per_epoch=4, progress=False)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read on Linux")
@pytest.mark.parametrize(("work", "most"), [(MAP, 400e6), (TRAIN, 700e6)], ids=["map", "train"])
def test_a_million_patches_of_48_px_take_little_memory(work, most):
    """Copied, they would take 9 GB. In an interpreter whose peak no other test has raised."""
    command = [sys.executable, "-W", "ignore", "-c", MEASURE.format(work)]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert 0 < int(run.stdout) < most


def test_a_step_takes_as_long_on_a_large_image():
    trainings = [training(side) for side in (512, 2048)]
    seconds: list[list[float]] = [[], []]
    for _ in range(5):
        for (trainer, grid), times in zip(trainings, seconds, strict=True):
            started = time.perf_counter()
            trainer.step(grid, steps_per_epoch=10)
            times.append(time.perf_counter() - started)
    small, large = map(min, seconds)
    assert large < 1.5 * small  # 16 times the pixels


def training(side):
    """Return a trainer and the patches at each pixel of an image of side x side."""
    image = np.random.default_rng(0).random((side, side), dtype=np.float32)
    grid = phyvae.PatchGrid(image, size=16, step=1)
    model = phyvae.ShiftVAE(grid.patch_shape)
    objective = phyvae.PhysicsObjective(phyvae.EdgeLoss())
    return phyvae.PhysicsTrainer(model, objective), grid
