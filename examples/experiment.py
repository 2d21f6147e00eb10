"""What the examples share: options, an image to work on, a comparison of objectives on it."""

import argparse
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import skimage
from torch import Tensor

import phyvae


def options(description: str, folder: str) -> argparse.Namespace:
    """Read the command line: which image, how long, where to."""
    parser = argparse.ArgumentParser(description=description.strip().partition("\n")[0])
    parser.add_argument("--image", type=Path, help="your own image instead of the phantom")
    parser.add_argument("--size", type=int, help="patch height and width, px")
    parser.add_argument("--step", type=int, help="distance of neighbouring patches, px")
    parser.add_argument("--classes", type=int, help="number of domains to look for")
    parser.add_argument("--quick", action="store_true", help="a smaller run, under a minute")
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


def cut(
    image: np.ndarray, size: int, step: int, percentiles: tuple[float, float] = (0.0, 100.0)
) -> phyvae.PatchGrid:
    """Cut an image into patches; a spectrum image has one spectrum per pixel already."""
    if image.ndim == 3:
        return phyvae.PatchGrid.from_spectra(image, percentiles=percentiles)
    return phyvae.PatchGrid(image, size=size, step=step, percentiles=percentiles)


class Experiment:
    """One grid, several objectives: train each, compare them, draw them."""

    def __init__(
        self,
        grid: phyvae.PatchGrid,
        folder: Path,
        *,
        epochs: int,
        beta: phyvae.LinearBeta,
        segment: Callable[[Tensor], np.ndarray],
        truth: np.ndarray | None = None,
        model: Mapping[str, Any],
        trainer: Mapping[str, Any],
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.grid, self.folder, self.epochs, self.beta = grid, folder, epochs, beta
        self.segment, self.truth = segment, truth
        self.model, self.trainer = dict(model), dict(trainer)
        self.models: dict[str, phyvae.ShiftVAE] = {}
        self.maps: dict[str, Tensor] = {}
        self.labels: dict[str, np.ndarray] = {}
        self.histories: dict[str, phyvae.History] = {}
        self.rows: list[str] = []

    def run(self, name: str, objective: phyvae.PhysicsObjective | None, **fit: Any) -> None:
        """Train a model with this objective; keep its maps and domains, and a row of the table."""
        print(f"training {name} ...", flush=True)
        model = phyvae.ShiftVAE(self.grid.patch_shape, **self.model)
        trainer = phyvae.PhysicsTrainer(model, objective, **self.trainer)
        started = time.perf_counter()
        self.histories[name] = trainer.fit(self.grid, self.epochs, beta=self.beta, **fit)
        seconds = time.perf_counter() - started
        maps = model.latent_maps(self.grid)
        labels = self.segment(maps)
        reference = (
            self.truth if self.truth is not None else next(iter(self.labels.values()), labels)
        )
        labels = phyvae.match_labels(labels, reference)  # so that colours mean the same
        self.models[name], self.maps[name], self.labels[name] = model, maps, labels
        agreement = "–"
        if self.truth is not None:
            agreement = f"{phyvae.adjusted_rand_index(labels, self.truth):.3f}"
        self.rows.append(
            f"| {name} | {trainer.evaluate(self.grid).neg_elbo:.2f} "
            f"| {phyvae.EdgeLoss()(maps):.3f} | {phyvae.FourierLoss()(maps):.3f} | {agreement} "
            f"| {phyvae.boundary_length(labels):.0f} | {seconds:.0f} |"
        )

    def table(self) -> str:
        """Return what was measured, as a Markdown table."""
        rows = [
            "| objective | −ELBO (nats/patch) | Ψ SL1 | Ψ SL2 | ARI | walls (map px) | s |",
            "| --- | --- | --- | --- | --- | --- | --- |",
            *self.rows,
        ]
        if self.truth is not None:
            walls = phyvae.boundary_length(self.truth)
            rows.append(f"| ground truth | | | | 1.000 | {walls:.0f} | |")
        return "\n".join(rows)

    def save(self, name: str, drawn: tuple[Any, Any]) -> None:
        """Save a figure into the folder."""
        drawn[0].savefig(self.folder / f"{name}.png", dpi=150)

    def compare(self) -> None:
        """Draw the truth, every map and its domains, one row per objective; training curves."""
        rows = {name: (self.maps[name], self.labels[name]) for name in self.maps}
        drawn = phyvae.plot_comparison(rows, truth=self.truth, grid=self.grid)
        self.save("maps_and_domains", drawn)
        self.save("loss_history", phyvae.plot_history(self.histories))

    def portrait(self, name: str) -> None:
        """Draw one result in full: maps, domains on the image, manifold, distribution."""
        maps, labels = self.maps[name], self.labels[name]
        self.save("latent_maps", phyvae.plot_latent_maps(maps, labels, grid=self.grid))
        self.save("segmentation", phyvae.plot_segmentation(self.grid, labels))
        self.save("manifold", phyvae.plot_manifold(self.models[name]))
        self.save("distribution", phyvae.plot_distribution(maps, labels))
