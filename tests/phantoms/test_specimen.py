"""Thickness, edge and residue of a specimen."""

import numpy as np
import pytest

from phyvae.phantoms.field import FieldOfView
from phyvae.phantoms.flaws import Flaws
from phyvae.phantoms.specimen import depth_from_edge, residue, thickness, thinned


@pytest.fixture
def view():
    return FieldOfView((150, 200), np.zeros((150, 2)), Flaws(), np.random.default_rng(0))


@pytest.mark.parametrize("seed", range(3))
def test_thickness_reaches_the_change_and_is_slow(view, seed):
    factor = thickness(view, 0.3, np.random.default_rng(seed))
    assert np.abs(factor - 1).max() == pytest.approx(0.3)
    assert max(np.abs(np.diff(factor, axis=k)).max() for k in (0, 1)) < 0.02


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("share", [0.05, 0.4])
def test_a_share_of_the_pixels_lies_beyond_the_edge(view, share, seed):
    depth = depth_from_edge(view, share, np.random.default_rng(seed))
    assert (depth < 0).mean() == pytest.approx(share, abs=1e-3)
    assert np.ptp(depth) > 150


def test_a_specimen_is_thin_at_its_edge_and_absent_beyond():
    factor = thinned(np.array([-100.0, -1.0, 0.0, 1.0, 100.0]))
    assert (np.diff(factor) > 0).all()
    assert factor[1] < 1e-3
    assert factor[2] == pytest.approx(0.25)
    assert factor[4] == pytest.approx(1.0)


def test_residue_is_uneven_in_patches(view):
    rng = np.random.default_rng
    assert not residue(view, 0, rng(0)).any()
    density = residue(view, 3, rng(0))
    assert density.min() == 0
    assert 0.8 < density.max() <= 3
    assert 0.01 < (density > 0.5).mean() < 0.2
