"""What the examples share: options, an image to work on, a comparison of objectives on it."""

import argparse
import copy
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import skimage

import phyvae
from phyvae.phantoms import Phantom


def options(description: str, folder: str) -> argparse.Namespace:
    """Read the command line: which image, how long, where to."""
    parser = argparse.ArgumentParser(description=description.strip().partition("\n")[0])
    parser.add_argument(
        "--image",
        type=Path,
        help="your own image instead of the phantom: .npy, .npz (key image, or cube for spectra) "
        "or any picture",
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


def read(path: Path) -> np.ndarray:
    """Read an image, or a spectrum image: .npz (key image or cube), .npy, or any picture."""
    if path.suffix == ".npz":
        with np.load(path) as data:
            for key in ("image", "cube"):
                if key in data:
                    return data[key]
            raise SystemExit(f"{path} has {list(data)}, but 'image' or 'cube' is needed.")
    image = np.load(path) if path.suffix == ".npy" else skimage.io.imread(path)
    is_colour = image.ndim == 3 and image.shape[-1] in (3, 4)
    return skimage.color.rgb2gray(image[..., :3]) if is_colour else image


class Prepared(NamedTuple):
    """Patches, the true domains if they are known, and what suits them.

    `model` are the settings of `ShiftVAE`, `reach` is that of `align`: None of spectra, which
    have no lattice.
    """

    grid: phyvae.PatchGrid
    truth: np.ndarray | None
    model: dict[str, Any]
    reach: tuple[int, int] | None


def prepare(arguments: argparse.Namespace, phantom: Callable[..., Phantom]) -> Prepared:
    """Cut the user's image into patches, or that of the phantom."""
    settings: dict[str, Any] = {"seed": arguments.seed, "device": arguments.device}
    made = None
    if arguments.image is None:
        side = 320 if arguments.quick else 456
        made = phantom(shape=(side, side), seed=arguments.seed)
    image = read(arguments.image) if made is None else made.image
    if image.ndim == 3:  # one spectrum per pixel
        grid = phyvae.PatchGrid.from_spectra(image)
        # A Bernoulli decoder does not resolve small differences of spectra.
        settings |= {"sampler_d": "gaussian", "decoder_sig": noise_of(grid)}
        return Prepared(grid, None, settings, None)
    try:
        found = phyvae.suggest(image)
    except ValueError as error:
        raise SystemExit(f"{error} The examples need a lattice.") from error
    print(*found.reasons.values(), sep="\n")
    size, step = arguments.size or found.size, arguments.step or found.step
    grid = phyvae.PatchGrid(found.image, size, step, mask=found.mask)
    pairs = zip(found.dx_prior, found.size, grid.patch_shape, strict=True)
    settings |= {"dx_prior": tuple(prior * usual / own for prior, usual, own in pairs)}
    truth = None if made is None else grid.sample(made.domains)
    return Prepared(grid, truth, settings, found.reach)


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

    def __init__(self, arguments: argparse.Namespace, phantom: Callable[..., Phantom]) -> None:
        """Start a model on the user's image, or on that of the phantom."""
        self.folder, self.is_quick, self.seed = arguments.folder, arguments.quick, arguments.seed
        prepared = prepare(arguments, phantom)
        self.grid, self.truth = prepared.grid, prepared.truth
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

    def compare(self) -> None:
        """Draw the truth, every map and its domains, one row per objective; training curves."""
        self.save("maps_and_domains", self.sweep.plot(classes=self.classes, truth=self.truth))
        self.save("loss_history", phyvae.plot_history(self.sweep.histories))

    def over_epochs(self, objective: phyvae.PhysicsObjective, looks: Collection[int]) -> None:
        """Train once more; draw the maps at the start and after some of the epochs."""
        rows: dict[str, tuple[Any, Any]] = {}

        def look(trainer: phyvae.PhysicsTrainer, epoch: int) -> None:
            if epoch in looks:
                maps = trainer.model.latent_maps(self.grid)
                labels = phyvae.segment(maps, self.classes)
                if self.truth is not None:
                    labels = phyvae.match_labels(labels, self.truth)
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
        self.save("over_epochs", phyvae.plot_comparison(rows, truth=self.truth, grid=self.grid))

    def portrait(self, name: str) -> None:
        """Draw one result in full: maps, domains on the image, manifold, distribution."""
        maps, labels = self.maps[name], self.labels[name]
        self.save("latent_maps", phyvae.plot_latent_maps(maps, labels, grid=self.grid))
        self.save("segmentation", phyvae.plot_segmentation(self.grid, labels))
        self.save("manifold", phyvae.plot_manifold(self.sweep.models[name], maps=maps))
        self.save("distribution", phyvae.plot_distribution(maps, labels))
