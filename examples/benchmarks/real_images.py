"""
Real images, no number given by hand
====================================

``python examples/benchmarks/real_images.py --data FOLDER`` calls `phyvae.find_domains` on
each of ten images and one spectrum image that is in a folder of ``.npz`` files. It
prints a row of a table for each, its answer and its doubts, and plots it.

Nobody knows the true domains of these images, but something of most is known: where the one wall
lies, or how many domains there are.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from skimage.filters import threshold_otsu

import phyvae


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
    "Si 7 x 7, blob": Known("si111_7x7_stm", 1),  # and residue
    "YBCO, fault": Known("ybco_stem", 2),
    "MoS2, residue": Known("mos2_v_doped_stem_a", 2),
    "graphene vacancies": Known("graphene_vacancy_h_stm", 2),
    "BiFeO3 render": Known("bfo_interface_figure_render", 2),
    "hysteresis loops": Known("ferroelectric_beps_loops_60x60", 2),
}


def truth_of(found: phyvae.Domains, wall: float | None) -> np.ndarray | None:
    """Return the domains as far as they are known; of loops, by the response at no voltage."""
    if found.scan.cube is not None:
        first = found.scan.cube[:, :, 0]
        return first > threshold_otsu(first)
    return None if wall is None else found.grid.centers[..., 0] > wall


def index_of(found: phyvae.Domains, known: Known) -> float | None:
    """Return the adjusted Rand index of as many domains as are known, of the maps found."""
    truth = truth_of(found, known.wall)
    if truth is None:
        return None
    labels = phyvae.segment(found.maps, known.classes, signal=found.signal)
    return phyvae.adjusted_rand_index(labels, truth.astype(int))


def row(name: str, known: Known, found: phyvae.Domains) -> str:
    """Return a line of the table."""
    size, step = (" x ".join(map(str, one)) for one in (found.grid.patch_shape, found.grid.step))
    index = index_of(found, known)
    ari = "" if index is None else f"{index:.2f}"
    return f"| {name} | {size} | {step} | {found.classes} | {known.classes} | {ari} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the .npz files")
    parser.add_argument("--folder", type=Path, default=Path("real_images"), help="for figures")
    parser.add_argument("--only", nargs="*", help="names of images, of the table")
    given = parser.parse_args()
    given.folder.mkdir(exist_ok=True)
    print("| image | patch (px) | step (px) | counted | known | ARI |")
    print("| --- | --- | --- | --- | --- | --- |")
    for name, known in IMAGES.items():
        path = given.data / f"{known.file}.npz"
        if not path.is_file() or (given.only and name not in given.only):
            continue
        found = phyvae.find_domains(path, progress=False)
        print(row(name, known, found))
        print(f"    {found}", flush=True)
        fig, _ = found.plot()
        fig.savefig(given.folder / f"{known.file}.png", dpi=150)
        plt.close(fig)


if __name__ == "__main__":
    main()
