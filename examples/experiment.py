"""What the examples share: options, an image to work on, a comparison of objectives on it."""

import argparse
import copy
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

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


def suggested(
    image: np.ndarray, size: int | None, step: int | None
) -> tuple[phyvae.PatchGrid, tuple[float, float], tuple[int, int]]:
    """Return the grid, `dx_prior` and `reach` that suit an image, but for a size or step given."""
    try:
        found = phyvae.suggest(image)
    except ValueError as error:
        raise SystemExit(f"{error} Examples need a lattice.") from error
    print(*found.reasons, sep="\n")
    grid = phyvae.PatchGrid(found.image, size or found.size, step or found.step, mask=found.mask)
    pairs = zip(found.dx_prior, found.size, grid.patch_shape, strict=True)
    y, x = (prior * usual / own for prior, usual, own in pairs)
    return grid, (y, x), found.reach


def noise_of(grid: phyvae.PatchGrid) -> float:
    """Return the standard deviation of the noise of scaled spectra, from second differences."""
    curvature = grid.image.diff(n=2, dim=-1).abs()
    return float(curvature.median()) / 0.6745 / 6**0.5


class Experiment:
    """One grid, several objectives: train each, compare them, draw them."""

    def __init__(self, arguments: argparse.Namespace, phantom: Callable[..., Phantom]) -> None:
        """Cut the image into patches and start a model on them: the user's, or the phantom's."""
        self.folder, self.is_quick = arguments.folder, arguments.quick
        self.model: dict[str, Any] = {"seed": arguments.seed, "device": arguments.device}
        self.truth, self.reach = None, None
        if arguments.image is None:
            side = 320 if arguments.quick else 456
            made = phantom(shape=(side, side), seed=arguments.seed)
            image = made.image
        else:
            image = read(arguments.image)
        if image.ndim == 3:  # one spectrum per pixel
            self.grid = phyvae.PatchGrid.from_spectra(image)
            # A Bernoulli decoder does not resolve small differences of spectra.
            self.model |= {"sampler_d": "gaussian", "decoder_sig": noise_of(self.grid)}
        else:
            self.grid, dx_prior, self.reach = suggested(image, arguments.size, arguments.step)
            self.model |= {"dx_prior": dx_prior}
        print(self.grid)
        if arguments.image is None:
            self.truth = self.grid.sample(made.domains)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.save("image_and_patches", phyvae.plot_patches(self.grid))
        self.start = self.started_model()
        self.classes = arguments.classes or self.counted()

    def started_model(self) -> phyvae.ShiftVAE:
        """Return the model that every training starts from; it knows the lattice."""
        model = phyvae.ShiftVAE(self.grid.patch_shape, **self.model)
        if self.reach is not None:
            print("aligning the model with the lattice ...", flush=True)
            seed = self.model["seed"]
            print(phyvae.align(model, self.grid, reach=self.reach, seed=seed))
        return model

    def counted(self) -> int:
        """Return the number of domains: the true one, or that of the start's maps, at least 2."""
        if self.truth is not None:
            return len(np.unique(self.truth))
        if self.reach is None:
            return 2
        wall = max(np.divide(self.grid.patch_shape, self.grid.step))
        found = phyvae.domain_evidence(self.start.latent_maps(self.grid), wall=wall)
        print(f"{found.number} domain(s): {found.reason}")
        return max(found.number, 2)

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
        seed = self.model["seed"]
        self.sweep = phyvae.sweep(
            self.grid,
            {name: phyvae.Setting(one, seed=seed) for name, one in objectives.items()},
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
        trainer = phyvae.PhysicsTrainer(
            copy.deepcopy(self.start), objective, seed=self.model["seed"]
        )
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
