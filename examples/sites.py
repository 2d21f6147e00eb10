"""
Sites
=====

A distorted scan: patches are centred on the atoms, so no shift has to be learnt, and the map has
one cell for each unit cell.
"""

# %%
# The brighter of two sublattices is found as blobs. Look at them before you train.

import phyvae

phantom = phyvae.phantoms.bfo((320, 320), distortion=4.0, dose=60, noise=0.08, seed=0)
sites = phyvae.find_sites(phantom.image, spacing=12.6, threshold=0.6)
print(len(sites), "sites")

# %%
# The weaker columns of the substrate are no sites here: the film alone is divided.

found = phyvae.find_domains(phantom.scan, sites=sites, size=24)
print(found)

# %%
# Each cell is at its site, so the map shows the distortion of the scan as the image does.

fig, axes = found.plot()
fig.savefig("sites.png", dpi=150)
truth = found.grid.sample(phantom.domains)
print(f"agreement with the true domains: {phyvae.adjusted_rand_index(found.labels, truth):.2f}")
