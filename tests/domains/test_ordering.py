"""Labels in the order of a map's means."""

import numpy as np
import pytest

from phyvae.domains.ordering import ordered

VALUES = np.array([3.0, 1.0, 2.0, 1.2, 3.2, 2.2])


@pytest.mark.parametrize("names", [(0, 1, 2), (7, 2, 5), (2, 0, 1)])
def test_the_names_of_the_labels_do_not_matter(names):
    labels = np.array([names[k] for k in (0, 1, 2, 1, 0, 2)])
    np.testing.assert_array_equal(ordered(labels, by=VALUES), [2, 0, 1, 0, 2, 1])


def test_equal_means_keep_the_order_of_the_labels():
    np.testing.assert_array_equal(ordered(np.array([4, 9, 4]), by=np.ones(3)), [0, 1, 0])
