"""Clusters of values, and pieces that no patch fits into."""

import numpy as np

from phyvae.domains.regions import (
    at_walls,
    clusters,
    connected,
    surroundings,
    touching,
    without_specks,
    without_thin,
)
from phyvae.domains.walls import boundaries

THREE = np.repeat([0, 1, 2], [12, 4, 12]) + np.zeros((20, 1), dtype=int)


class TestWithoutThin:
    def test_the_transition_between_two_domains_is_divided_between_them(self):
        assert np.array_equal(np.unique(without_thin(THREE, 2)), [0, 2])
        assert (without_thin(THREE, 2)[:, :14] == 0).mean() > 0.9

    def test_a_layer_in_one_domain_stays(self):
        layer = np.where(THREE == 2, 0, THREE)
        assert np.array_equal(without_thin(layer, 2), layer)

    def test_a_wide_domain_between_two_stays(self):
        wide = np.repeat([0, 1, 2], 10) + np.zeros((20, 1), dtype=int)
        assert np.array_equal(without_thin(wide, 2), wide)

    def test_pieces_smaller_than_two_patches_go(self):
        small = np.zeros((20, 20), dtype=int)
        small[5:8, 5:8] = 1
        assert not without_thin(small, 2).any()
        assert without_thin(small, 1).any()
        assert not without_thin(np.indices((9, 9)).sum(axis=0) % 2, 2).any()


def test_without_specks_takes_the_label_of_most_cells_around():
    speck = THREE.copy()
    speck[4, 5] = 2
    assert np.array_equal(without_specks(speck, 2), THREE)


def test_clusters_are_those_of_the_values():
    found = clusters(THREE[None] * 5.0, 3, seed=0)
    assert len(np.unique(found)) == 3
    assert all(len(np.unique(found[kind == THREE])) == 1 for kind in range(3))


def test_walls_are_those_of_boundaries():
    labels = np.random.default_rng(0).integers(0, 3, (9, 11))
    assert np.array_equal(at_walls(labels), boundaries(labels))


def test_connected_pieces_touch_across_their_edges():
    assert touching(connected(THREE)) == [(1, 2), (2, 3)]
    assert connected(np.eye(2, dtype=int)).max() == 4


def test_surroundings_end_at_the_border():
    assert surroundings((slice(1, 4), slice(5, 6)), 1.5) == (slice(0, 6), slice(3, 8))
