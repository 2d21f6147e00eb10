"""Columns, rendered one by one."""

import numpy as np

from phyvae.phantoms.columns import rendered
from phyvae.phantoms.field import FieldOfView
from phyvae.phantoms.flaws import Flaws


def test_columns_are_gaussians_of_the_distance_on_the_specimen():
    flaws = Flaws(rotation=20.0, strain=0.05, pixel_aspect=0.6)
    drift = np.random.default_rng(1).normal(0, 0.3, (50, 2))
    view = FieldOfView((50, 60), drift, flaws, np.random.default_rng(0))
    y, x = view.positions
    places = np.array([[y[20, 30], x[20, 30]], [y[1, 1], x[1, 1]], [900.0, 900.0]])
    heights = np.array([2.0, 3.0, 5.0])
    image = rendered(view, places, heights, 1.5, np.ones(view.shape, dtype=bool))
    distance = np.hypot(y[..., None] - places[:, 0], x[..., None] - places[:, 1])
    expected = (heights * np.exp(-((distance / 1.5) ** 2) / 2)).sum(axis=-1)
    np.testing.assert_allclose(image, expected, atol=3 * np.exp(-(3.5**2) / 2))


def test_a_column_in_vacuum_is_not_there():
    view = FieldOfView((30, 30), np.zeros((30, 2)), Flaws(), np.random.default_rng(0))
    seen = np.ones(view.shape, dtype=bool)
    seen[:, 20:] = False
    places = np.array([[10.0, 10.0], [10.0, 25.0]])
    image = rendered(view, places, np.ones(2), 1.0, seen)
    assert image[10, 10] == 1
    assert image[:, 20:].max() < 1e-4
