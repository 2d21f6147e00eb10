"""
Grains and residue
==================

Real images have more than a crystal: grains, residue, vacuum, dead lines. What is no specimen is
found and left out; what is left is divided.
"""

# %%
# A phantom of two grains, turned against each other by 20°, with residue and two dead rows.

import phyvae

flaws = phyvae.phantoms.Flaws(rotation=9.0, residue=3, dead_rows=2, hot_pixels=20)
phantom = phyvae.phantoms.perovskite(
    (400, 400), 20.0, misorientation=20.0, flaws=flaws, dose=20.0, noise=0.1, seed=1
)
scan = phantom.scan  # with the size of a pixel, nm

# %%
# `phyvae.survey` has what was found, `phyvae.find_domains` uses it.

print(phyvae.survey(scan))
found = phyvae.find_domains(scan)
print(found)

# %%
# Hatched pixels were left out. The wall between the grains is a tilt boundary, with its angle.

fig, axes = found.plot()
fig.savefig("grains_and_residue.png", dpi=150)
for wall in found.walls:
    print(wall)
