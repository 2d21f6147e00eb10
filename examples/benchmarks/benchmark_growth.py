"""
Benchmark: how the time grows
=============================

The time of a training step against the patches it decodes, the pixels of a patch and the patches
of the tile; and the time of a latent map at step 1 against its size, beside copied patches.

``python examples/benchmarks/benchmark_growth.py`` prints the times and writes
``growth/growth.png`` and ``growth/results.json``. With ``--align`` it does so for `align` against
the size of a patch: ``growth/align.png``, ``growth/align.json``. Those are times of the processor,
on one thread.
"""

import argparse
import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from benchmark_speed import timed
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter, NullLocator

import phyvae


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[1])
    parser.add_argument("--folder", type=Path, default=Path("growth"))
    parser.add_argument("--repeats", type=int, default=7, help="of which the median is taken")
    parser.add_argument("--align", action="store_true", help="measure align, and nothing else")
    arguments = parser.parse_args()
    arguments.folder.mkdir(parents=True, exist_ok=True)
    if arguments.align:
        growth_of_align(arguments.folder)
        return

    def step(side: int, size: int, batch: int) -> float:
        return median(training(side, size, batch), arguments.repeats) / 4

    batches, sizes, sides = [25, 50, 100, 200, 400], [16, 24, 32, 48, 64], [12, 24, 48, 96]
    maps = [64, 128, 256, 512]
    series = {
        "patches decoded in a step": (batches, [step(24, 24, batch) for batch in batches]),
        "pixels of a patch": ([s**2 for s in sizes], [step(24, size, 100) for size in sizes]),
        "patches of the tile": ([s**2 for s in sides], [step(side, 24, 100) for side in sides]),
        "patches of the map": (
            [s**2 for s in maps],
            [median(mapping(side), arguments.repeats) for side in maps],
        ),
    }
    gathered = [median(copying(side), arguments.repeats) for side in maps[:3]]
    series["patches of the map, copied"] = ([s**2 for s in maps[:3]], gathered)
    for name, (counts, seconds) in series.items():
        print(name, *(f"{c}: {s:.3g} s" for c, s in zip(counts, seconds, strict=True)), sep="\n  ")
    draw(series, arguments.folder / "growth.png")
    (arguments.folder / "results.json").write_text(json.dumps(series, indent=1))
    print(f"Figure and numbers are in {arguments.folder}/")


def growth_of_align(folder: Path) -> None:
    """Measure `align` on an image of 640 x 640 px, with patches of two lattice constants."""
    seconds = {}
    for size in (24, 16, 24, 32, 48, 64, 96):  # the first one warms up
        phantom = phyvae.phantoms.bfo((640, 640), size / 1.9, seed=0)
        grid = phyvae.PatchGrid(phantom.image, size=size, step=12)
        started = time.process_time()
        model = phyvae.ShiftVAE(grid.patch_shape, dx_prior=0.3)
        phyvae.align(model, grid, progress=False)
        seconds[size] = time.process_time() - started
        print(f"{size} px: {seconds[size]:.2f} s", flush=True)
    fig, ax = plt.subplots(figsize=(3.4, 2.6), layout="constrained")
    ax.plot(list(seconds), list(seconds.values()), "o")
    top = 1.25 * max(seconds.values())
    ax.set(xlabel="size of a patch (px)", ylabel="processor time of align (s)", ylim=(0, top))
    fig.savefig(folder / "align.png", dpi=150)
    (folder / "align.json").write_text(json.dumps(seconds, indent=1))


def median(work: Callable[[], object], repeats: int) -> float:
    """Return the median time of some work after one run that is not counted, s."""
    work()
    return timed(work, repeats)


def noise(side: int, size: int, step: int) -> phyvae.PatchGrid:
    """Return side x side patches of noise, which takes as long as any image."""
    length = size + (side - 1) * step
    image = torch.rand(length, length, generator=torch.Generator().manual_seed(0))
    return phyvae.PatchGrid(image, size=size, step=step)


def training(side: int, size: int, batch: int) -> Callable[[], object]:
    """Return four steps of a phy-VAE on a tile of side x side patches."""
    grid = noise(side, size, size // 2)
    objective = phyvae.PhysicsObjective(phyvae.EdgeLoss())
    model = phyvae.ShiftVAE(grid.patch_shape)
    trainer = phyvae.PhysicsTrainer(model, objective, batch_size=batch, tile=side)
    return lambda: trainer.step(grid, steps_per_epoch=4)


def mapping(side: int) -> Callable[[], object]:
    """Return the making of a latent map of patches of 48 x 48 px at step 1."""
    grid = noise(side, 48, 1)
    model = phyvae.ShiftVAE(grid.patch_shape)
    return lambda: model.latent_maps(grid, progress=False)


def copying(side: int) -> Callable[[], object]:
    """Return the same from copies of the patches."""
    grid = noise(side, 48, 1)
    model = phyvae.ShiftVAE(grid.patch_shape)
    rows = torch.arange(len(grid)).split(4096)
    return lambda: [model.encode(grid.gather(index)) for index in rows]


def draw(series: dict[str, tuple[Sequence[int], Sequence[float]]], path: Path) -> None:
    """Draw all series against their counts, both axes logarithmic."""
    fig, axes = plt.subplots(1, 4, figsize=(12, 3), layout="constrained")
    for ax, (name, (counts, seconds)) in zip(axes, series.items(), strict=False):
        ax.loglog(counts, seconds, "o-", label="measured" if ax is axes[0] else "correlated")
        ax.loglog(counts, [seconds[-1] * c / counts[-1] for c in counts], "k:", label="slope 1")
        ax.set(xlabel=name, ylabel="time of a step (s)")
    counts, seconds = series["patches of the map, copied"]
    axes[3].loglog(counts, seconds, "s--", label="copied patches")
    axes[3].set(ylabel="time of the map (s)")
    for ax, (counts, _) in zip(axes, series.values(), strict=False):
        ax.set_xticks(counts[::2], [f"{count:,}" for count in counts[::2]])
        ax.xaxis.set_minor_locator(NullLocator())
        ax.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        ax.yaxis.set_major_formatter(FuncFormatter(lambda seconds, _: f"{seconds:g}"))
        ax.yaxis.set_minor_formatter(NullFormatter())
    for ax in axes[[0, 3]]:
        ax.legend(frameon=False, loc="lower right")
    fig.savefig(path, dpi=150)


if __name__ == "__main__":
    main()
