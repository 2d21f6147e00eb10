"""
From an image to its domains
============================

A file of a microscope goes in; out come the domains, what they are, and what to doubt. Here the
file is a phantom, an image whose domains are known: a substrate and two ferroelectric variants,
which differ in nothing but the place of one atomic column. Yours has its own name:
``phyvae.read("scan.dm4")``.
"""

# %%
# A file
# ------
# A pixel is 0.032 nm wide, and the file holds it.

from pathlib import Path

import numpy as np

import phyvae

folder = Path("first_domains")
folder.mkdir(exist_ok=True)
phantom = phyvae.phantoms.bfo(shape=(456, 456), seed=0)
file = folder / "phantom.npz"
np.savez(file, image=phantom.image, pixel_size=0.032, pixel_unit="nm")
scan = phyvae.read(file)
print(scan)

# %%
# Its domains
# -----------
# Patches are chosen by the unit cell, a phy-VAE is trained, and the domains are counted. Every
# choice has its reason, and can be given by hand: ``find_domains(scan, size=25, classes=3)``.

found = phyvae.find_domains(scan)
print(found)
for name, choice in found.settings.items():
    print(f"{name}: {choice}")

# %%
# What they are
# -------------
# The mean cell of a domain is that of all its patches, moved onto the lattice: the noise is gone.

fig, axes = found.plot()
fig.savefig(folder / "domains.png", dpi=200)
for row in found.table():
    print(row)
for wall in found.walls:
    print(wall)

# %%
# Here the truth is known.

agreement = phyvae.adjusted_rand_index(found.labels, found.grid.sample(phantom.domains))
print(f"agreement with the true domains (adjusted Rand index): {agreement:.3f}")

# %%
# To other programs
# -----------------
# ``found.report("scan.html")`` is a page in which pointing at a place shows its patch.

found.save_tiff(folder / "labels.tif")  # for ImageJ and napari
found.to_csv(folder / "domains.csv")
found.save(folder / "phantom.phyvae")  # phyvae.load_domains reads it
print(f"all in {folder.resolve()}")
