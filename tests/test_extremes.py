"""One hot pixel, row or column decides nothing: neither range, lattice, domains nor colours."""

import warnings

import matplotlib.pyplot as plt
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import phyvae

quick = settings(max_examples=12, deadline=None, derandomize=True, database=None)
Y, X = np.mgrid[:30, :40]
HALVES = (X > 20).astype(float) + np.random.default_rng(0).normal(0, 0.05, (30, 40))
TRUTH = (X > 20).astype(int)
IMAGE = phyvae.phantoms.bfo(shape=(170, 170), seed=0).image


def places(height, width):
    """A pixel, a row or a column, at the border too."""
    row, column = st.integers(0, height - 1), st.integers(0, width - 1)
    every = st.just(slice(None))
    return st.one_of(st.tuples(row, column), st.tuples(row, every), st.tuples(every, column))


heights = st.sampled_from([-1e4, -50.0, 8.0, 30.0, 1e4])


def with_extreme(values, place, height):
    changed = values.copy()
    changed[place] = height
    return changed


@quick
@given(places(30, 40), heights)
def test_domains_are_counted_without_it(place, height):
    assert phyvae.count_domains(with_extreme(HALVES, place, height)) == 2


@pytest.mark.parametrize("method", ["walls", "gmm", "otsu", "chan_vese"])
@quick
@given(st.tuples(st.integers(0, 29), st.integers(0, 39)), heights)
def test_a_cell_is_no_domain(method, place, height):
    labels = phyvae.segment(with_extreme(HALVES, place, height), 2, method=method)
    assert phyvae.adjusted_rand_index(labels, TRUTH) > 0.95


@quick
@given(places(30, 40), heights)
def test_colours_show_the_rest(place, height):
    fig, axes = phyvae.plot_latent_maps(with_extreme(HALVES, place, height)[None])
    low, high = axes.ravel()[0].images[0].get_clim()
    plt.close(fig)
    if np.ndim(HALVES[place]) == 0:  # a line is 2 % of the map and more
        assert high - low < 4


@pytest.mark.slow
@settings(parent=quick, max_examples=6)
@given(places(170, 170), st.sampled_from([-5.0, 10.0, 1e3]))
def test_lattice_and_range_of_an_image_are_those_without_it(place, height):
    image = with_extreme(IMAGE, place, height)
    assert phyvae.unit_cell(image).lengths == pytest.approx((12.6, 12.6), abs=0.1)
    assert phyvae.lattice_spacing(image) == pytest.approx(12.6, abs=0.1)
    sites, clean = (len(phyvae.find_sites(one, 12.6)) for one in (image, IMAGE))
    assert sites == pytest.approx(clean, rel=0.03)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", phyvae.IntensityRangeWarning)
        grid = phyvae.PatchGrid(image, 24, 12)
    assert np.ptp(np.percentile(grid.image, [1, 99])) > 0.3
