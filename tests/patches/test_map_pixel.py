"""The map pixel of a grid: its step, in pixels of the scan, times their size."""

import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from phyvae import PatchGrid, Scan, SiteGraph, phantoms, suggest
from phyvae.patches.map_pixel import SQUARE, MapPixel

IMAGE = np.random.default_rng(0).random((90, 90))
LENGTHS = st.floats(1e-3, 1e3)


@given(LENGTHS, LENGTHS)
def test_that_of_squares_has_edges_of_exactly_one(step, size):
    pixel = MapPixel(((step, 0.0), (0.0, step)), (size, size))
    assert pixel.edges == (1.0, 1.0)
    assert pixel.measured() == (1.0, (1.0, 1.0))


@given(LENGTHS, LENGTHS, LENGTHS, LENGTHS)
def test_its_area_is_that_of_steps_and_pixels(down, across, height, width):
    pixel = MapPixel(((down, 0.0), (0.0, across)))
    side, (high, wide) = pixel.measured((height, width))
    assert high * wide == pytest.approx(1)
    assert side * high == pytest.approx(down * height)
    assert side * wide == pytest.approx(across * width)


def test_it_is_that_of_the_grid():
    assert MapPixel.of(PatchGrid(IMAGE, 12, (6, 12))) == MapPixel(((6, 0), (0, 12)))
    oblong = PatchGrid(Scan(IMAGE, pixel_size=(0.02, 0.01)), 12, (6, 12))
    assert MapPixel.of(oblong).edges == pytest.approx((1, 1))
    assert MapPixel.of(oblong).measured((1.0, 1.0))[0] == pytest.approx(math.sqrt(72))
    y, x = np.mgrid[10:80:7.0, 10:80:14.0]
    sites = np.stack([y.ravel(), x.ravel()], 1)
    assert MapPixel.of(PatchGrid.at(IMAGE, sites, 8)).edges == pytest.approx((0.5**0.5, 2**0.5))


def test_every_grid_of_a_scan_knows_its_pixel_size(tmp_path):
    scan = Scan(IMAGE, pixel_size=(0.02, 0.01))
    np.savez(tmp_path / "scan.npz", image=IMAGE, pixel_size=(0.02, 0.01), pixel_unit="nm")
    sites = np.stack(np.mgrid[10:80:7, 10:80:14], -1).reshape(-1, 2)
    cube = Scan(IMAGE, pixel_size=(0.02, 0.01), cube=np.stack([IMAGE] * 9, -1) + np.arange(9))
    atoms = phantoms.bfo(shape=(160, 160), seed=0).image
    for grid in (
        PatchGrid(scan, 8),
        PatchGrid(tmp_path / "scan.npz", 8),
        PatchGrid.at(scan, sites, 8),
        PatchGrid.from_spectra(cube),
        *PatchGrid.series([scan, scan], 8),
        suggest(Scan(atoms, pixel_size=(0.02, 0.01))).grid(),
        PatchGrid(scan, 8).with_known(np.zeros((21, 21), int)).to("cpu"),
        pickle.loads(pickle.dumps(PatchGrid(scan, 8))),
    ):
        assert grid.pixel_size == pytest.approx((0.02, 0.01))
    assert PatchGrid(IMAGE, 8).pixel_size is None


def test_that_of_sites_without_a_lattice_is_a_square_of_their_spacing():
    graph = SiteGraph.nearest(np.random.default_rng(0).uniform(0, 90, (40, 2)), k=3)
    assert MapPixel.of_sites(graph).measured(0.5)[0] == pytest.approx(0.5 * graph.spacing)


def test_only_a_loss_that_takes_it_gets_it():
    pixel = MapPixel(((6.0, 0.0), (0.0, 12.0)))
    assert pixel.taken_by(lambda maps, mask=None: maps) == {}
    assert pixel.taken_by(lambda maps, mask=None, pixel=SQUARE: maps) == {"pixel": pixel}
    assert SQUARE.taken_by(lambda maps, pixel=SQUARE: maps) == {}
