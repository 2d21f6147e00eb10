"""
Benchmark: the whole way
========================

How long is it from an image to its domains, and how much memory does it take, for images of
growing size? Each size is a process of its own, one after the other on as many threads as torch
takes, so that peak memory is that of the run. The image is `phyvae.phantoms.bfo`; ``--real
FOLDER`` adds the film on substrate, 900 x 1024 px. Rows "pyroved" and "rvae" of
``benchmark_agreement.py`` have the time of other programs.

``python examples/benchmarks/whole_way.py`` prints a table and writes ``whole_way/growth.png`` and
``whole_way/results.json``.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.ticker import LogLocator, NullLocator

SIDES = (456, 1024, 2048, 4096)
FILM = "oxide_film_substrate_interface_stem.npz"
PARTS = ("preparing", "align", "fit", "refine", "evidence", "labels", "doubts")


def resident() -> int:
    """Return the memory of this process, bytes."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096


class Peak:
    """Largest memory of the process in the block above that at its beginning, GB."""

    def __enter__(self) -> "Peak":
        self._before = self._most = resident()
        self._over = threading.Event()
        self._watch = threading.Thread(target=self._look, daemon=True)
        self._watch.start()
        return self

    def _look(self) -> None:
        while not self._over.wait(0.01):
            self._most = max(self._most, resident())

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._watch.join()
        self.gigabytes = (self._most - self._before) / 1e9


def one_run(image: str) -> dict[str, object]:
    """Return time and memory for one image: the side of a phantom, or the path of a file."""
    begun = time.perf_counter()
    import phyvae
    from phyvae.pipeline import finding

    phyvae.find_domains, phyvae.ShiftVAE  # imported at first use
    imported = time.perf_counter() - begun
    if image.isdigit():
        phantom = phyvae.phantoms.bfo((int(image), int(image)), seed=0)
        scan, truth = phyvae.Scan(phantom.image, (0.03, 0.03)), phantom.domains
    else:
        scan, truth = phyvae.read(image), None
    parts = dict.fromkeys(PARTS, 0.0)
    names = {"prepared": "preparing", "align": "align", "refine": "refine", "segment": "labels"}
    names |= {"evidence_of": "evidence", "doubts_on": "doubts"}
    for name, part in names.items():
        setattr(finding, name, timed(getattr(finding, name), parts, part))
    trainer = phyvae.PhysicsTrainer
    trainer.fit = timed(trainer.fit, parts, "fit")
    begun = time.perf_counter()
    with Peak() as peak:
        found = phyvae.find_domains(scan, progress=False)
    seconds = time.perf_counter() - begun
    ari = None
    if truth is not None:
        ari = phyvae.adjusted_rand_index(found.labels, found.grid.sample(truth))
    return {
        "image": scan.name if truth is None else "phantom",
        "shape": scan.image.shape,
        "patches": found.grid.count,
        "import": imported,
        "seconds": seconds,
        "parts": parts,
        "memory": peak.gigabytes,
        "classes": found.classes,
        "ari": ari,
    }


def timed(function, parts: dict[str, float], name: str):
    """Return the function, whose time is added to a part."""

    def measured(*given, **named):
        begun = time.perf_counter()
        try:
            return function(*given, **named)
        finally:
            parts[name] += time.perf_counter() - begun

    return measured


def row(run: dict) -> str:
    """Return a line of the table."""
    parts = " | ".join(f"{run['parts'][name]:.1f}" for name in PARTS)
    ari = "" if run["ari"] is None else f"{run['ari']:.3f}"
    height, width = run["shape"]
    return (
        f"| {run['image']}, {height} x {width} | {run['patches']} | {run['seconds']:.1f} "
        f"| {parts} | {run['memory']:.2f} | {run['classes']} | {ari} |"
    )


def plot(runs: list[dict], path: Path) -> None:
    """Save time and memory against the number of pixels."""
    pixels = [run["shape"][0] * run["shape"][1] / 1e6 for run in runs]
    fig, axes = plt.subplots(1, 2, figsize=(7, 2.8), layout="constrained")
    for ax, name, label in zip(
        axes, ("seconds", "memory"), ("time (s)", "memory (GB)"), strict=True
    ):
        values = [run[name] for run in runs]
        ax.loglog(pixels, values, "o-", color="#0072B2")
        ax.set(xlabel="image (Mpx)", ylabel=label)
        for x, y in zip(pixels, values, strict=True):
            ax.annotate(f"{y:.3g}", (x, y), (-5, 5), textcoords="offset points", ha="right")
        ax.margins(0.25, 0.2)
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_locator(NullLocator())
    fig.savefig(path, dpi=200)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--sides", nargs="*", type=int, default=SIDES, help="of phantoms, px")
    parser.add_argument("--real", type=Path, help=f"folder of {FILM}")
    parser.add_argument("--folder", type=Path, default=Path("whole_way"), help="for results")
    parser.add_argument("--one", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one_run(given.one)))
        return
    given.folder.mkdir(exist_ok=True)
    print(f"| image (px) | patches | s | {' | '.join(PARTS)} | GB | domains | ARI |")
    print("| --- " * (len(PARTS) + 6) + "|")
    runs = []
    film = [] if given.real is None else [str(given.real / FILM)]
    for image in [*map(str, given.sides), *film]:
        command = [sys.executable, "-W", "ignore", __file__, "--one", image]
        run = subprocess.run(command, capture_output=True, text=True, check=True)
        runs.append(json.loads(run.stdout.splitlines()[-1]))
        print(row(runs[-1]), flush=True)
    if runs:
        (given.folder / "results.json").write_text(json.dumps(runs, indent=1))
    phantoms = [run for run in runs if run["image"] == "phantom"]
    if len(phantoms) > 1:
        plot(phantoms, given.folder / "growth.png")


if __name__ == "__main__":
    main()
