"""
Real images, judged by what is known of them
============================================

``python examples/real_images.py --data FOLDER`` reads, from a folder of ``.npz`` files, an oxide
film on its substrate, a tilt boundary of iron, a single-phase perovskite, a striped film seen by
piezoresponse, and hysteresis loops of another: whichever are there. :doc:`/results` has their
sources. It takes an hour of one core, prints a table, plots maps and domains of each image
side by side, and keeps the maps.

Nobody knows the true domains of these images, but something of each is known: where the one wall
lies, that there is none, which way the stripes run. Every method has the same patches and the same
clustering; the models have the benchmark's fixed settings.
"""

import argparse
import os
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy import ndimage
from skimage.feature import structure_tensor
from skimage.filters import threshold_otsu
from sklearn.decomposition import PCA

import phyvae
from experiment import noise_of

STEPS, EPOCHS = 1400, 50
SL1 = "phy-VAE (SL1)"
FILES = {  # of each scene
    "film and substrate": "oxide_film_substrate_interface_stem.npz",
    "tilt boundary": "fe_bcc_tilt_boundary_stem.npz",
    "one phase": "perovskite_adf_stem.npz",
    "striped film": "pzt_pfm.npz",
    "hysteresis loops": "ferroelectric_beps_loops_60x60.npz",
}
Maps = np.ndarray  # (channels, rows, cols)


@dataclass(frozen=True)
class Scene:
    """An image, its patches, and what is known of its domains."""

    name: str
    grid: phyvae.PatchGrid
    classes: int
    known: np.ndarray  # (rows, cols): the domains, or what comes nearest to them
    says: Callable[[np.ndarray], str]  # of labels, what the knowledge is checked by


# -- What is known -----------------------------------------------------------------------------


def wall_at(grid: phyvae.PatchGrid, row: float, cell: float) -> Callable[[np.ndarray], str]:
    """Describe how far the wall found lies from a horizontal line; rows and unit cell in px."""

    def says(labels: np.ndarray) -> str:
        top, bottom = (np.bincount(part).argmax() for part in (labels[0], labels[-1]))
        if top == bottom:
            return "no wall across the image"
        step = grid.centers[1, 0, 0] - grid.centers[0, 0, 0]
        above = (labels != bottom).sum(0)  # patches of each column on the upper side
        found = grid.centers[0, 0, 0] - step / 2 + step * above
        off = np.abs(found - row)
        return f"wall {found.mean() - row:+.0f} px off, {np.mean(off <= cell):.0%} within a cell"

    return says


def count(labels: np.ndarray) -> str:
    """Describe how many grains there are."""
    return f"{int(phyvae.grains(labels, labels.size).max())} regions"


def stripes(grid: phyvae.PatchGrid) -> np.ndarray:
    """Return 1 where the intensity of an image varies more down than across a patch, else 0."""
    image = grid.image.double().numpy()
    rows, _, cols = structure_tensor(image, sigma=grid.patch_shape[0] / 2, order="rc")
    return grid.sample((rows > cols).astype(int))


def scenes(folder: Path, wanted: Collection[str]) -> Iterator[Scene]:
    """Yield what is wanted of what the folder holds."""

    def read(name: str, key: str = "image") -> np.ndarray | None:
        path = folder / FILES[name]
        if name not in wanted or not path.is_file():
            return None
        return np.load(path)[key].astype(np.float64)

    image = read("film and substrate")
    if image is not None:
        grid = phyvae.PatchGrid(image, 40, 20)
        known = (grid.centers[..., 0] > 680).astype(int)
        yield Scene("film and substrate", grid, 2, known, wall_at(grid, 680, 27))
    image = read("tilt boundary")
    if image is not None:
        grid = phyvae.PatchGrid(image, 40, 12)
        known = (grid.centers[..., 0] > 248).astype(int)
        yield Scene("tilt boundary", grid, 2, known, wall_at(grid, 248, 23))
    image = read("one phase")
    if image is not None:
        grid = phyvae.PatchGrid(image, 60, 12)
        yield Scene("one phase", grid, 1, np.zeros(grid.shape, dtype=int), count)
    image = read("striped film")
    if image is not None:
        # The contrast of the scan drifts from left to right; the stripes are what matters.
        local = image - ndimage.gaussian_filter(image, 8)
        local /= ndimage.gaussian_filter(np.abs(local), 16)
        grid = phyvae.PatchGrid(local, 20, 6, percentiles=(1.0, 99.0))
        yield Scene("striped film", grid, 2, stripes(grid), count)
    cube = read("hysteresis loops", "cube")
    if cube is not None:
        grid = phyvae.PatchGrid.from_spectra(cube, percentiles=(0.1, 99.9))
        before = cube[:, :, 0]  # the response before any voltage
        known = (before > threshold_otsu(before)).astype(int)
        yield Scene("hysteresis loops", grid, 2, known, count)


# -- What finds domains ------------------------------------------------------------------------


def by_components(grid: phyvae.PatchGrid) -> Maps:
    """Return principal components, of Fourier magnitudes if the patches are images."""
    patches = grid.patches.double().numpy()
    if len(grid.patch_shape) == 2:
        patches = np.abs(np.fft.rfft2(patches))
    values = PCA(8, random_state=0).fit_transform(patches.reshape(len(grid), -1))
    return values.T.reshape(-1, *grid.shape)


def found_in(grid: phyvae.PatchGrid) -> tuple[dict[str, Maps], dict[str, np.ndarray]]:
    """Return the maps of each method, and their signal where `segment` needs it."""
    flat = len(grid.patch_shape) == 1
    settings = {"sampler_d": "gaussian", "decoder_sig": noise_of(grid)} if flat else {}

    def start() -> phyvae.ShiftVAE:
        model = phyvae.ShiftVAE(grid.patch_shape, 2, dx_prior=0.3, seed=0, **settings)
        if not flat:
            phyvae.align(model, grid, progress=False)
        return model

    pixels = min(1.0, 144 / np.prod(grid.patch_shape))
    swept = phyvae.sweep(
        grid,
        {
            "sh-VAE": phyvae.Setting(None, seed=0),
            SL1: phyvae.Setting(phyvae.PhysicsObjective(phyvae.EdgeLoss()), seed=0),
        },
        EPOCHS,
        model=lambda seed: start(),
        beta=phyvae.LinearBeta(0.1, 0.3, epochs=EPOCHS),
        steps_per_epoch=STEPS // EPOCHS,
        pixels=pixels,
        batch_size=49,
        progress=False,
    )
    found = {"PCA" if flat else "FFT magnitude": by_components(grid)}
    if not flat:
        for kind in ("registered", "autocorrelation"):
            found[f"PCA, {kind}"] = phyvae.quick_maps(grid, kind, 3).numpy()
    for name in ("sh-VAE", SL1):
        found[name] = swept.maps[name].numpy()
    smooth = phyvae.PhysicsObjective(phyvae.TotalVariation("none"))
    refined = phyvae.refine(swept.models[SL1], grid, smooth, progress=False)
    name = f"{SL1}, refined"
    return found | {name: refined.maps.numpy()}, {name: refined.signal.numpy()}


# -- The table and the figures -----------------------------------------------------------------


def row(scene: Scene, method: str, maps: Maps, labels: np.ndarray) -> str:
    """Return a line of the table."""
    size, step = scene.grid.patch_shape[0], scene.grid.step[0]
    wall = 2 if len(scene.grid.patch_shape) == 1 else max(2, round(size / step))
    counted = phyvae.count_domains(maps[:2], wall=wall)
    ari = "" if scene.classes == 1 else f"{phyvae.adjusted_rand_index(labels, scene.known):.2f}"
    says = "" if scene.classes == 1 else scene.says(labels)
    return f"| {scene.name} | {method} | {ari} | {counted} | {says} |"


def drawn(scene: Scene, found: dict[str, Maps], labels: dict[str, np.ndarray], path: Path) -> None:
    """Draw the first two maps and the domains of every method."""
    fig, axes = plt.subplots(
        3, len(found) + 1, figsize=(2.1 * (len(found) + 1), 6.4), layout="constrained"
    )
    flat = len(scene.grid.patch_shape) == 1
    image = scene.grid.image[..., 0] if flat else scene.grid.image
    axes[0, 0].imshow(image, cmap="gray")
    axes[0, 0].set_title("response at 0 V" if flat else "image")
    axes[1, 0].axis("off")
    axes[2, 0].set_title("known")
    classes = plt.get_cmap("viridis", max(2, scene.classes))
    style = {"cmap": classes, "vmin": -0.5, "vmax": max(2, scene.classes) - 0.5}
    axes[2, 0].imshow(scene.known, **style, interpolation="nearest")
    for column, (method, maps) in zip(axes.T[1:], found.items(), strict=True):
        column[0].set_title(method)
        for ax, z in zip(column, maps, strict=False):
            ax.imshow(z, cmap="viridis", interpolation="nearest")
        matched = phyvae.match_labels(labels[method], scene.known)
        column[2].imshow(matched, **style, interpolation="nearest")
    for ax, name in zip(axes[:, 1], ("first map", "second map", "domains"), strict=True):
        ax.set_ylabel(name)
    for ax in axes.flat:
        ax.set_xticks([])
        ax.set_yticks([])
    fig.savefig(path, dpi=150)
    plt.close(fig)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    data = os.environ.get("PHYVAE_REAL_DATA")
    parser.add_argument("--data", type=Path, default=data and Path(data))
    parser.add_argument("--folder", type=Path, default=Path("real_images"))
    parser.add_argument("--only", nargs="+", choices=FILES, default=list(FILES), metavar="SCENE")
    given = parser.parse_args()
    if given.data is None or not any((given.data / FILES[name]).is_file() for name in given.only):
        names = ", ".join(FILES[name] for name in given.only)
        raise SystemExit(f"--data {given.data} must be a folder that holds any of: {names}.")
    given.folder.mkdir(parents=True, exist_ok=True)
    print("| image | method | ARI | domains counted | wall, or regions |", flush=True)
    print("| --- | --- | --- | --- | --- |", flush=True)
    for scene in scenes(given.data, given.only):
        found, signals = found_in(scene.grid)
        labels = {
            m: phyvae.segment(maps, scene.classes, signal=signals.get(m))
            for m, maps in found.items()
        }
        for method, maps in found.items():
            print(row(scene, method, maps, labels[method]), flush=True)
        stem = given.folder / scene.name.replace(" ", "_")
        np.savez(stem.with_suffix(".npz"), **found)
        drawn(scene, found, labels, stem.with_suffix(".png"))


if __name__ == "__main__":
    main()
