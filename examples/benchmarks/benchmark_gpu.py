"""
Benchmark: a GPU in ten minutes
===============================

``python examples/benchmarks/benchmark_gpu.py`` runs what needs a GPU, one part after the other:
the tests that skip without CUDA, the table of training speed, and `phyvae.find_domains` on the
GPU and on the CPU. Each part is stopped at its share of ten minutes; what it has printed until
then stays. ``--device cpu`` tries the script where there is no GPU.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import torch

import phyvae

ROOT = Path(__file__).parents[2]
TESTS = ("compute/test_determinism.py", "models/test_decoding.py", "models/test_interface.py",
         "training/test_loading.py", "training/test_trainer.py")  # fmt: skip
SIDES = (456, 1024, 2048)


def part(title: str, minutes: float, *command: str) -> None:
    """Run a command of Python, at most for some minutes, and print what it prints."""
    print(f"\n## {title}\n", flush=True)
    settings = os.environ | {"CUBLAS_WORKSPACE_CONFIG": ":4096:8", "MPLBACKEND": "Agg"}
    try:
        done = subprocess.run(
            [sys.executable, *command], cwd=ROOT, env=settings, timeout=60 * minutes, check=False
        )
        print(f"exit code {done.returncode}", flush=True)
    except subprocess.TimeoutExpired:
        print(f"stopped after {minutes:g} min", flush=True)


def whole_way(device: str) -> None:
    """Print time and agreement of `find_domains` on phantoms of growing size."""
    print("| image (px) | device | s | domains | ARI |\n| --- | --- | --- | --- | --- |")
    phyvae.find_domains(phyvae.phantoms.bfo((240, 240)).image, device=device, progress=False)
    for side in SIDES:
        phantom = phyvae.phantoms.bfo((side, side), seed=0)
        for where in dict.fromkeys((device, "cpu")):
            begun = time.perf_counter()
            found = phyvae.find_domains(phantom.image, device=where, progress=False)
            seconds = time.perf_counter() - begun
            ari = phyvae.adjusted_rand_index(found.labels, found.grid.sample(phantom.domains))
            print(
                f"| {side} | {where} | {seconds:.1f} | {found.classes} | {ari:.3f} |", flush=True
            )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--whole-way", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.whole_way:
        whole_way(given.device)
        return
    if given.device == "cuda" and not torch.cuda.is_available():
        raise SystemExit("torch finds no GPU; --device cpu tries the script without one.")
    print(torch.__version__, torch.cuda.get_device_name() if given.device == "cuda" else "CPU")
    tests = [f"tests/{name}" for name in TESTS]
    part("CUDA tests", 3, "-m", "pytest", "-q", "-n", "0", "-rs", "-k", "cuda", *tests)
    speed = next(ROOT.glob("examples/**/benchmark_speed.py"))
    part("Training", 4, str(speed), "--sizes", "24", "48", "--rounds", "3", "--steps", "100",
         "--device", given.device)  # fmt: skip
    part("The whole way", 3, __file__, "--whole-way", "--device", given.device)


if __name__ == "__main__":
    main()
