"""One piece of the benchmark's work: methods that start from the same maps, on one phantom."""

import os
import re
import time
import warnings
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmark_methods import ALIGN, Method, Refined, Smoothed, Trained
from benchmark_phantoms import Case
from benchmark_scores import score, score_free

import phyvae

TUNING = 1000  # the first of the seeds that choose settings; reported seeds are below
Record = dict[str, Any]


@dataclass(frozen=True)
class Job:
    """Methods that start from the same maps, on one phantom of one seed."""

    case: Case
    seed: int
    start: Method
    methods: tuple[Method, ...]
    folder: Path
    patches: int
    device: str = "cpu"

    def clock(self) -> float:
        """Return seconds of one core, which other work on the machine does not lengthen."""
        return time.process_time() if self.device == "cpu" else time.perf_counter()

    def run(self) -> tuple[list[Record], float]:
        """Return a record per method, and the seconds that all took on the clock."""
        torch.set_num_threads(1)
        began = time.perf_counter()
        data = self.case.data(self.seed, self.patches)
        maps, model, seconds = self._first(data.grid, data.scan, data.repeat)
        records = []
        for method in self.methods:
            started = self.clock()
            mine, signal = maps, None
            if isinstance(method, Smoothed):
                mine = method.after(maps)
            elif isinstance(method, Refined):
                refined = method.after(model, data.grid)
                mine = refined.maps.numpy()
                # Neighbours give flat levels even to a collapsed map, hence `signal`. An encoder
                # that is not trained further has no trained standard deviations.
                if method.of.epochs > 0:
                    signal = refined.signal.numpy()
            record = {"method": method.name, "phantom": self.case.name, "seed": self.seed}
            record["seconds"] = seconds + self.clock() - started
            record |= score(mine, data, signal)
            if self.seed < TUNING:
                record |= score_free(mine)
            if method is self.start and model is not None:
                evaluated = phyvae.PhysicsTrainer(model).evaluate(data.again)
                record["neg_elbo"] = float(evaluated.neg_elbo)
            records.append(record)
        return records, time.perf_counter() - began

    def _first(
        self, grid: phyvae.PatchGrid, scan: phyvae.PatchGrid, repeat: float
    ) -> tuple[np.ndarray, phyvae.ShiftVAE | None, float]:
        """Return maps, model and seconds of the starting method, from the folder where it can."""
        stem = re.sub(r"[^\w.+-]+", "_", f"{self.start.name}-{self.case.name}-{self.seed}")
        kept, weights = self.folder / "maps" / f"{stem}.npz", self.folder / f"models/{stem}"
        model = None
        if kept.is_file() and (weights.is_file() or not isinstance(self.start, Trained)):
            if isinstance(self.start, Trained):
                model = phyvae.load_model(weights)
            with np.load(kept) as saved:
                return saved["maps"], model, float(saved["seconds"])
        aligned, before = None, 0.0
        if isinstance(self.start, Trained) and self.start.goes_on_from_align:
            _, aligned, before = replace(self, start=ALIGN)._first(grid, scan, repeat)
        started = self.clock()
        if isinstance(self.start, Trained):
            with warnings.catch_warnings():
                if self.case.is_control:  # its maps have no signal
                    warnings.simplefilter("ignore", phyvae.CollapsedMapsWarning)
                model = self.start.train(grid, self.seed, self.device, scan, aligned, repeat)
            maps = model.latent_maps(grid).numpy()
        else:
            maps = self.start.maps(grid, self.seed)
        seconds = before + self.clock() - started
        if model is not None:
            weights.parent.mkdir(parents=True, exist_ok=True)
            model.save(weights)
        with whole(kept) as path, path.open("wb") as file:
            np.savez(file, maps=maps, seconds=seconds)
        return maps, model, seconds


class whole:
    """Write a file under a temporary name and rename it, so that no half of it is ever seen."""

    def __init__(self, path: Path) -> None:
        self.path, self.temporary = path, path.with_name(f"{path.name}.{os.getpid()}.tmp")
        path.parent.mkdir(parents=True, exist_ok=True)

    def __enter__(self) -> Path:
        return self.temporary

    def __exit__(self, kind: Any, *_: Any) -> None:
        if kind is None:
            self.temporary.replace(self.path)
        else:
            self.temporary.unlink(missing_ok=True)
