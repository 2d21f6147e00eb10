"""Every function that takes an array takes it in every container, with the same result."""

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import phyvae

RANDOM = np.random.default_rng(0)
Y, X = np.mgrid[:64, :60]
IMAGE = np.sin(Y * np.pi / 4) ** 2 * np.sin(X * np.pi / 4) ** 2 + 0.05 * RANDOM.random((64, 60))
GRID = phyvae.PatchGrid(IMAGE, 12, 6)
LABELS = np.repeat([np.arange(GRID.shape[1]) > 4], GRID.shape[0], 0).astype(np.int64)
MAPS = RANDOM.normal(size=(2, *GRID.shape)) + 9 * LABELS
CUBE = RANDOM.random((6, 7, 9))  # rows, cols, energy
SITES = np.stack(np.mgrid[8:60:8, 8:56:8], -1).reshape(-1, 2)

DOORS = {
    "PatchGrid": (IMAGE, lambda x: phyvae.PatchGrid(x, 12).image),
    "PatchGrid, mask": (Y > 12, lambda x: phyvae.PatchGrid(IMAGE, 12, mask=x).mask),
    "at, image": (IMAGE, lambda x: phyvae.PatchGrid.at(x, SITES, 8).image),
    "at, sites": (SITES, lambda x: phyvae.PatchGrid.at(IMAGE, x, 8).centers),
    "series": (np.stack([IMAGE, IMAGE]), lambda x: phyvae.PatchGrid.series(x, 12)[1].image),
    "series of one": (IMAGE[None], lambda x: phyvae.PatchGrid.series(x, 12)[0].image),
    "from_patches": (np.stack([IMAGE, Y]), lambda x: phyvae.PatchGrid.from_patches(x).patches),
    "from_spectra": (CUBE, lambda x: phyvae.PatchGrid.from_spectra(x).image),
    "with_known": (LABELS, lambda x: GRID.with_known(x).known),
    "sample": (Y, GRID.sample),
    "segment": (MAPS, lambda x: phyvae.segment(x, 2)),
    "adjusted_rand_index": (LABELS, lambda x: phyvae.adjusted_rand_index(x, LABELS)),
    "boundary_length": (LABELS, phyvae.boundary_length),
    "grains": (LABELS, lambda x: phyvae.grains(x, 3)),
    "lattice_spacing": (IMAGE, phyvae.lattice_spacing),
    "find_sites": (IMAGE, lambda x: phyvae.find_sites(x, 4.0)),
    "delaunay": (SITES, lambda x: phyvae.SiteGraph.delaunay(x).weights),
    "nearest": (SITES, lambda x: phyvae.SiteGraph.nearest(x, k=3).edges),
    "at, mask": (Y > 12, lambda x: phyvae.PatchGrid.at(IMAGE, SITES, 8, mask=x).mask),
    "segment, mask": (LABELS > 0, lambda x: phyvae.segment(MAPS, 2, mask=x)),
    "segment, signal": (np.array([0.5, 1.0]), lambda x: phyvae.segment(MAPS, 2, signal=x)),
    "count_domains": (MAPS, phyvae.count_domains),
    "boundaries": (LABELS, phyvae.boundaries),
    "mean_iou": (LABELS, lambda x: phyvae.mean_iou(LABELS, x)),
    "wall_length_ratio": (LABELS, lambda x: phyvae.wall_length_ratio(x, LABELS)),
    "domain_areas": (LABELS, lambda x: list(phyvae.domain_areas(GRID, x).values())),
    "survey": (IMAGE, lambda x: phyvae.survey(x).mask),
    "survey, exclude": (Y < 12, lambda x: phyvae.survey(IMAGE, exclude=x).mask),
    "unit_cell": (IMAGE, lambda x: phyvae.unit_cell(x).lengths),
    "suggest": (IMAGE, lambda x: phyvae.suggest(x).size),
    "plot_segmentation": (LABELS, lambda x: len(phyvae.plot_segmentation(IMAGE, x, grid=GRID))),
    "plot_segmentation, image": (
        IMAGE,
        lambda x: len(phyvae.plot_segmentation(x, LABELS, grid=GRID)),
    ),
    "match_labels": (LABELS, lambda x: phyvae.match_labels(x, LABELS)),
    "plot_latent_maps": (MAPS, lambda x: len(phyvae.plot_latent_maps(x))),
    "plot_sites": (IMAGE, lambda x: len(phyvae.plot_sites(x, sites=SITES))),
}


def of_h5py(array):
    file = pytest.importorskip("h5py").File(Path(tempfile.mkdtemp()) / "a.h5", "w")
    return file.create_dataset("a", data=array)


def of_memmap(array):
    path = Path(tempfile.mkdtemp()) / "a.npy"
    np.save(path, array)
    return np.load(path, mmap_mode="r")


def of_hyperspy(array):
    signals = pytest.importorskip("hyperspy.api").signals
    of_lines = array.ndim == 1 or array.shape == CUBE.shape
    return signals.Signal1D(array) if of_lines else signals.Signal2D(array)


CONTAINERS = {
    "list": np.ndarray.tolist,
    "tensor": lambda a: torch.from_numpy(a.copy()),
    "memmap": of_memmap,
    "big-endian": lambda a: a.astype(a.dtype.newbyteorder(">")),
    "Fortran order": np.asfortranarray,
    "negative strides": lambda a: np.flip(np.flip(a).copy()),
    "masked array": lambda a: np.ma.array(a, mask=False),
    "h5py": of_h5py,
    "dask": lambda a: pytest.importorskip("dask.array").from_array(a),
    "zarr": lambda a: pytest.importorskip("zarr").array(a),
    "xarray": lambda a: pytest.importorskip("xarray").DataArray(a),
    "sidpy": lambda a: pytest.importorskip("sidpy").Dataset.from_array(a),
    "HyperSpy": of_hyperspy,
    "lazy HyperSpy": lambda a: of_hyperspy(a).as_lazy(),
}


@pytest.fixture(scope="module")
def expected():
    return {name: np.asarray(door(array)) for name, (array, door) in DOORS.items()}


@pytest.mark.parametrize("container", CONTAINERS)
def test_every_door_takes_every_container(container, expected):
    for name, (array, door) in DOORS.items():
        found = np.asarray(door(CONTAINERS[container](array)))
        np.testing.assert_allclose(found, expected[name], atol=1e-6, err_msg=name)
    plt.close("all")


def test_masked_means_no_patch_in_every_metric():
    hidden = RANDOM.random(LABELS.shape) < 0.3
    other = RANDOM.integers(0, 3, LABELS.shape)
    masked, cut = np.ma.array(other, mask=hidden), np.where(hidden, -1, other)
    for metric in (phyvae.adjusted_rand_index, phyvae.mean_iou, phyvae.wall_length_ratio):
        assert metric(masked, LABELS) == metric(cut, LABELS)
    assert phyvae.boundary_length(masked) == phyvae.boundary_length(cut)
    maps = np.ma.array(MAPS, mask=np.stack([hidden, hidden]))
    np.testing.assert_array_equal(phyvae.segment(maps, 2) == -1, hidden)
    known = GRID.with_known(masked).known.reshape(GRID.shape)
    np.testing.assert_array_equal(torch.isnan(known), hidden)
