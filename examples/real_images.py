"""
Real images, no number given by hand
====================================

``python examples/real_images.py --data FOLDER`` reads, from a folder of ``.npz`` files (an array
``image``, or ``cube`` for spectra), whichever of ten images and one spectrum image are there;
:doc:`/results` has their sources. All have the same settings: `phyvae.suggest` chooses the
patches by the unit cell, `phyvae.domain_evidence` the number of domains. It prints a row of a
table for each, and plots image, map and domains.

Nobody knows the true domains of these images, but something of most is known: where the one wall
lies, or how many domains there are.
"""

import argparse
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from skimage.filters import threshold_otsu

import phyvae

STEPS = 600
OBJECTIVE = phyvae.PhysicsObjective(phyvae.EdgeLoss())


@dataclass(frozen=True)
class Known:
    """What is known of an image: the number of domains, and the row (px) of a level wall."""

    file: str
    classes: int
    wall: float | None = None


IMAGES = {
    "film on substrate": Known("oxide_film_substrate_interface_stem", 2, 680),
    "tilt boundary": Known("fe_bcc_tilt_boundary_stem", 2, 248),
    "graphene boundary": Known("graphene_grain_boundary_4nm_stem", 2),
    "perovskite": Known("perovskite_adf_stem", 1),
    "NSMO": Known("nsmo_stem", 1),
    "Si 7 x 7, blob": Known("si111_7x7_stm", 2),
    "YBCO, fault": Known("ybco_stem", 2),
    "MoS2, residue": Known("mos2_v_doped_stem_a", 2),
    "graphene vacancies": Known("graphene_vacancy_h_stm", 2),
    "BiFeO3 render": Known("bfo_interface_figure_render", 2),
}
LOOPS = Known("ferroelectric_beps_loops_60x60", 2)


@dataclass(frozen=True, eq=False)
class Found:
    """Maps and domains of an image. `labels` has as many domains as are known."""

    grid: phyvae.PatchGrid
    alignment: phyvae.Alignment | None
    maps: np.ndarray
    evidence: phyvae.DomainEvidence
    labels: np.ndarray


def of_image(image: np.ndarray, classes: int, steps: int = STEPS) -> Found:
    """Return the domains of an image."""
    suggested = phyvae.suggest(image)
    grid = suggested.grid()
    model = phyvae.ShiftVAE(grid.patch_shape, 2, dx_prior=suggested.dx_prior, seed=0)
    start = phyvae.align(model, grid, reach=suggested.reach, progress=False)
    phyvae.PhysicsTrainer(model, OBJECTIVE, seed=0).fit(
        grid, steps=steps, beta=phyvae.LinearBeta(0.1, 0.3, epochs=10), progress=False
    )
    # Further latents are noise, moiré or slow changes.
    return judged(model, grid, start, slice(max(1, min(2, start.latents))), classes)


def of_loops(cube: np.ndarray, classes: int, steps: int = STEPS) -> Found:
    """Return the domains of a spectrum image."""
    grid = phyvae.PatchGrid.from_spectra(cube)
    noise = float(grid.image.diff(n=2, dim=-1).abs().median()) / 0.6745 / 6**0.5
    model = phyvae.ShiftVAE(
        grid.patch_shape, 2, dx_prior=0.3, sampler_d="gaussian", decoder_sig=noise, seed=0
    )
    trainer = phyvae.PhysicsTrainer(model, OBJECTIVE, seed=0)
    trainer.fit(grid, steps=2 * steps, beta=phyvae.LinearBeta(0.1, 0.3, 10), progress=False)
    return judged(model, grid, None, slice(2), classes)


def judged(
    model: phyvae.ShiftVAE,
    grid: phyvae.PatchGrid,
    start: phyvae.Alignment | None,
    kept: slice,
    classes: int,
) -> Found:
    """Return the refined maps of a model, the number of domains, and the domains."""
    evidence = phyvae.domain_evidence(model.latent_maps(grid)[kept], grid=grid)
    refined = phyvae.refine(model, grid, samples=4, progress=False)
    labels = phyvae.segment(refined.maps[kept], classes, signal=refined.signal[kept])
    return Found(grid, start, refined.maps[kept].numpy(), evidence, labels)


def agreement(found: Found, truth: np.ndarray | None) -> str:
    """Return the adjusted Rand index of the labels and a truth, or nothing."""
    return "" if truth is None else f"{phyvae.adjusted_rand_index(found.labels, truth):.2f}"


def row(name: str, known: Known, found: Found, ari: str, seconds: float) -> str:
    """Return a line of the table."""
    size, step = (" x ".join(map(str, pair)) for pair in (found.grid.patch_shape, found.grid.step))
    latents = "" if found.alignment is None else str(found.alignment.latents)
    count = found.evidence.number
    return (
        f"| {name} | {size} | {step} | {latents} | {count} | {known.classes} | {ari} | "
        f"{seconds:.0f} |"
    )


def plot(name: str, found: Found, folder: Path) -> None:
    """Save a figure of image, first map and domains."""
    fig, (left, middle, right) = plt.subplots(1, 3, figsize=(9, 3), layout="constrained")
    image = found.grid.image if found.grid.image.ndim == 2 else found.grid.image[..., 0]
    left.imshow(image, cmap="gray")
    left.set(title=name, xlabel="x (px)", ylabel="y (px)")
    shown = middle.imshow(found.maps[0], cmap="viridis")
    fig.colorbar(shown, ax=middle, label="$z_1$")
    right.imshow(np.where(found.labels < 0, np.nan, found.labels), cmap="cividis")
    for ax, title in ((middle, "refined map"), (right, "domains, number given")):
        ax.set(title=title, xlabel="column of the map", ylabel="row of the map")
    fig.savefig(folder / f"{name.replace(' ', '_').replace(',', '')}.png", dpi=150)
    plt.close(fig)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the .npz files")
    parser.add_argument("--folder", type=Path, default=Path("real_images"), help="for figures")
    parser.add_argument("--only", nargs="*", help="names of images, of the table")
    parser.add_argument("--steps", type=int, default=STEPS, help="of training")
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True)
    print("| image | patch (px) | step (px) | latents | counted | known | ARI | s |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- |")
    for name, known in (IMAGES | {"hysteresis loops": LOOPS}).items():
        path = given.data / f"{known.file}.npz"
        if not path.is_file() or (given.only and name not in given.only):
            continue
        begun = time.perf_counter()
        with np.load(path) as data, warnings.catch_warnings():
            warnings.simplefilter("ignore", phyvae.AlignmentWarning)
            if known is LOOPS:
                cube = data["cube"]
                found = of_loops(cube, known.classes, given.steps)
                first = cube[:, :, 0]  # the response before any voltage
                truth = (first > threshold_otsu(first)).astype(int)
            else:
                found = of_image(data["image"], max(2, known.classes), given.steps)
                truth = known.wall and (found.grid.centers[..., 0] > known.wall).astype(int)
        print(row(name, known, found, agreement(found, truth), time.perf_counter() - begun))
        print(f"    {found.evidence.reason}", flush=True)
        plot(name, found, given.folder)


if __name__ == "__main__":
    main()
