"""
Benchmark: speed
================

pyroVED's trainer, the plain shift-invariant VAE and phy-VAEs on the same patches, with networks,
batch and learning rate of the same sizes. Methods take turns, so that a busy machine slows all of
them; rates are medians over the turns, with the smallest and the largest.

``python examples/benchmarks/benchmark_speed.py`` prints a table for each patch size and writes
``speed/results.json``; ``--epochs 50`` also trains the first size to see what the speed is worth.
"""

import argparse
import json
import math
import platform
import statistics
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

import phyvae
from phyvae.compute.precision import has_bfloat16

SIDE = 48  # patches along either side of the grid
LR = 1e-3  # pyroVED's default
SETTINGS: dict[str, dict[str, Any]] = {
    "sh-VAE": {},
    "phy-VAE, SL1": {"physics": phyvae.EdgeLoss},
    "phy-VAE, SL2": {"physics": phyvae.FourierLoss},
    "phy-VAE, SL1, every pixel": {"physics": phyvae.EdgeLoss, "pixels": 1.0},
    "phy-VAE, SL1, every pixel, float32": {
        "physics": phyvae.EdgeLoss,
        "pixels": 1.0,
        "precision": "float32",
    },
}
PYROVED = "pyroVED, sh-VAE"
METHODS = [PYROVED, *SETTINGS]
CONVERGE = [PYROVED, "sh-VAE", "phy-VAE, SL1"]


def patches_of(size: int) -> phyvae.PatchGrid:
    """Return SIDE x SIDE overlapping patches of a phantom with two lattice constants in each."""
    side = size + (SIDE - 1) * (size // 2)
    phantom = phyvae.phantoms.bfo(shape=(side, side), lattice=size / 2, seed=0)
    return phyvae.PatchGrid(phantom.image, size=size, step=size // 2)


class Pyroved:
    """pyroVED's own way, on copies of the patches."""

    def __init__(self, grid: phyvae.PatchGrid, batch_size: int, device: str) -> None:
        import pyroved

        self.model = pyroved.models.iVAE(
            grid.patch_shape, 2, ["t"], seed=0, dx_prior=0.3, dy_prior=0.3, device=device
        )
        self.trainer = pyroved.trainers.SVItrainer(self.model, lr=LR, device=device)
        self.patches = grid.gather(torch.arange(len(grid)))
        self.batch_size = batch_size

    def steps(self, count: int) -> int:
        """Train for a number of steps; return how many patches they decoded."""
        some = self.patches[torch.randperm(len(self.patches))[: count * self.batch_size]]
        data = torch.utils.data.TensorDataset(some)
        loader = torch.utils.data.DataLoader(data, batch_size=self.batch_size, shuffle=True)
        self.trainer.step(loader)
        return len(some)

    def as_ours(self, grid: phyvae.PatchGrid) -> phyvae.ShiftVAE:
        """Return the model as a ShiftVAE, which has the same weights."""
        model = phyvae.ShiftVAE(grid.patch_shape, dx_prior=0.3)
        model.load_state_dict({name: w.cpu() for name, w in self.model.state_dict().items()})
        return model


class Ours:
    """A phyvae trainer with its default settings, but for those given."""

    def __init__(
        self, grid: phyvae.PatchGrid, batch_size: int, device: str, **settings: Any
    ) -> None:
        physics = settings.pop("physics", None)
        self.objective = phyvae.PhysicsObjective(physics() if physics else None)
        self.grid, self.batch_size = grid.to(device), batch_size
        self.model = phyvae.ShiftVAE(grid.patch_shape, dx_prior=0.3, seed=0, device=device)
        self.trainer = phyvae.PhysicsTrainer(
            self.model, self.objective, lr=LR, batch_size=batch_size, **settings
        )

    def steps(self, count: int) -> int:
        """Train for a number of steps; return how many patches they decoded."""
        self.trainer.step(self.grid, steps_per_epoch=count)
        return count * self.batch_size

    def as_ours(self, grid: phyvae.PatchGrid) -> phyvae.ShiftVAE:
        """Return the model."""
        return self.model

    def seconds_in_psi(self) -> float:
        """Return the time of Psi and its gradient at the map of a whole tile."""
        maps = self.model.latent_maps(self.grid).to(self.model.device).requires_grad_()
        return timed(lambda: torch.autograd.grad(self.objective.psi(maps), maps))


def method(name: str, grid: phyvae.PatchGrid, batch_size: int, device: str) -> Pyroved | Ours:
    """Return a method ready to train."""
    if name == PYROVED:
        return Pyroved(grid, batch_size, device)
    return Ours(grid, batch_size, device, **SETTINGS[name])


def timed(work: Callable[[], object], repeats: int = 20) -> float:
    """Return the median time of some work, s."""
    times = []
    for _ in range(repeats):
        synchronise()
        started = time.perf_counter()
        work()
        synchronise()
        times.append(time.perf_counter() - started)
    return statistics.median(times)


def synchronise() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


def peak(device: str, dtype: torch.dtype) -> float:
    """Return the rate of a product of square matrices, FLOP/s."""
    n = 2048 if device == "cpu" else 8192
    a = torch.ones(n, n, dtype=dtype, device=device)
    return 2 * n**3 / timed(lambda: a @ a, repeats=5)


def flop_per_patch(
    grid: phyvae.PatchGrid, pixels: float = 1.0, seen: float = 0.0, trained: float = 1.0
) -> float:
    """Return the FLOP of a training step for each patch it decodes, those of products only.

    The decoder goes forward once and back twice, so does the encoder for the `trained` patches
    (but for its first layer, whose input needs no gradient), and for the `seen` ones it only goes
    forward. Both are counted for each decoded patch.
    """
    count = grid.patch_shape[0] * grid.patch_shape[1]
    decoder = 3 * 2 * pixels * count * 2 * 128 * 128
    first, second = 2 * count * 128, 2 * 128 * 128
    return decoder + seen * (first + second) + trained * (2 * first + 3 * second)


def rates(size: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return a row for each method: how many patches a second it trains on, and more."""
    grid, device, batch = patches_of(size), arguments.device, arguments.batch
    # pyroVED's is what the others are compared with, asked for or not.
    names = dict.fromkeys([PYROVED, *arguments.methods])
    methods = {name: method(name, grid, batch, device) for name in names}
    seen: dict[str, list[float]] = {name: [] for name in methods}
    peaks: dict[torch.dtype, list[float]] = {torch.float32: [], torch.bfloat16: []}
    for turn in range(arguments.rounds + 1):
        for name, one in methods.items():
            synchronise()
            started = time.perf_counter()
            count = one.steps(arguments.steps)
            synchronise()
            if turn:  # the first turn compiles and warms up
                seen[name].append(count / (time.perf_counter() - started))
        for dtype, found in peaks.items():
            found.append(peak(device, dtype))
    rows = []
    for name, one in methods.items():
        rate = statistics.median(seen[name])
        row = {
            "size": size,
            "method": name,
            "patches_per_s": rate,
            "least": min(seen[name]),
            "most": max(seen[name]),
            "to_pyroved": [a / b for a, b in zip(seen[name], seen[PYROVED], strict=True)],
            "peak_memory_mb": memory(name, size, arguments),
        }
        if isinstance(one, Ours):
            flop = flop_per_patch(grid, one.trainer.state.options.pixels)
            if one.objective.needs_map and one.trainer.state.options.sites < len(grid):
                share = len(grid) / batch, one.trainer.state.options.sites / batch
                flop = flop_per_patch(grid, one.trainer.state.options.pixels, *share)
            row["share_of_peak"] = (
                rate
                * flop
                / statistics.median(peaks[one.trainer.state.options.dtype(one.trainer.model)])
            )
            if one.objective.needs_map:
                row["share_in_psi"] = one.seconds_in_psi() * rate / batch
        else:
            flop = flop_per_patch(grid)
            row["share_of_peak"] = rate * flop / statistics.median(peaks[torch.float32])
        rows.append(row)
    return rows


def of_a_sweep(size: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Return how much faster some models train together than one after another; by turns."""
    grid, count = patches_of(size), arguments.sweep
    objective = phyvae.PhysicsObjective(phyvae.EdgeLoss())
    settings = {str(seed): phyvae.Setting(objective, seed=seed) for seed in range(count)}
    common: dict[str, Any] = {"lr": LR, "batch_size": arguments.batch, "device": arguments.device}

    def train(together: bool) -> float:
        groups = [settings] if together else [{n: s} for n, s in settings.items()]
        synchronise()
        started = time.perf_counter()
        for group in groups:
            phyvae.sweep(
                grid, group, 1, steps_per_epoch=arguments.steps, progress=False,
                model=lambda seed: phyvae.ShiftVAE(grid.patch_shape, dx_prior=0.3, seed=seed),
                **common,
            )  # fmt: skip
        synchronise()
        return time.perf_counter() - started

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)  # a few steps are no training
        times = [(train(False), train(True)) for _ in range(arguments.rounds + 1)][1:]
    ratios = [apart / together for apart, together in times]
    return {"size": size, "models": count, "ratios": ratios, "seconds": times}


def memory(name: str, size: int, arguments: argparse.Namespace) -> float:
    """Return by how much some steps raise the memory of a process of their own, MB."""
    command = [sys.executable, __file__, "--memory-of", name, "--sizes", str(size)]
    command += ["--batch", str(arguments.batch), "--device", arguments.device]
    out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(out.splitlines()[-1])


def print_memory(name: str, size: int, arguments: argparse.Namespace) -> None:
    """Print the peak of memory of a method above that of the libraries and the image, MB."""
    grid = patches_of(size)
    method(name, patches_of(8), 4, arguments.device).steps(2)  # imports all there is to import
    forget_highest_memory()
    before = highest_memory()
    method(name, grid, arguments.batch, arguments.device).steps(5)
    on_gpu = torch.cuda.max_memory_allocated() / 1e6 if arguments.device != "cpu" else 0.0
    print(on_gpu or highest_memory() - before)


def forget_highest_memory() -> None:
    """Let the largest memory of this process be that of now, on Linux."""
    if Path("/proc/self/clear_refs").exists():
        Path("/proc/self/clear_refs").write_text("5")


def highest_memory() -> float:
    """Return the largest memory of this process so far, MB; known on Linux only."""
    # Not getrusage's, which a new process inherits from the one that starts it.
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    return next((int(x.split()[1]) / 1e3 for x in lines if x.startswith("VmHWM")), math.nan)


def convergence(size: int, arguments: argparse.Namespace) -> list[dict[str, Any]]:
    """Return (epoch, seconds, -ELBO) of each method after every epoch; they take turns."""
    grid = patches_of(size)
    methods = {name: method(name, grid, arguments.batch, arguments.device) for name in CONVERGE}
    curves: dict[str, list[list[float]]] = {name: [] for name in methods}
    seconds = dict.fromkeys(methods, 0.0)
    steps = round(len(grid) / arguments.batch)
    for epoch in range(1, arguments.epochs + 1):
        for name, one in methods.items():
            synchronise()
            started = time.perf_counter()
            one.steps(steps)
            synchronise()
            seconds[name] += time.perf_counter() - started
            judge = phyvae.PhysicsTrainer(one.as_ours(grid))
            loss = float(judge.evaluate(grid).neg_elbo)
            curves[name].append([epoch, seconds[name], loss])
    return [{"size": size, "method": name, "curve": curve} for name, curve in curves.items()]


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rates of one patch size as a Markdown table."""
    lines = [
        "| method | patches/s | ratio to pyroVED | of peak | in Ψ | memory (MB) |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        ratio = row["to_pyroved"]
        psi = f"{row['share_in_psi']:.0%}" if "share_in_psi" in row else "–"
        lines.append(
            f"| {row['method']} | {row['patches_per_s']:.0f} ({row['least']:.0f} to "
            f"{row['most']:.0f}) | {statistics.median(ratio):.1f} ({min(ratio):.1f} to "
            f"{max(ratio):.1f}) | {row['share_of_peak']:.0%} | {psi} | "
            f"{row['peak_memory_mb']:.0f} |"
        )
    return "\n".join(lines)


def table_of_convergence(results: Sequence[dict[str, Any]]) -> str:
    """Return what the speed is worth as a Markdown table."""
    curves = {result["method"]: result["curve"] for result in results}
    last = curves[PYROVED][-1]
    soonest = min(curve[-1][1] for curve in curves.values())
    lines = [
        f"| method | s for {last[0]} epochs | −ELBO after them | −ELBO after {soonest:.0f} s | "
        f"first at or below {last[2]:.2f} after (s) |",
        "| --- | --- | --- | --- | --- |",
    ]
    for name, curve in curves.items():
        reached = next((f"{seconds:.0f}" for _, seconds, loss in curve if loss <= last[2]), "–")
        then = [loss for _, seconds, loss in curve if seconds <= soonest]
        early = f"{then[-1]:.2f}" if then else "–"
        lines.append(f"| {name} | {curve[-1][1]:.0f} | {curve[-1][2]:.2f} | {early} | {reached} |")
    return "\n".join(lines)


def options() -> argparse.Namespace:
    """Return the arguments of the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[24, 48, 64], help="patch sizes, px"
    )
    parser.add_argument("--batch", type=int, default=100, help="patches decoded in a step")
    parser.add_argument("--steps", type=int, default=10, help="steps in a turn")
    parser.add_argument("--rounds", type=int, default=7, help="turns of each method")
    parser.add_argument("--methods", nargs="*", default=METHODS, choices=METHODS)
    parser.add_argument("--epochs", type=int, default=0, help="train the first size for so long")
    parser.add_argument(
        "--sweep", type=int, default=0, help="train so many models together, too, and apart"
    )
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--folder", type=Path, default=Path("speed"))
    parser.add_argument("--memory-of", choices=METHODS, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> None:
    """Measure, print and write."""
    arguments = options()
    if arguments.memory_of:
        print_memory(arguments.memory_of, arguments.sizes[0], arguments)
        return
    machine = {
        "processor": platform.processor() or platform.machine(),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "device": arguments.device,
        "bfloat16": has_bfloat16(torch.device(arguments.device)),
    }
    print(machine)
    results: dict[str, Any] = {"machine": machine, "rates": [], "convergence": []}
    arguments.folder.mkdir(parents=True, exist_ok=True)
    for size in arguments.sizes if arguments.methods else []:
        rows = rates(size, arguments)
        print(f"\npatches of {size} x {size} px, {SIDE**2} of them, batch {arguments.batch}\n")
        print(table(rows), flush=True)
        results["rates"] += rows
    if arguments.sweep:
        results["sweep"] = [of_a_sweep(size, arguments) for size in arguments.sizes]
        for row in results["sweep"]:
            ratio = row["ratios"]
            print(
                f"\nof {row['size']} px, {row['models']} models together are "
                f"{statistics.median(ratio):.2f} ({min(ratio):.2f} to {max(ratio):.2f}) times as "
                "fast as one after another"
            )
    if arguments.epochs:
        results["convergence"] = convergence(arguments.sizes[0], arguments)
        print(f"\n{table_of_convergence(results['convergence'])}")
    path = arguments.folder / "results.json"
    path.write_text(json.dumps(results, indent=1))
    print(f"\nwritten: {path}")


if __name__ == "__main__":
    main()
