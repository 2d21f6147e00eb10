"""Labels follow the values of the maps, and nothing else."""

import inspect
import warnings

import kornia
import numpy as np
import pytest
import torch
from scipy.ndimage import label as scipy_label

from phyvae.metrics import adjusted_rand_index
from phyvae.segmentation import boundaries, grains, segment

METHODS = ["gmm", "otsu", "chan_vese"]
FLIPS = [np.flipud, np.fliplr, np.transpose, np.rot90]


def noisy(domains, noise=0.1, seed=0):
    """A map that takes the value of its domain, plus noise."""
    return domains + noise * np.random.default_rng(seed).normal(size=domains.shape)


@pytest.fixture
def domains():
    """Two domains: a disc, off centre, in a matrix."""
    y, x = np.mgrid[:20, :26]
    return (np.hypot(y - 8, x - 10) < 6).astype(int)


@pytest.fixture
def thirds():
    """Three domains, told apart only by two channels together."""
    domains = np.repeat([[0, 1, 2]], 6, axis=1).repeat(15, axis=0)
    maps = np.array([[0, 0, 1], [0, 1, 1]])[:, domains]
    return domains, noisy(maps, 0.1)


@pytest.mark.parametrize("method", METHODS)
class TestEveryMethod:
    def test_finds_two_clear_domains_lowest_first(self, method, domains):
        labels = segment(noisy(domains), method=method)
        np.testing.assert_array_equal(labels, domains)
        np.testing.assert_array_equal(segment(-noisy(domains), method=method), 1 - domains)

    @pytest.mark.parametrize(("scale", "offset"), [(5, -2), (0.01, 100), (1e6, 0)])
    def test_offset_and_scale_of_the_latent_do_not_matter(self, method, domains, scale, offset):
        maps = noisy(domains, 0.3)
        np.testing.assert_array_equal(
            segment(scale * maps + offset, method=method), segment(maps, method=method)
        )

    @pytest.mark.parametrize("flip", FLIPS)
    def test_a_flipped_map_has_flipped_labels(self, method, domains, flip):
        maps = noisy(domains, 0.3)
        np.testing.assert_array_equal(
            segment(flip(maps), method=method), flip(segment(maps, method=method))
        )

    @pytest.mark.parametrize("denoise", [0.3, "std"])
    def test_denoising_mends_the_labels_of_a_noisy_map(self, method, denoise):
        y, x = np.mgrid[:40, :48]
        domains = (np.hypot(y - 17, x - 25) < 13).astype(int)
        maps = noisy(domains, 0.4)
        smooth = adjusted_rand_index(segment(maps, method=method, denoise=denoise), domains)
        assert smooth > 0.9
        assert smooth >= adjusted_rand_index(segment(maps, method=method), domains)

    @pytest.mark.parametrize("flip", FLIPS)
    def test_a_flipped_map_has_flipped_labels_when_denoised(self, method, domains, flip):
        maps = noisy(domains, 0.3)
        np.testing.assert_array_equal(
            segment(flip(maps), method=method, denoise=0.3),
            flip(segment(maps, method=method, denoise=0.3)),
        )

    @pytest.mark.parametrize("value", [0.0, -7.3])
    @pytest.mark.parametrize("ripple", [0.0, 9e-4])
    def test_a_flat_map_is_one_domain(self, method, value, ripple):
        maps = value + ripple * np.random.default_rng(0).random((6, 7))
        np.testing.assert_array_equal(segment(maps, method=method), np.zeros((6, 7)))

    def test_one_class_is_one_domain(self, method, domains):
        assert not segment(domains, classes=1, method=method).any()

    def test_tensors_arrays_and_lists_of_any_precision_have_the_same_labels(self, method, domains):
        for maps in (
            torch.tensor(domains, dtype=torch.float32, requires_grad=True),
            torch.tensor(domains).bfloat16()[None],
            torch.tensor(domains),
            domains.astype(bool),
            domains.tolist(),
        ):
            labels = segment(maps, method=method)
            assert labels.dtype.kind == "i"
            np.testing.assert_array_equal(labels, domains)

    def test_is_deterministic_and_leaves_its_input_and_global_randomness_alone(
        self, method, domains
    ):
        maps = noisy(domains, 0.5)
        before, state, torch_state = maps.copy(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
        labels = segment(maps, method=method, denoise=0.3)
        np.testing.assert_array_equal(segment(maps, method=method, denoise=0.3), labels)
        np.testing.assert_array_equal(maps, before)
        np.testing.assert_array_equal(np.random.get_state()[1], state[1])  # noqa: NPY002
        torch.testing.assert_close(torch.get_rng_state(), torch_state)

    def test_a_line_of_cells_is_a_map_too(self, method):
        line = noisy(np.array([[0, 0, 0, 0, 1, 1, 1, 1]]), 0.01)
        expected = [[0, 0, 0, 0, 1, 1, 1, 1]]
        np.testing.assert_array_equal(segment(line, method=method), expected)
        np.testing.assert_array_equal(segment(line.T, method=method), np.transpose(expected))


class TestGaussianMixture:
    def test_uses_all_channels_together(self, thirds):
        truth, maps = thirds
        labels = segment(maps, classes=3)
        assert adjusted_rand_index(labels, truth) == 1
        # Domains 0 and 1 are alike in channel 0, and domain 2 is higher.
        assert (labels[truth == 2] == 2).all()

    @pytest.mark.parametrize("flip", FLIPS)
    def test_maps_flip_together_with_the_labels(self, thirds, flip):
        # Overlapping domains, where the restarts would find different optima.
        maps = noisy(thirds[1], 0.5, seed=1)
        flipped = np.stack([flip(channel) for channel in maps])
        np.testing.assert_array_equal(segment(flipped, 3), flip(segment(maps, 3)))

    def test_does_not_let_a_channel_of_large_units_rule(self, thirds):
        _, maps = thirds
        scaled = maps * np.array([1e4, 1e-2])[:, None, None]
        np.testing.assert_array_equal(segment(scaled, 3), segment(maps, 3))

    def test_one_outlier_does_not_hide_the_domains(self):
        truth = np.repeat([[0, 1]], 9, axis=1).repeat(15, axis=0)
        maps = noisy(truth)
        maps[3, 4], truth[3, 4] = 1000, 2
        np.testing.assert_array_equal(segment(maps, 3), truth)

    def test_drops_flat_channels_and_orders_by_the_first_other(self, thirds):
        truth, maps = thirds
        flat = np.random.default_rng(1).random((1, *truth.shape)) * 9e-4
        labels = segment(np.concatenate([flat, maps[1:], maps[:1]]), classes=3)
        assert adjusted_rand_index(labels, truth) == 1
        assert (labels[truth == 0] == 0).all()

    @pytest.mark.parametrize("classes", [2, 3, 5])
    def test_a_map_of_two_values_has_two_labels_however_many_are_asked(self, domains, classes):
        np.testing.assert_array_equal(segment(domains, classes), domains)

    def test_copies_of_a_channel_do_no_harm(self, domains):
        maps = noisy(domains)
        np.testing.assert_array_equal(segment(np.stack([maps, maps, 2 - maps])), domains)

    def test_a_large_map_is_fitted_to_a_part_of_its_cells_with_the_same_labels(
        self, monkeypatch, thirds
    ):
        truth, maps = thirds
        monkeypatch.setattr("phyvae.segmentation._FITTED", 60)
        assert adjusted_rand_index(segment(maps, 3), truth) == 1


class TestOtsu:
    def test_splits_where_the_variance_between_the_classes_is_largest(self):
        values = noisy(np.repeat([0, 1], [70, 30]), 0.4)
        levels = np.round(255 * (values - values.min()) / np.ptp(values))
        between = [
            np.mean(levels <= t)
            * np.mean(levels > t)
            * (levels[levels <= t].mean() - levels[levels > t].mean()) ** 2
            for t in range(255)
        ]
        expected = levels > np.argmax(between)
        labels = segment(values.reshape(10, 10), method="otsu")
        np.testing.assert_array_equal(labels.ravel(), expected)

    @pytest.mark.parametrize("classes", [2, 3, 4])
    def test_many_classes_are_told_apart_in_order_of_value(self, classes):
        truth = np.repeat(np.arange(classes), 8)[None].repeat(6, axis=0)
        np.testing.assert_array_equal(segment(noisy(truth), classes, method="otsu"), truth)

    def test_no_level_of_the_map_is_cut_in_two(self):
        # Otsu's threshold is the centre of a histogram bin; 0.3 is just above one.
        maps = np.repeat([[0.0, 0.3, 1.0]], 10, axis=0)
        np.testing.assert_array_equal(segment(maps, method="otsu")[0], [0, 0, 1])

    @pytest.mark.parametrize("classes", [3, 5])
    def test_a_map_of_fewer_values_than_classes_has_fewer_labels(self, domains, classes):
        np.testing.assert_array_equal(segment(domains, classes, method="otsu"), domains)


class TestDenoising:
    @pytest.mark.parametrize("sigma_color", [0.1, 0.3])
    def test_is_the_bilateral_filter_of_kornia(self, domains, sigma_color):
        z = noisy(domains, 0.4)
        z = (z - z.min()) / np.ptp(z)
        smooth = kornia.filters.bilateral_blur(
            torch.tensor(z)[None, None], 31, sigma_color, (5.0, 5.0), border_type="replicate"
        )[0, 0]
        found = segment(z, denoise=sigma_color)
        np.testing.assert_array_equal(found, segment(smooth))
        assert (found != segment(z)).any()

    def test_is_in_units_of_the_range_of_the_map(self, domains):
        maps = noisy(domains, 0.3)
        std = float(maps.std() / np.ptp(maps))
        np.testing.assert_array_equal(
            segment(7 * maps + 3, denoise=std, method="otsu"),
            segment(maps, denoise="std", method="otsu"),
        )


class TestBoundaries:
    def test_both_sides_of_a_wall_are_marked_and_the_border_is_not(self):
        walls = boundaries(np.repeat([[4, 4, 4, 0, 0, 0]], 3, axis=0))
        np.testing.assert_array_equal(walls, np.repeat([[0, 0, 1, 1, 0, 0]], 3, axis=0))

    def test_names_of_the_labels_do_not_matter(self, thirds):
        labels = segment(thirds[1], 3)
        np.testing.assert_array_equal(boundaries(np.array([5, -3, 0])[labels]), boundaries(labels))

    def test_are_the_cells_whose_neighbour_has_another_label(self):
        labels = np.random.default_rng(0).integers(3, size=(9, 11))
        padded = np.pad(labels, 1, mode="edge")
        neighbours = [padded[:-2, 1:-1], padded[2:, 1:-1], padded[1:-1, :-2], padded[1:-1, 2:]]
        expected = np.any([labels != other for other in neighbours], axis=0)
        np.testing.assert_array_equal(boundaries(torch.tensor(labels)), expected)

    def test_one_domain_has_no_wall(self):
        assert not boundaries(np.ones((3, 4), dtype=int)).any()


class TestGrains:
    def test_number_small_islands_and_leave_domains_alone(self, domains):
        labels = domains.copy()
        labels[1, 1] = labels[17, 20:23] = 1
        labels[8, 10] = 0
        expected = np.zeros_like(labels)
        expected[1, 1], expected[8, 10], expected[17, 20:23] = 1, 2, 3
        np.testing.assert_array_equal(grains(labels, max_size=3), expected)
        assert grains(labels, max_size=2).max() == 2

    def test_cells_that_touch_at_a_corner_are_two_grains(self):
        assert grains([[1, 0, 0], [0, 1, 0], [0, 0, 0]], max_size=1).max() == 2

    def test_names_of_the_labels_do_not_matter(self):
        labels = np.random.default_rng(0).integers(3, size=(9, 11))
        renamed = np.array([7, 0, -3])[labels]
        np.testing.assert_array_equal(grains(renamed, 2), grains(labels, 2))

    def test_agree_with_scipy_label_by_label(self):
        labels = np.random.default_rng(0).integers(3, size=(20, 20))
        found, count = grains(labels, 4), 0
        for k in range(3):
            pieces, n = scipy_label(labels == k)
            for piece in range(1, n + 1):
                number = np.unique(found[pieces == piece])
                assert len(number) == 1
                assert (number[0] > 0) == ((pieces == piece).sum() <= 4)
                count += int(number[0] > 0)
        assert found.max() == count == len(np.unique(found)) - 1

    def test_a_map_without_islands_has_none(self, domains):
        assert grains(torch.tensor(domains), max_size=10).max() == 0

    @pytest.mark.parametrize("max_size", [0, -2, 1.5, True])
    def test_an_impossible_size_is_refused(self, domains, max_size):
        # Unwrapped as users run it: the tests' type checker would speak first.
        with pytest.raises(ValueError, match=f"max_size={max_size} cells"):
            inspect.unwrap(grains)(domains, max_size)


class TestRefusals:
    def test_an_unknown_method_is_refused_and_the_valid_ones_listed(self, domains):
        with pytest.raises(ValueError, match=r"'kmeans'.*'chan_vese', 'gmm', 'otsu'"):
            segment(domains, method="kmeans")

    @pytest.mark.parametrize("method", ["otsu", "chan_vese"])
    def test_several_channels_are_refused_where_one_map_is_needed(self, thirds, method):
        with pytest.raises(ValueError, match=r"2 channels; choose one, for example maps\[1\]"):
            segment(thirds[1], method=method)
        assert segment(thirds[1][:1], method=method).any()

    @pytest.mark.parametrize("value", [np.nan, np.inf])
    def test_maps_with_holes_are_refused(self, thirds, value):
        _, maps = thirds
        maps[1, 2, 3] = value
        with pytest.raises(ValueError, match=r"maps holds 1 NaN or infinite.*\(1, 2, 3\)"):
            segment(maps)

    @pytest.mark.parametrize("shape", [(5,), (2, 2, 3, 3), (2, 0, 3), (0, 3, 3)])
    def test_maps_of_other_axes_or_without_cells_are_refused(self, shape):
        with pytest.raises(ValueError, match=r"maps of shape .* \(channels, rows, cols\)"):
            segment(np.zeros(shape))

    @pytest.mark.parametrize("shape", [(9, 9, 4), (30, 20, 2), (64, 64, 1)])
    def test_maps_with_channels_last_are_refused_with_the_cure(self, shape):
        maps = np.random.default_rng(0).random(shape)
        with pytest.raises(
            ValueError, match=r"channels last.*np.moveaxis\(np.asarray\(maps\), -1"
        ):
            segment(torch.from_numpy(maps))
        assert segment(np.moveaxis(maps, -1, 0)).shape == shape[:2]

    @pytest.mark.parametrize(
        "shape", [(2, 30, 3), (8, 30, 2), (2, 3, 30), (2, 2, 2), (12, 8, 4), (9, 30, 5)]
    )
    def test_maps_of_few_columns_are_maps(self, shape):
        assert segment(np.random.default_rng(0).random(shape)).shape == shape[1:]

    def test_even_many_channels_of_few_columns_have_a_way(self):
        maps = np.random.default_rng(0).random((9, 30, 4))
        with pytest.raises(ValueError, match=r"9 channels of 30 x 4 cells.*np.swapaxes"):
            segment(maps)
        assert segment(np.swapaxes(maps, 1, 2)).T.shape == (30, 4)

    @pytest.mark.parametrize("maps", ["maps.npy", None, object()])
    def test_what_is_no_array_is_refused(self, maps):
        with pytest.raises(TypeError, match=r"maps=.* must be an array.*model.latent_maps"):
            inspect.unwrap(segment)(maps)

    def test_maps_that_are_not_real_numbers_are_refused(self):
        with pytest.raises(ValueError, match="maps of dtype complex128"):
            segment(np.zeros((3, 3), dtype=complex))

    @pytest.mark.parametrize("classes", [0, -1, True, 2.5])
    def test_an_impossible_number_of_classes_is_refused(self, domains, classes):
        with pytest.raises(ValueError, match=f"classes={classes} must be an integer"):
            inspect.unwrap(segment)(domains, classes)

    def test_more_classes_than_cells_are_refused(self):
        with pytest.raises(ValueError, match="classes=7 exceeds the 6 cells"):
            segment(np.eye(2, 3), classes=7)

    @pytest.mark.parametrize(("method", "classes"), [("otsu", 6), ("chan_vese", 3)])
    def test_more_classes_than_the_method_knows_are_refused(self, domains, method, classes):
        with pytest.raises(ValueError, match=f"classes={classes} exceeds the {classes - 1} that"):
            segment(domains, classes, method=method)

    @pytest.mark.parametrize("denoise", [0.0, -0.3, np.nan, np.inf, "auto", True])
    def test_an_impossible_denoising_is_refused(self, domains, denoise):
        with pytest.raises(ValueError, match=r"denoise=.* must be None .*'std'"):
            inspect.unwrap(segment)(domains, denoise=denoise)

    @pytest.mark.parametrize("function", [boundaries, lambda labels: grains(labels, 3)])
    def test_labels_that_are_none_are_refused(self, function):
        with pytest.raises(ValueError, match="labels of dtype float64 must be whole"):
            function(np.full((3, 3), 0.5))
        with pytest.raises(ValueError, match=r"labels of shape \(9,\)"):
            function(np.zeros(9, dtype=int))
        with pytest.raises(ValueError, match=r"labels of shape \(0, 3\)"):
            function(np.zeros((0, 3), dtype=int))


def test_a_warning_that_the_mixture_did_not_converge_still_reaches_the_user(monkeypatch, domains):
    class Restless:
        def __init__(self, *args, **kwargs): ...

        def fit(self, features):
            warnings.warn("did not converge", UserWarning, stacklevel=2)
            return self

        def predict(self, features):
            return np.zeros(len(features), dtype=int)

    monkeypatch.setattr("phyvae.segmentation.BayesianGaussianMixture", Restless)
    with pytest.warns(UserWarning, match="did not converge"):
        segment(domains)


def test_the_outliers_of_a_very_flat_domain_stay_in_it():
    # The flat domain's own Gaussian is so narrow that cells astride its wall fit the broad one.
    rng = np.random.default_rng(0)
    truth = np.zeros((40, 40), dtype=int)
    truth[:, 20:] = 1
    maps = np.where(truth == 1, rng.normal(4, 1.0, (40, 40)), rng.normal(0, 0.01, (40, 40)))
    maps[:, 19] = rng.normal(0.8, 0.1, 40)
    second = np.where(truth == 1, rng.normal(0, 1.0, (40, 40)), rng.normal(0, 0.01, (40, 40)))
    labels = segment(np.stack([maps, second]), classes=2)
    assert (labels == truth).mean() > 0.98
