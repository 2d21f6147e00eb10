"""
First map
=========

Which domains does an image show, and what are they? A file goes in; out come the domains, their
mean unit cells, and what to doubt. Here the file is a phantom, an image whose domains are known.
"""

# %%
# A pixel is 0.0314 nm wide, and the file holds it.

from pathlib import Path

import numpy as np

import phyvae

folder = Path("first_map")
folder.mkdir(exist_ok=True)
phantom = phyvae.phantoms.bfo(shape=(456, 456), seed=0)
nm = phantom.pixel_size[0]
np.savez(folder / "scan.npz", image=phantom.image, pixel_size=nm, pixel_unit="nm")
scan = phyvae.read(folder / "scan.npz")
print(scan)

# %%
# Nothing is chosen by hand. Every choice has its reason.

found = phyvae.find_domains(scan)
print(found)
for name, choice in found.settings.items():
    print(f"{name}: {choice}")

# %%
# Above: the image with its walls, the domains, and two latent maps. Below: the mean unit cell of
# each domain. The two variants, 0 and 1, differ in the place of the middle column.

fig, axes = found.plot()
fig.savefig(folder / "domains.png", dpi=200)
for wall in found.walls:
    print(wall)

# %%
# The truth is known here.

agreement = phyvae.adjusted_rand_index(found.labels, found.grid.sample(phantom.domains))
print(f"agreement with the true domains (adjusted Rand index): {agreement:.3f}")

# %%
# For other programs.

found.save_tiff(folder / "labels.tif")
found.to_csv(folder / "domains.csv")
found.save(folder / "scan.phyvae")
