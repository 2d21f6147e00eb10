"""Small results, made without training, of each kind of grid."""

import numpy as np

from phyvae import Domains, PatchGrid, Scan, ShiftVAE, domain_evidence, unit_cell
from phyvae.phantoms import nio_lsmo
from phyvae.pipeline.choices import Choice


def small_domains(kind="raster"):
    """A result whose maps are made up, and whose parts are of all types that there are."""
    phantom = nio_lsmo((160, 168), seed=0)
    rng = np.random.default_rng(1)
    image, cube = phantom.image, None
    if kind == "masked":
        specimen = np.ones(image.shape, bool)
        specimen[:50, :60] = False
        grid = PatchGrid(image, 24, 8, mask=specimen)
    elif kind in ("sites", "graph"):
        grid = PatchGrid.at(
            image, phantom.sites, 24, subpixel=kind == "sites", lattice=kind == "sites"
        )
    elif kind == "spectra":
        cube = rng.random((14, 15, 20))
        image = cube.mean(-1)
        grid = PatchGrid.from_spectra(cube)
    else:
        grid = PatchGrid(image, 24, 8)
    rows, cols = grid.shape
    held = np.ones(grid.shape, bool) if grid.mask is None else grid.mask.numpy()
    labels = np.where(held, np.arange(cols) >= cols // 2, -1).astype(np.int64)
    maps = np.where(held, labels + rng.normal(0, 0.1, (2, rows, cols)), np.nan)
    maps[1] -= labels
    maps = maps.astype(np.float32)
    unanswered = kind == "unanswered"
    return Domains(
        Scan(image, cube=cube, name="small"),
        grid,
        ShiftVAE(grid.patch_shape, 2, hidden_dim_e=(8,), hidden_dim_d=(9,), dx_prior=0.3),
        labels - labels - 1 if unanswered else labels,
        maps,
        np.full_like(maps, 0.1),
        np.zeros((len(grid.patch_shape), rows, cols), np.float32),
        np.array([0.97, 0.01]),
        domain_evidence(maps[:1], 3, grid=grid) if kind in ("raster", "masked") else None,
        unit_cell(image) if kind == "raster" else None,
        {
            "size": Choice(grid.patch_shape, "two cells"),
            "flatten": Choice(False, "no slope"),
            "classes": Choice(2, "counted"),
        },
        ("no calibration: lengths are in px",),
        "it shows no lattice" if unanswered else "",
    )
