"""
A file with calibration
=======================

A TIFF of a microscope has a pixel size. Lengths of walls, areas and scale bars are then in nm. Put
the path of your file in place of ``film.tif``; here a phantom is written as one.
"""

# %%
# ImageJ's TIFF files hold the pixels per unit, and the unit.

from pathlib import Path

import numpy as np
import tifffile

import phyvae

path = Path("film.tif")
if not path.exists():
    phantom = phyvae.phantoms.nio_lsmo((380, 380), seed=0)
    counts = np.round(20000 * phantom.image).astype(np.uint16)
    per_nm = 1 / phantom.pixel_size[0]
    tifffile.imwrite(
        path, counts, imagej=True, resolution=(per_nm, per_nm), metadata={"unit": "nm"}
    )

# %%
# Do calibration and unit cell agree with what is known of the specimen?

scan = phyvae.read(path)
print(scan)
cell = phyvae.unit_cell(scan)
print([f"{length * scan.pixel_size[0]:.3f} nm" for length in cell.lengths])

# %%
found = phyvae.find_domains(scan)
print(found)
fig, axes = found.plot()
fig.savefig("real_file.png", dpi=150)
for row in found.table():
    print(row)
