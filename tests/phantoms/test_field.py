"""The field of view: pixels to the specimen and back."""

import numpy as np
import pytest

from phyvae.phantoms.field import FieldOfView, SlowWaves, rotated
from phyvae.phantoms.flaws import Flaws


def a_view(**flaws):
    drift = 2.0 * np.sin(np.arange(90)[:, None] / 20 + np.array([0.0, 1.0]))
    return FieldOfView((90, 110), drift, Flaws(**flaws), np.random.default_rng(0))


class TestFieldOfView:
    @pytest.mark.parametrize(
        "flaws",
        [
            {},
            {"rotation": -50.0},
            {"strain": 0.1},
            {"pixel_aspect": 0.7},
            {"rotation": 50.0, "strain": 0.05, "pixel_aspect": 1.5},
        ],
        ids=str,
    )
    def test_a_site_appears_at_the_pixel_that_shows_it(self, flaws):
        view = a_view(**flaws)
        y, x = view.positions
        sites = np.stack([y, x], axis=-1)[8:-8:7, 8:-8:7].reshape(-1, 2)
        pixels = np.stack(np.indices(view.shape), axis=-1)[8:-8:7, 8:-8:7].reshape(-1, 2)
        np.testing.assert_allclose(view.appear(sites), pixels, atol=1e-6)

    def test_without_strain_lengths_on_the_specimen_are_those_of_the_pixels(self):
        view = FieldOfView(
            (40, 50),
            np.zeros((40, 2)),
            Flaws(rotation=25.0, pixel_aspect=1.5),
            np.random.default_rng(0),
        )
        points = np.stack(view.positions, axis=-1)
        steps = [np.linalg.norm(np.diff(points, axis=k), axis=-1) for k in (0, 1)]
        np.testing.assert_allclose(steps[0], 1.5)
        np.testing.assert_allclose(steps[1], 1.0)

    def test_strain_is_as_large_as_asked_and_slow(self):
        view = FieldOfView(
            (200, 200), np.zeros((200, 2)), Flaws(strain=0.04), np.random.default_rng(1)
        )
        shift = np.stack(view.positions) - np.indices((200, 200))
        slopes = np.stack(np.gradient(shift, axis=(1, 2)))
        assert np.abs(slopes).max() == pytest.approx(0.04, rel=0.02)
        curved = np.stack(np.gradient(slopes, axis=(2, 3)))
        assert np.abs(curved).max() < 0.04 * 4 * np.pi / 200  # about a period in 200 px

    def test_no_position_moves_further_than_its_reach(self):
        view = a_view(rotation=120.0, strain=0.1)
        moved = np.hypot(*(np.stack(view.positions) - np.stack(view.field)))
        assert 0.5 * view.reach < moved.max() <= view.reach


def test_rotation_turns_x_towards_y():
    turned = rotated(np.array([[3.0, 7.0]]), np.array([3.0, 5.0]), 90.0)
    np.testing.assert_allclose(turned, [[5.0, 5.0]])


def test_the_steepest_slope_is_that_of_finite_differences():
    waves = SlowWaves(np.random.default_rng(0), (50.0, 60.0))
    y, x = np.meshgrid(np.arange(50.0), np.arange(60.0), indexing="ij")
    step = 1e-5
    down = (waves.vector(y + step, x) - waves.vector(y - step, x)) / (2 * step)
    right = (waves.vector(y, x + step) - waves.vector(y, x - step)) / (2 * step)
    expected = max(np.abs(down).max(), np.abs(right).max())
    assert waves.steepest(y, x) == pytest.approx(expected, rel=1e-6)
