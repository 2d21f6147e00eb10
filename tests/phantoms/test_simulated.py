"""Every phantom: its image, its labels, its sites and its noise."""

import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt

from bright_spots import QUIET, SMALL, at, peak
from phyvae.phantoms import bfo, graphene, nio_lsmo, perovskite
from phyvae.phantoms.field import FieldOfView
from phyvae.phantoms.flaws import Flaws
from phyvae.phantoms.simulated import (
    depth_from_edge,
    rendered,
    residue,
    thickness,
    thinned,
    with_faults,
)

STEM = [bfo, nio_lsmo, perovskite]
MAKERS = [*STEM, graphene]


@pytest.mark.parametrize("make", MAKERS)
class TestEveryPhantom:
    def test_is_a_scaled_image_with_a_label_per_pixel(self, make):
        phantom = make(SMALL)
        assert phantom.image.shape == phantom.clean.shape == phantom.domains.shape == SMALL
        assert phantom.image.min() == 0
        assert phantom.image.max() == 1
        assert phantom.lattice == 12.6

    @pytest.mark.parametrize("seed", range(4))
    @pytest.mark.parametrize("shape", [(320, 600), SMALL])
    def test_shows_every_domain_that_it_names_and_no_other(self, make, shape, seed):
        phantom = make(shape, seed=seed, distortion=3.0)
        labels, areas = np.unique(phantom.domains, return_counts=True)
        np.testing.assert_array_equal(labels, np.arange(len(phantom.names)))
        assert areas.min() > 0.02 * phantom.domains.size

    def test_is_the_same_for_the_same_seed_and_only_then(self, make):
        first, second, other = make(SMALL, seed=1), make(SMALL, seed=1), make(SMALL, seed=2)
        for name in ("image", "clean", "domains", "sites"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        assert (first.image != other.image).mean() > 0.9

    def test_leaves_the_global_generator_alone(self, make):
        before = np.random.get_state()[1].copy()  # noqa: NPY002
        image = make(SMALL).image
        np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
        np.random.seed(99)  # noqa: NPY002
        np.testing.assert_array_equal(make(SMALL).image, image)

    def test_without_noise_is_its_own_clean_image(self, make):
        off = {"noise": 0.0} | ({"dose": None} if make in STEM else {})
        phantom = make(SMALL, **off)
        np.testing.assert_array_equal(phantom.image, phantom.clean)

    def test_noise_grows_as_asked_beside_the_same_specimen(self, make):
        off = {"dose": None} if make in STEM else {}
        strong, weak = make(SMALL, noise=0.2, **off), make(SMALL, noise=0.05, **off)
        ratio = [(p.image - p.clean).std() / p.clean.std() for p in (strong, weak)]
        assert ratio[0] == pytest.approx(4 * ratio[1], rel=1e-3)

    def test_another_noise_seed_scans_the_same_specimen_again(self, make):
        first, second = (make(SMALL, distortion=3.0, noise_seed=k) for k in (1, 2))
        for name in ("domains", "sites"):
            np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
        scale = np.ptp(first.clean) / np.ptp(second.clean)  # each image has its own scale
        moved = scale * (second.clean - second.clean.min()) + first.clean.min()
        np.testing.assert_allclose(moved, first.clean, atol=1e-5)
        noises = [(phantom.image - phantom.clean).ravel() for phantom in (first, second)]
        assert abs(np.corrcoef(noises)[0, 1]) < 0.05

    @pytest.mark.parametrize("distortion", [0.0, 6.0])
    def test_sites_are_the_bright_spots_of_the_image(self, make, distortion):
        phantom = make((500, 480), 20.0, distortion=distortion, **QUIET)
        inner = phantom.sites[((phantom.sites > 6) & (phantom.sites < 470)).all(axis=1)]
        if make is graphene:
            inner = inner[at(phantom.domains, inner) == 0]
            edge = distance_transform_edt(phantom.domains == 0)
            inner = inner[at(edge, inner) > 40]
        found = [peak(phantom.clean + 0.1, *np.rint(site).astype(int), 3) for site in inner]
        error = np.abs(np.array(found) - inner)
        assert len(inner) > 100
        assert np.median(error) < 0.1 + 0.03 * distortion  # lines jitter by 0.05 of it
        assert np.quantile(error, 0.95) < 0.5 + 0.2 * distortion

    def test_distortion_moves_image_and_truth(self, make):
        straight, bent = make(SMALL, **QUIET), make(SMALL, distortion=6.0, **QUIET)
        assert np.abs(straight.clean - bent.clean).mean() > 0.02
        if len(straight.names) > 1:
            moved = (straight.domains != bent.domains).mean()
            assert 0.001 < moved < 0.1

    @pytest.mark.parametrize(
        ("argument", "cure"),
        [
            ({"lattice": 2.0}, r"lattice=2.0 px must be >= "),
            ({"lattice": float("nan")}, "lattice=nan px"),
            ({"shape": (100, 600)}, r"shape=\(100, 600\) px .* enlarge shape"),
            ({"noise": -0.1}, "noise=-0.1 must be finite and >= 0"),
            ({"background": float("inf")}, "background=inf must be finite"),
            ({"distortion": 40.0}, r"distortion=40.0 px must lie in \[0, 32\] px"),
        ],
    )
    def test_refuses_what_it_cannot_make(self, make, argument, cure):
        with pytest.raises(ValueError, match=cure):
            make(**({"shape": SMALL} | argument))


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


def test_faults_are_as_many_as_asked_and_change_no_other_pixel():
    image = np.random.default_rng(0).random((60, 80)) + 5.0
    flaws = Flaws(dead_rows=2, hot_rows=3, dead_pixels=7, hot_pixels=11)
    found, faulty = with_faults(image, flaws, np.random.default_rng(1))
    np.testing.assert_array_equal(found[~faulty], image[~faulty])
    rows = faulty.all(axis=1)
    assert rows.sum() == 5
    assert (found[rows] == image.min()).all(axis=1).sum() == 2
    assert (found[rows] > image.max()).all(axis=1).sum() == 3
    pixels = found[faulty & ~rows[:, None]]
    assert len(pixels) == 18
    assert (pixels == image.min()).sum() == 7
    hot = pixels[pixels > image.max() + 0.99 * np.ptp(image)]
    assert len(hot) == 11
    assert hot.max() <= image.max() + 10 * np.ptp(image)


def test_no_fault_is_no_change():
    image = np.random.default_rng(0).random((6, 8))
    found, faulty = with_faults(image, Flaws(), np.random.default_rng(1))
    np.testing.assert_array_equal(found, image)
    assert not faulty.any()


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
