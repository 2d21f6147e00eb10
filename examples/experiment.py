"""What the examples share: options, an image to work on, a comparison of objectives on it."""

import argparse
import copy
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from scipy import ndimage

import phyvae
from phyvae.phantoms import Phantom


def options(description: str, folder: str, repeat: float = 1.0) -> argparse.Namespace:
    """Read the command line: which image, how long, where to.

    `repeat` is the period of the phantom's pattern, in lattice constants.
    """
    parser = argparse.ArgumentParser(description=description.strip().partition("\n")[0])
    parser.add_argument(
        "--image",
        type=Path,
        help="your own image instead of the phantom: .npy, .npz (key image, or cube for spectra) "
        "or any picture",
    )
    parser.add_argument(
        "--size",
        type=int,
        help="patch size, px (default: 24; of your image, 2.5 spacings of its lattice)",
    )
    parser.add_argument(
        "--step", type=int, help="distance of patches, px (default: half their size)"
    )
    parser.add_argument(
        "--repeat",
        type=float,
        help="period of the pattern, in lattice constants: how far shifts go (default: "
        f"{repeat:.3g}; of your image, 1)",
    )
    parser.add_argument("--classes", type=int, help="number of domains to look for")
    parser.add_argument("--quick", action="store_true", help="a smaller run, some two minutes")
    parser.add_argument("--seed", type=int, default=0, help="seed of phantom, weights, training")
    parser.add_argument("--device", default="cpu", help='"cpu" (default) or "cuda"')
    parser.add_argument("--folder", type=Path, default=Path(folder), help="where figures go")
    given = parser.parse_args()
    if given.repeat is None:
        given.repeat = repeat if given.image is None else 1.0
    if not 0 < given.repeat < math.inf:
        parser.error(f"--repeat {given.repeat:g} must be a number of lattice constants > 0.")
    return given


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


def prepare(
    arguments: argparse.Namespace,
    phantom: Callable[..., Phantom],
    *,
    percentiles: tuple[float, float] = (0.0, 100.0),
    flatten: bool = False,
) -> tuple[phyvae.PatchGrid, np.ndarray | None]:
    """Return the patch grid of the phantom with its true domains, or that of the user's image."""
    if arguments.image is None:
        side = 320 if arguments.quick else 456
        made = phantom(shape=(side, side), seed=arguments.seed)
        image = flattened(made.image) if flatten else made.image
        size, step = arguments.size or 24, arguments.step or 12
        grid = phyvae.PatchGrid(image, size, step, percentiles=percentiles)
        return grid, grid.sample(made.domains)
    image = read(arguments.image)
    if image.ndim == 3:  # one spectrum per pixel
        return phyvae.PatchGrid.from_spectra(image, percentiles=percentiles), None
    image = flattened(image) if flatten else image
    size = arguments.size or round(2.5 * phyvae.lattice_spacing(image))
    step = arguments.step or size // 2
    print(f"patches of {size} px, at steps of {step} px")
    return phyvae.PatchGrid(image, size, step, percentiles=percentiles), None


def flattened(image: np.ndarray) -> np.ndarray:
    """Subtract what is far wider than the lattice: drift, tilt, topography."""
    width = 2.5 * phyvae.lattice_spacing(image)
    return image - ndimage.gaussian_filter(image.astype(float), width)


def reach_of(grid: phyvae.PatchGrid, repeat: float) -> int:
    """Return align's own reach, px, times the pattern's period in lattice constants."""
    return round(repeat * (3 * min(grid.patch_shape) // 8))


def noise_of(grid: phyvae.PatchGrid) -> float:
    """Return the standard deviation of the noise of scaled spectra, from second differences."""
    curvature = grid.image.diff(n=2, dim=-1).abs()
    return float(curvature.median()) / 0.6745 / 6**0.5


class Experiment:
    """One grid, several objectives: train each, compare them, draw them."""

    def __init__(
        self,
        arguments: argparse.Namespace,
        grid: phyvae.PatchGrid,
        truth: np.ndarray | None,
        *,
        epochs: int,
        beta: phyvae.LinearBeta,
        classes: int,
        steps: int = 1400,
    ) -> None:
        """Start a model on the grid."""
        self.grid, self.truth, self.folder = grid, truth, arguments.folder
        self.epochs, self.beta, self.classes = epochs, beta, classes
        # Maps take steps to form, not epochs: as many for a small image as for a large one.
        self.steps_per_epoch = math.ceil((470 if arguments.quick else steps) / epochs)
        self.model: dict[str, Any] = {"seed": arguments.seed, "device": arguments.device}
        if len(grid.patch_shape) == 2:
            self.model |= {"dx_prior": 0.3 * arguments.repeat}
            self.reach = reach_of(grid, arguments.repeat)
        elif arguments.repeat != 1:
            raise SystemExit("--repeat is for images: spectra have no lattice; leave it out.")
        else:  # a Bernoulli decoder does not resolve small differences of spectra
            self.model |= {"sampler_d": "gaussian", "decoder_sig": noise_of(grid)}
        pixels = min(1.0, 144 / math.prod(grid.patch_shape))
        self.trainer: dict[str, Any] = {"pixels": pixels, "batch_size": 49}
        self.folder.mkdir(parents=True, exist_ok=True)
        self.save("image_and_patches", phyvae.plot_patches(grid))
        self.start = self.started_model()

    def started_model(self) -> phyvae.ShiftVAE:
        """Return the model that every training starts from; it knows the lattice."""
        model = phyvae.ShiftVAE(self.grid.patch_shape, **self.model)
        if len(self.grid.patch_shape) == 2:
            print("aligning the model with the lattice ...", flush=True)
            found = phyvae.align(model, self.grid, reach=self.reach, seed=self.model["seed"])
            clear = ", ".join(f"{rho:.2f}" for rho in found.autocorrelations[:4])
            print(f"{found.share:.0%} of neighbouring windows have the shifts they should have")
            print(f"autocorrelation of the first factors: {clear}")
        return model

    def train(self, objectives: Mapping[str, phyvae.PhysicsObjective | None]) -> None:
        """Train a model with each objective, all from one start; print what was measured."""
        print(f"training {'; '.join(objectives)} ...", flush=True)
        seed = self.model["seed"]
        self.sweep = phyvae.sweep(
            self.grid,
            {name: phyvae.Setting(one, seed=seed) for name, one in objectives.items()},
            self.epochs,
            model=lambda seed: self.start,
            beta=self.beta,
            steps_per_epoch=self.steps_per_epoch,
            **self.trainer,
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
            copy.deepcopy(self.start), objective, seed=self.model["seed"], **self.trainer
        )
        look(trainer, 0)
        trainer.fit(
            self.grid,
            self.epochs,
            beta=self.beta,
            steps_per_epoch=self.steps_per_epoch,
            callbacks=[look],
        )
        print(*table, sep="\n")
        self.save("over_epochs", phyvae.plot_comparison(rows, truth=self.truth, grid=self.grid))

    def portrait(self, name: str) -> None:
        """Draw one result in full: maps, domains on the image, manifold, distribution."""
        maps, labels = self.maps[name], self.labels[name]
        self.save("latent_maps", phyvae.plot_latent_maps(maps, labels, grid=self.grid))
        self.save("segmentation", phyvae.plot_segmentation(self.grid, labels))
        self.save("manifold", phyvae.plot_manifold(self.sweep.models[name], maps=maps))
        self.save("distribution", phyvae.plot_distribution(maps, labels))
