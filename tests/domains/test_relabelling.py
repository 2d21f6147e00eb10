"""Labels in the order of a map's means."""

import numpy as np
import pytest

from phyvae import SiteGraph
from phyvae.domains.relabelling import majority_vote, ordered

VALUES = np.array([3.0, 1.0, 2.0, 1.2, 3.2, 2.2])


@pytest.mark.parametrize("names", [(0, 1, 2), (7, 2, 5), (2, 0, 1)])
def test_the_names_of_the_labels_do_not_matter(names):
    labels = np.array([names[k] for k in (0, 1, 2, 1, 0, 2)])
    np.testing.assert_array_equal(ordered(labels, by=VALUES), [2, 0, 1, 0, 2, 1])


def test_equal_means_keep_the_order_of_the_labels():
    np.testing.assert_array_equal(ordered(np.array([4, 9, 4]), by=np.ones(3)), [0, 1, 0])


class TestMajorityVote:
    def test_the_majority_of_the_neighbours_decides(self):
        labels = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [0, 1, 1, 1], [-1, 0, 0, -1]])
        outliers = np.zeros(labels.shape, dtype=bool)
        outliers[1, 1:3] = True
        found = majority_vote(labels, outliers, None)
        expected = labels.copy()
        expected[1, 1], expected[1, 2] = 0, 1  # 4 of 0 to 3 of 1; 1 of 0 to 6 of 1
        np.testing.assert_array_equal(found, expected)
        assert labels[1, 1] == 2  # what was given is left alone

    def test_a_tie_and_a_cell_without_neighbours_keep_their_label(self):
        labels = np.array([[0, 0, 0], [0, 1, 1], [1, 1, 1]])
        outliers = np.zeros((3, 3), dtype=bool)
        outliers[1, 1] = True
        np.testing.assert_array_equal(majority_vote(labels, outliers, None), labels)
        np.testing.assert_array_equal(majority_vote(labels, np.ones((3, 3), bool), None), labels)

    def test_a_row_has_neighbours_by_its_graph_alone(self):
        sites = np.array([[0, 0], [0, 9], [9, 0], [9, 9], [4, 5]], dtype=float)
        labels, outliers = np.array([[0, 0, 1, 0, 1]]), np.array([[False] * 4 + [True]])
        graph = SiteGraph.delaunay(sites)
        np.testing.assert_array_equal(majority_vote(labels, outliers, None), labels)
        assert majority_vote(labels, outliers, graph).tolist() == [[0, 0, 1, 0, 0]]
