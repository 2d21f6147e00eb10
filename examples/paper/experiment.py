"""What the examples share: options, an image to work on, a comparison of objectives on it."""

import argparse
import copy
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import phyvae
from phyvae.phantoms import Phantom


def options(description: str, folder: str) -> argparse.Namespace:
    """Read the command line: which image, how long, where to."""
    parser = argparse.ArgumentParser(description=description.strip().partition("\n")[0])
    parser.add_argument(
        "--image",
        type=Path,
        help="your own image instead of the phantom: any file that phyvae.read reads",
    )
    parser.add_argument("--size", type=int, help="patch size, px (default: see phyvae.suggest)")
    parser.add_argument("--step", type=int, help="distance of patches, px (default: likewise)")
    parser.add_argument(
        "--classes", type=int, help="number of domains (default: as many as are counted)"
    )
    parser.add_argument("--quick", action="store_true", help="a smaller run, some two minutes")
    parser.add_argument("--seed", type=int, default=0, help="seed of phantom, weights, training")
    parser.add_argument("--device", default="cpu", help='"cpu" (default) or "cuda"')
    parser.add_argument("--folder", type=Path, default=Path(folder), help="where figures go")
    return parser.parse_args()


class Prepared(NamedTuple):
    """Patches, the true domains if they are known, and what suits them.

    `names` are those of the true domains. `model` are the settings of `ShiftVAE`, `reach` is that
    of `align`: None of spectra, which have no lattice.
    """

    grid: phyvae.PatchGrid
    truth: np.ndarray | None
    model: dict[str, Any]
    reach: tuple[int, int] | None
    names: tuple[str, ...] = ()


def prepare(arguments: argparse.Namespace, phantom: Callable[..., Phantom], nm: float) -> Prepared:
    """Cut the user's image into patches, or that of the phantom, whose pixels are `nm` wide."""
    settings: dict[str, Any] = {"seed": arguments.seed, "device": arguments.device}
    made = None
    if arguments.image is None:
        side = 320 if arguments.quick else 456
        made = phantom(shape=(side, side), seed=arguments.seed)
        scan = phyvae.Scan(made.image, pixel_size=(nm, nm))
    else:
        scan = phyvae.read(arguments.image)
        scan = scan[0] if isinstance(scan, list) else scan
    if scan.cube is not None:  # one spectrum per pixel
        grid = phyvae.PatchGrid.from_spectra(scan)
        # A Bernoulli decoder does not resolve small differences of spectra.
        settings |= {"sampler_d": "gaussian", "decoder_sig": noise_of(grid)}
        return Prepared(grid, None, settings, None)
    try:
        found = phyvae.suggest(scan, size=arguments.size, step=arguments.step)
    except ValueError as error:
        raise SystemExit(f"{error} The examples need a lattice.") from error
    print(*found.reasons.values(), sep="\n")
    grid = found.grid()
    settings |= {"dx_prior": found.dx_prior}
    truth = None if made is None else grid.sample(made.domains)
    names = () if made is None else made.names
    return Prepared(grid, truth, settings, found.reach, names)


def started(prepared: Prepared) -> phyvae.ShiftVAE:
    """Return the model that every training starts from; it knows the lattice."""
    model = phyvae.ShiftVAE(prepared.grid.patch_shape, **prepared.model)
    if prepared.reach is not None:
        print("aligning the model with the lattice ...", flush=True)
        seed = prepared.model["seed"]
        print(phyvae.align(model, prepared.grid, reach=prepared.reach, seed=seed))
    return model


def counted(model: phyvae.ShiftVAE, grid: phyvae.PatchGrid) -> int:
    """Return the number of domains in the maps of a model, at least 2."""
    found = phyvae.domain_evidence(model.latent_maps(grid), grid=grid)
    print(f"{found.number} domain(s): {found.reason}")
    return max(found.number, 2)


def noise_of(grid: phyvae.PatchGrid) -> float:
    """Return the standard deviation of the noise of scaled spectra, from second differences."""
    curvature = grid.image.diff(n=2, dim=-1).abs()
    return float(curvature.median()) / 0.6745 / 6**0.5


class Experiment:
    """One grid, several objectives: train each, compare them, draw them."""

    def __init__(
        self, arguments: argparse.Namespace, phantom: Callable[..., Phantom], nm: float
    ) -> None:
        """Start a model on the user's image, or on that of the phantom: `nm` is its pixel."""
        self.folder, self.is_quick, self.seed = arguments.folder, arguments.quick, arguments.seed
        prepared = prepare(arguments, phantom, nm)
        self.grid, self.truth = prepared.grid, prepared.truth
        self.names = prepared.names or None
        print(self.grid)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.save("image_and_patches", phyvae.plot_patches(self.grid))
        self.start = started(prepared)
        true = 0 if self.truth is None else len(np.unique(self.truth))
        self.classes = arguments.classes or true or counted(self.start, self.grid)

    def train(
        self,
        objectives: Mapping[str, phyvae.PhysicsObjective | None],
        *,
        epochs: int,
        beta: phyvae.LinearBeta,
        steps: int = 1400,
    ) -> None:
        """Train a model with each objective, all from one start; print what was measured."""
        print(f"training {'; '.join(objectives)} ...", flush=True)
        # Maps take steps to form, not epochs: as many for a small image as for a large one.
        per_epoch = math.ceil((470 if self.is_quick else steps) / epochs)
        self.fit = {"epochs": epochs, "beta": beta, "steps_per_epoch": per_epoch}
        self.sweep = phyvae.sweep(
            self.grid,
            {name: phyvae.Setting(one, seed=self.seed) for name, one in objectives.items()},
            model=lambda seed: self.start,
            **self.fit,
        )
        self.maps = self.sweep.maps
        domains: dict[str, Any] = {"classes": self.classes, "truth": self.truth}
        self.labels = self.sweep.labels(**domains)
        print(self.sweep.table(**domains))
        if self.truth is not None:
            print(f"true walls: {phyvae.boundary_length(self.truth):.0f} map px")

    def save(self, name: str, drawn: tuple[Any, Any]) -> None:
        """Save a figure into the folder."""
        drawn[0].savefig(self.folder / f"{name}.png", dpi=150)

    def plot(self, name: str, rows: Mapping[str, tuple[Any, Any]]) -> None:
        """Plot a row per entry, below the image and the truth; save the figure."""
        known = {"grid": self.grid, "truth": self.truth, "label_names": self.names}
        self.save(name, phyvae.plot_comparison(rows, **known))

    def matched(self, labels: Any) -> Any:
        """Return labels numbered as the true ones or, without these, as the first result."""
        first = next(iter(self.labels.values()))
        return phyvae.match_labels(labels, first if self.truth is None else self.truth)

    def compare(self) -> None:
        """Draw the truth, every map and its domains, one row per objective; training curves."""
        self.plot(
            "maps_and_domains", {name: (z, self.labels[name]) for name, z in self.maps.items()}
        )
        self.save("loss_history", phyvae.plot_history(self.sweep.histories))

    def over_epochs(self, objective: phyvae.PhysicsObjective, looks: Collection[int]) -> None:
        """Train once more; draw the maps at the start and after some of the epochs."""
        rows: dict[str, tuple[Any, Any]] = {}

        def look(trainer: phyvae.PhysicsTrainer, epoch: int) -> None:
            if epoch in looks:
                maps = trainer.model.latent_maps(self.grid)
                labels = self.matched(phyvae.segment(maps, self.classes))
                rows[f"epoch {epoch}"] = maps, labels
                edges = float(phyvae.EdgeLoss()(maps))
                line = f"| {epoch} | {edges:.3f} | {phyvae.boundary_length(labels):.0f} |"
                if self.truth is not None:
                    line += f" {phyvae.adjusted_rand_index(labels, self.truth):.3f} |"
                table.append(line)

        table = ["| epoch | Ψ (SL1) | walls, map px |", "| --- | --- | --- |"]
        if self.truth is not None:
            table = [f"{table[0]} ARI |", f"{table[1]} --- |"]
        trainer = phyvae.PhysicsTrainer(copy.deepcopy(self.start), objective, seed=self.seed)
        look(trainer, 0)
        trainer.fit(self.grid, **self.fit, callbacks=[look])
        print(*table, sep="\n")
        self.plot("over_epochs", rows)

    def portrait(self, name: str) -> None:
        """Draw one result in full: maps, domains on the image, manifold, distribution."""
        maps, labels = self.maps[name], self.labels[name]
        named = {"label_names": self.names}
        self.save("latent_maps", phyvae.plot_latent_maps(maps, labels, grid=self.grid, **named))
        self.save("segmentation", phyvae.plot_segmentation(self.grid, labels, **named))
        model = self.sweep.models[name]
        self.save("manifold", phyvae.plot_manifold(model, 5, maps=maps, width=5.0))
        self.save("distribution", phyvae.plot_distribution(maps, labels, **named))
