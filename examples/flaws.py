"""
Phantoms as real images are
===========================

A simulated image is worth as much as it resembles those that microscopes give. Specimens are
turned against the scan, strained, wedge-shaped; they end in vacuum and carry residue. Lines and
pixels are dead or hot, and pixels are not square. :class:`phyvae.phantoms.Flaws` has all of these,
and the truth stays exact: each domain, and -1 where no specimen can be seen.

With the environment variable ``PHYVAE_REAL_DATA``, a folder of real images in ``.npz`` files, the
last row shows real images, too.
"""

import os
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import phyvae
from phyvae.phantoms import Flaws

# %%
# One flaw at a time, and all together: a single crystal, two grains, a domain wall.

noise = {"dose": 20.0, "noise": 0.1, "seed": 1}
every = Flaws(
    rotation=14.0, strain=0.02, thickness=0.25, vacuum=0.1, residue=2, pixel_aspect=1.1,
    dead_rows=1, hot_rows=1, dead_pixels=20, hot_pixels=5,
)  # fmt: skip
crystal, shape, lattice = phyvae.phantoms.perovskite, (360, 360), 20.0
phantoms = {
    "rotation": crystal(shape, lattice, flaws=Flaws(rotation=14.0), **noise),
    "slow strain": crystal(shape, lattice, flaws=Flaws(strain=0.08), **noise),
    "slow thickness": crystal(shape, lattice, flaws=Flaws(thickness=0.5), **noise),
    "vacuum": crystal(shape, lattice, flaws=Flaws(vacuum=0.2), **noise),
    "residue": crystal(shape, lattice, flaws=Flaws(residue=4), **noise),
    "pixels 1.4 times as high as wide": crystal(
        shape, lattice, flaws=Flaws(pixel_aspect=1.4), **noise
    ),
    "dead and hot rows and pixels": crystal(
        shape,
        lattice,
        flaws=Flaws(dead_rows=2, hot_rows=2, dead_pixels=40, hot_pixels=40),
        **noise,
    ),
    "two grains": crystal(shape, lattice, misorientation=20.0, flaws=Flaws(rotation=9.0), **noise),
    "all, one crystal": crystal(shape, lattice, flaws=every, **noise),
    "all, BiFeO3": phyvae.phantoms.bfo(shape, lattice, flaws=every, **noise),
    "all, NiO-LSMO": phyvae.phantoms.nio_lsmo(shape, lattice, flaws=every, **noise),
    "residue and strain, graphene": phyvae.phantoms.graphene(
        shape, flaws=Flaws(rotation=30.0, strain=0.03, residue=2), noise=0.3, seed=1
    ),
}

# %%
# Real images, if there are any: residue on MoS2, two grains of iron, a perovskite.

folder = Path(os.environ.get("PHYVAE_REAL_DATA", ""))
names = ("mos2_v_doped_stem_a", "fe_bcc_tilt_boundary_stem", "perovskite_adf_stem", "nsmo_stem")
files = {name: folder / f"{name}.npz" for name in names}
real = {name: np.load(path)["image"] for name, path in files.items() if path.is_file()}

# %%
# Lines are the borders of the domains, and of what shows no specimen.

rows = 4 if real else 3
fig, axes = plt.subplots(rows, 4, figsize=(11, 2.9 * rows), layout="constrained")
for ax, (name, phantom) in zip(axes.flat, phantoms.items(), strict=False):
    low, high = np.percentile(phantom.image, (0.5, 99.5))
    ax.imshow(phantom.image, cmap="gray", vmin=low, vmax=high)
    borders = np.arange(len(phantom.names)) - 0.5
    ax.contour(phantom.domains, borders, colors="tab:orange", linewidths=1, linestyles="solid")
    ax.set_title(name, fontsize="medium")
for ax, (name, image) in zip(axes.flat[12:], real.items(), strict=False):
    ax.imshow(image[:360, -360:], cmap="gray")
    ax.set_title(f"real: {name}", fontsize="medium")
for ax in axes.flat:
    ax.axis("off")
plt.show()
