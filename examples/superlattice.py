"""
Graphene's superlattice
=======================

Around defects graphene has an electronic superlattice, √3 × √3, on top of its lattice. Where does
it lie? The image is a phantom of a scanning tunnelling microscope.
"""

# %%
# A scan has a slow background, which would be the strongest contrast of a map. What is far wider
# than the lattice is subtracted first.

import numpy as np
from scipy.ndimage import gaussian_filter

import phyvae

phantom = phyvae.phantoms.graphene((456, 456), noise=0.1, seed=0)
spacing = phyvae.lattice_spacing(phantom.image)
flat = phantom.image - gaussian_filter(phantom.image, 2.5 * spacing)
scan = phyvae.Scan(flat, pixel_size=phantom.pixel_size)  # nm

# %%
# A patch of 24 px holds one cell of the superlattice, of 22 px, so that small regions stay sharp.

found = phyvae.find_domains(scan, size=24, step=12)
print(found)

# %%
# Three domains: the lattice, and two superlattices around defects. The vacancies, a fourth domain
# of the truth, are smaller than a wall needs, and are not counted.

fig, axes = found.plot()
fig.savefig("superlattice.png", dpi=150)
truth = found.grid.sample(phantom.domains)
print(f"agreement with the true domains: {phyvae.adjusted_rand_index(found.labels, truth):.2f}")
print("domains in truth:", dict(enumerate(phantom.names)), np.unique(truth, return_counts=True)[1])
