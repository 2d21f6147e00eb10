"""Score what finds domains, against phantoms whose domains are known.

``python examples/benchmarks/benchmark_domains.py --quick`` takes some eight minutes of one core:
low noise, small maps, and ten epochs, which are too few to judge by. The whole table takes some
nine days of one core: a shift-invariant VAE a minute, pyroVED's trainer five, all else a second.
So take a part of it: ``--methods 'pca*' sh-vae --phantoms 'bfo-random-*' --seeds 5``. Names are
shell patterns; ``--list`` prints them all. Everything finished is kept in ``results.json``: the
same command goes on where it was stopped, another one adds to the same table. Run one at a time
per folder.

Where a method has several settings, each phantom has the one with the best mean ARI on seeds that
are not reported. The control, which has no domains, has the one chosen for BFO.
"""

import argparse
import concurrent.futures
import fnmatch
import json
import multiprocessing
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import benchmark_report
import numpy as np
from benchmark_jobs import TUNING, Job, Record, whole
from benchmark_methods import Method, Trained, all_rows, root
from benchmark_phantoms import DISTORTION, NOISE, REPEAT, Case, all_cases

QUICK = {
    "methods": [
        "pca",
        "pca+smooth",
        "registered",
        "sh-vae",
        "balanced-sl1-w0.1-s0.3",
        "balanced-sl1-w0.1-s0.3+refine",
    ],
    "phantoms": ["bfo-*-low-straight", "perovskite-random-low-straight"],
}


# -- What is done, and what is left ------------------------------------------------------------


class Benchmark:
    """The results in a folder, and the work that is still to do."""

    def __init__(
        self, folder: Path, *, patches: int, epochs: int, workers: int = 1, device: str = "cpu"
    ) -> None:
        self.folder, self.patches, self.workers, self.device = folder, patches, workers, device
        self.rows, self.cases = all_rows(epochs), all_cases()
        self.settings = {
            "patches": patches, "epochs": epochs, "noise": NOISE, "distortion": DISTORTION,
            "repeat": REPEAT,
        }  # fmt: skip
        self.path = folder / "results.json"
        self.runs: list[Record] = []
        self.cells: dict[tuple[str, str], dict[int, Record]] = {}  # method, phantom; seed
        if self.path.is_file():
            before = json.loads(self.path.read_text(encoding="utf-8"))
            if before["settings"] != self.settings:
                raise SystemExit(
                    f"{self.path} holds results of {before['settings']}, but this run asks for "
                    f"{self.settings}; choose another --folder."
                )
            self.runs = before["runs"]
            self._add(before["cells"])

    def run(self, rows: Iterable[str], cases: Iterable[str], seeds: int, tuning: int) -> None:
        """Do all that is missing: first what chooses the settings, then what is reported."""
        rows, cases = list(rows), [self.cases[name] for name in cases]
        self.runs.append(_about())
        choosing = [row for row in rows if len(self.rows[row]) > 1]
        sisters = dict.fromkeys(self._sister(case) for case in cases)
        self._do(
            (method, case, TUNING + seed)
            for case in sisters
            for seed in range(tuning)
            for row in choosing
            for method in self.rows[row]
        )
        self._do(
            (self.choice(row, case), case, seed)
            for case in cases
            for seed in range(seeds)
            for row in rows
        )

    def choice(self, row: str, case: Case) -> Method:
        """Return the setting of a row with the best mean ARI on the seeds that choose."""
        methods = self.rows[row]
        if len(methods) == 1:
            return methods[0]
        phantom = self._sister(case).name

        def quality(method: Method) -> float:
            tried = self._by_seed(method.name, phantom)
            scores = [record["ari"] for seed, record in tried.items() if seed >= TUNING]
            return float(np.mean(scores)) if scores else -1.0

        return max(methods, key=quality)

    def found(self, row: str, case: Case) -> list[Record]:
        """Return the reported records of a row on a phantom, one per seed."""
        found = self._by_seed(self.choice(row, case).name, case.name)
        return [found[seed] for seed in sorted(found) if seed < TUNING]

    def _by_seed(self, method: str, phantom: str) -> dict[int, Record]:
        return self.cells.get((method, phantom), {})

    def _add(self, records: Iterable[Record]) -> None:
        for record in records:
            key = (record["method"], record["phantom"])
            self.cells.setdefault(key, {})[record["seed"]] = record

    def _sister(self, case: Case) -> Case:
        return replace(case, material="bfo") if case.is_control else case

    def _do(self, wanted: Iterable[tuple[Method, Case, int]]) -> None:
        jobs = list(self._jobs(wanted))
        spent: dict[bool, list[float]] = {True: [], False: []}  # by whether it trains
        for done, (job, (records, seconds)) in enumerate(self._results(jobs), start=1):
            self._add(records)
            self._save()
            spent[isinstance(job.start, Trained)].append(seconds)
            left = jobs[done:]
            known = [s for group in spent.values() for s in group]
            guess = sum(np.mean(spent[isinstance(j.start, Trained)] or known) for j in left) / max(
                1, self.workers
            )
            print(
                f"[{done}/{len(jobs)}] {job.start.name}, {job.case.name}, seed {job.seed}: "
                f"{len(records)} cells in {seconds:.1f} s; about {guess / 60:.0f} min left",
                flush=True,
            )

    def _jobs(self, wanted: Iterable[tuple[Method, Case, int]]) -> Iterator[Job]:
        """Gather what is missing by what it starts from, so that nothing is trained twice."""
        groups: dict[tuple[Method, Case, int], dict[str, Method]] = {}
        for method, case, seed in wanted:
            if seed not in self._by_seed(method.name, case.name):
                groups.setdefault((root(method), case, seed), {})[method.name] = method
        for (start, case, seed), methods in groups.items():
            # The start itself is scored by the way, once it is there.
            if seed not in self._by_seed(start.name, case.name):
                methods[start.name] = start
            yield Job(
                case, seed, start, tuple(methods.values()), self.folder, self.patches, self.device
            )

    def _results(self, jobs: list[Job]) -> Iterator[tuple[Job, tuple[list[Record], float]]]:
        if self.workers <= 1:
            yield from ((job, job.run()) for job in jobs)
            return
        # A forked process would inherit torch's threads in an unknown state.
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(self.workers, mp_context=context) as pool:
            waiting = {pool.submit(job.run): job for job in jobs}
            for future in concurrent.futures.as_completed(waiting):
                yield waiting[future], future.result()

    def _save(self) -> None:
        cells = [record for seeds in self.cells.values() for record in seeds.values()]
        content = {"settings": self.settings, "runs": self.runs, "cells": cells}
        with whole(self.path) as path:
            path.write_text(json.dumps(content, indent=0), encoding="utf-8")


def _about() -> Record:
    packages = ("phyvae", "torch", "pyroved", "numpy", "scikit-learn", "scipy")
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "command": " ".join(["python examples/benchmarks/benchmark_domains.py", *sys.argv[1:]]),
        "python": platform.python_version(),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} cores",
        "versions": {name: version(name) for name in packages},
    }


# -- The command -------------------------------------------------------------------------------


def options(arguments: list[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--methods", nargs="+", metavar="NAME", help="rows; default: all")
    parser.add_argument("--phantoms", nargs="+", metavar="NAME", help="columns; default: all")
    parser.add_argument("--seeds", type=int, default=5, help="seeds reported")
    parser.add_argument("--tuning-seeds", type=int, default=2, help="seeds to choose settings")
    parser.add_argument("--workers", type=int, default=1, help="processes, one thread each")
    parser.add_argument("--device", default="cpu", help='where to train: "cpu" or "cuda"')
    parser.add_argument("--folder", type=Path, default=Path("benchmark_figures"))
    parser.add_argument("--quick", action="store_true", help="small maps, short training")
    parser.add_argument("--list", action="store_true", help="print the names, do nothing")
    return parser.parse_args(arguments)


def matching(patterns: list[str] | None, names: Iterable[str], option: str) -> list[str]:
    """Return the names that match any of the patterns, in their own order."""
    names = list(names)
    for pattern in patterns or []:
        if not fnmatch.filter(names, pattern):
            raise SystemExit(f"{option} {pattern!r} matches none of: {', '.join(names)}")
    return [n for n in names if any(fnmatch.fnmatchcase(n, p) for p in patterns or ["*"])]


def main(arguments: list[str] | None = None) -> None:
    given = options(arguments)
    chosen = QUICK if given.quick else {"methods": None, "phantoms": None}
    if not 1 <= given.seeds < TUNING:
        raise SystemExit(f"--seeds {given.seeds} must lie in [1, {TUNING - 1}].")
    benchmark = Benchmark(
        given.folder,
        patches=18 if given.quick else 36,
        epochs=10 if given.quick else 50,
        workers=given.workers,
        device=given.device,
    )
    rows = matching(given.methods or chosen["methods"], benchmark.rows, "--methods")
    cases = matching(given.phantoms or chosen["phantoms"], benchmark.cases, "--phantoms")
    if given.list:
        print("rows:", *rows, "phantoms:", *cases, sep="\n  ")
        return
    benchmark.run(rows, cases, given.seeds, given.tuning_seeds)
    benchmark_report.write(benchmark, given.folder)
    print(f"results.json, table.md and figure.png are in {given.folder}/")


if __name__ == "__main__":
    main()
