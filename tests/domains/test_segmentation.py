"""Labels follow the values of the maps, and nothing else."""

import inspect
import warnings

import kornia
import numpy as np
import pytest
import torch
from scipy import ndimage

from phyvae import SiteGraph
from phyvae.domains import denoising
from phyvae.domains.astride import told_by_neighbours
from phyvae.domains.metrics import adjusted_rand_index, match_labels
from phyvae.domains.segmentation import segment

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
        monkeypatch.setattr("phyvae.domains.mixture._FITTED", 60)
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


def test_a_warning_that_the_mixture_did_not_converge_still_reaches_the_user(monkeypatch, domains):
    class Restless:
        def __init__(self, *args, **kwargs): ...

        def fit(self, features):
            warnings.warn("did not converge", UserWarning, stacklevel=2)
            return self

        def predict(self, features):
            return np.zeros(len(features), dtype=int)

    monkeypatch.setattr("phyvae.domains.mixture.BayesianGaussianMixture", Restless)
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


class TestCellsAstrideAWall:
    """Patches that a wall crosses show two domains, and no component holds them."""

    def three(self):
        """Domain 0 left, 1 and 2, the broadest, right; cells astride the walls; the truth."""
        rng = np.random.default_rng(0)
        truth = np.zeros((30, 30), dtype=int)
        truth[:15, 12:], truth[15:, 12:] = 1, 2
        centres = np.array([[-1.7, 0.75], [0.9, 0.75], [0.0, -1.4]])
        maps = centres[truth] + np.array([0.03, 0.03, 0.2])[truth, None] * rng.normal(
            size=(30, 30, 2)
        )
        crossed = np.zeros(truth.shape, dtype=bool)
        crossed[:, 12] = True
        # Of the column, as much of one domain as of the other; 0.3 from the straight line.
        maps[:, 12] = (maps[:, 11] + maps[:, 13]) / 2 + 0.3
        return maps.transpose(2, 0, 1), truth, crossed

    def test_they_never_go_to_a_third_domain(self):
        maps, truth, crossed = self.three()
        labels = match_labels(segment(maps, 3), truth)
        np.testing.assert_array_equal(labels[~crossed], truth[~crossed])
        for row in (*range(14), *range(17, 30)):
            assert labels[row, 12] in (truth[row, 11], truth[row, 13])

    @pytest.mark.parametrize(("power", "least"), [(1, 0.99), (2, 0.88)])  # else 0.98 and 0.85
    def test_a_curved_wall_is_where_it_is(self, power, least):
        y, x = np.mgrid[:40, :46]
        disc = (np.hypot(y - 18, x - 20) < 14).astype(int)
        share = ndimage.uniform_filter(disc.astype(float), 3)  # of the disc, in a patch
        labels = segment(noisy(share**power, 0.01, seed=1))  # latents need not be proportional
        assert adjusted_rand_index(labels, disc) > least

    def test_most_neighbours_tell(self):
        labels = np.array([[0, 0, 1, 1], [0, 2, 2, 1], [0, 1, 1, 1], [-1, 0, 0, -1]])
        astride = np.zeros(labels.shape, dtype=bool)
        astride[1, 1:3] = True
        found = told_by_neighbours(labels, astride, None)
        expected = labels.copy()
        expected[1, 1], expected[1, 2] = 0, 1  # 4 of 0 to 3 of 1; 1 of 0 to 6 of 1
        np.testing.assert_array_equal(found, expected)
        assert labels[1, 1] == 2  # what was given is left alone

    def test_a_tie_and_a_cell_without_neighbours_keep_their_label(self):
        labels = np.array([[0, 0, 0], [0, 1, 1], [1, 1, 1]])
        astride = np.zeros((3, 3), dtype=bool)
        astride[1, 1] = True
        np.testing.assert_array_equal(told_by_neighbours(labels, astride, None), labels)
        np.testing.assert_array_equal(
            told_by_neighbours(labels, np.ones((3, 3), bool), None), labels
        )

    def test_a_row_has_neighbours_by_its_graph_alone(self):
        sites = np.array([[0, 0], [0, 9], [9, 0], [9, 9], [4, 5]], dtype=float)
        labels, astride = np.array([[0, 0, 1, 0, 1]]), np.array([[False] * 4 + [True]])
        graph = SiteGraph.delaunay(sites)
        np.testing.assert_array_equal(told_by_neighbours(labels, astride, None), labels)
        assert told_by_neighbours(labels, astride, graph).tolist() == [[0, 0, 1, 0, 0]]


class TestSignal:
    def maps(self, noise=0.1, seed=0):
        """Two particles in three tell what they are; the second map is their neighbours' word."""
        rng = np.random.default_rng(seed)
        regions = np.repeat([[0, 1]], 15, axis=1).repeat(30, axis=0)
        truth = np.where(rng.random(regions.shape) < 0.1, 1 - regions, regions)
        flat = 0.02 * regions + 1e-4 * rng.normal(size=truth.shape)
        return truth, np.stack([truth + noise * rng.normal(size=truth.shape), flat])

    def test_a_map_that_says_nothing_has_no_say(self):
        truth, maps = self.maps()
        assert adjusted_rand_index(segment(maps), truth) < 0.9
        labels = segment(maps, signal=[0.96, 0.05])
        np.testing.assert_array_equal(labels, segment(maps[0]))
        assert adjusted_rand_index(labels, truth) == 1
        np.testing.assert_array_equal(segment(maps, signal=torch.tensor([0.96, 0.0])), labels)

    @pytest.mark.parametrize("seed", [0, 1])
    def test_the_word_of_a_map_counts_by_what_it_says(self, seed):
        truth, maps = self.maps(noise=0.25, seed=seed)
        alone, both = segment(maps[0]), segment(maps, signal=[0.96, 0.3])
        assert adjusted_rand_index(segment(maps), truth) < 0.7
        assert adjusted_rand_index(both, truth) > adjusted_rand_index(alone, truth)

    def test_signals_nearly_alike_change_nothing(self, thirds):
        truth, maps = thirds
        for signal in ([0.976, 0.974], [0.95, 0.97]):
            assert adjusted_rand_index(segment(maps, 3, signal=signal), truth) == 1

    def test_maps_that_say_all_are_what_they_are_without_it(self, thirds):
        _, maps = thirds
        np.testing.assert_array_equal(segment(maps, 3, signal=[1, 1]), segment(maps, 3))

    @pytest.mark.parametrize("share", [0.9, 0.5, 0.1])
    def test_noise_that_all_channels_have_changes_nothing(self, share):
        _, maps = self.maps()
        np.testing.assert_array_equal(segment(maps, 3, signal=[share] * 2), segment(maps, 3))
        np.testing.assert_array_equal(segment(maps[0], signal=[share]), segment(maps[0]))

    def test_noise_is_that_of_the_maps_own_unit(self):
        _, maps = self.maps()
        larger = np.array([100.0, 0.01])[:, None, None] * maps + 3
        signal = [0.9, 0.4]
        np.testing.assert_array_equal(segment(larger, signal=signal), segment(maps, signal=signal))

    def test_where_no_map_says_anything_there_is_one_domain(self, domains):
        assert not segment(domains, signal=[0.0]).any()

    @pytest.mark.parametrize(
        ("signal", "method"),
        [([0.5], "gmm"), ([0.5, 1.5], "gmm"), ([0.5, np.nan], "gmm"), ([-0.1, 1], "gmm")],
    )
    def test_other_numbers_are_refused(self, signal, method):
        with pytest.raises(ValueError, match="must be 2 numbers from 0 to 1, a share for each"):
            segment(self.maps()[1], method=method, signal=signal)

    def test_a_threshold_makes_no_use_of_it(self, domains):
        with pytest.raises(ValueError, match="goes with method='gmm'"):
            segment(domains, method="otsu", signal=[0.5])


class TestSeriesOfMaps:
    def frames(self):
        """The second has another share of the domains, and another shape."""
        truth = [np.repeat([[0, 1, 2]], n, axis=1).repeat(12, axis=0) for n in (6, 4)]
        truth[1] = truth[1][:, 3:]
        values = np.array([[0, 0, 1], [0, 1, 1]])
        return truth, [noisy(values[:, one], 0.1, seed=k) for k, one in enumerate(truth)]

    @pytest.mark.parametrize("kind", [np.asarray, torch.from_numpy])
    def test_a_label_is_the_same_domain_in_all(self, kind):
        truth, maps = self.frames()
        labels = segment([kind(z) for z in maps], 3)
        assert [one.shape for one in labels] == [(12, 18), (12, 9)]
        for found, true in zip(labels, truth, strict=True):
            np.testing.assert_array_equal(found, labels[0][0, [0, 6, 12]][true])

    def test_they_are_segmented_as_one_map(self):
        _, maps = self.frames()
        whole = segment(np.concatenate(maps, axis=2), 3)
        np.testing.assert_array_equal(np.concatenate(segment(maps, 3), axis=1), whole)
        first = [z[:1] for z in maps]
        whole = segment(np.concatenate(first, axis=2), method="otsu")
        np.testing.assert_array_equal(np.concatenate(segment(first, method="otsu"), axis=1), whole)

    def test_one_map_in_a_list_is_the_map(self):
        _, (maps, _) = self.frames()
        (labels,) = segment([maps], 3, denoise=0.3)
        np.testing.assert_array_equal(labels, segment(maps, 3, denoise=0.3))

    def test_each_has_empty_cells_of_its_own(self):
        _, maps = self.frames()
        mask = np.ones(maps[1].shape[1:], dtype=bool)
        mask[2:5, 3] = False
        first, second = segment(maps, 3, mask=[None, mask])
        np.testing.assert_array_equal(second < 0, ~mask)
        assert (first >= 0).all()

    def test_denoising_stays_within_a_map(self):
        truth, maps = self.frames()
        labels = segment([z + noisy(0 * z, 0.2) for z in maps], 3, denoise=0.5)
        assert adjusted_rand_index(labels[1], truth[1]) > 0.9

    def test_refusals(self):
        _, maps = self.frames()
        with pytest.raises(ValueError, match=r"maps have \[2, 1\] channels"):
            segment([maps[0], maps[1][:1]])
        with pytest.raises(ValueError, match=r"mask=.* must be a list of 2, one for each"):
            segment(maps, mask=np.ones((12, 18), dtype=bool))
        with pytest.raises(ValueError, match="through one image, but maps is a list of 2"):
            segment([z[:1] for z in maps], method="chan_vese")


class TestSitesWithoutALattice:
    def sites(self):
        return SiteGraph.delaunay(np.random.default_rng(0).uniform(0, 60, (400, 2)))

    def test_denoising_is_the_bilateral_filter_over_the_sites_nearby(self, monkeypatch):
        graph = self.sites()
        values = noisy((graph.sites[:, 0] > 30).numpy().astype(float), 0.4)
        away = graph.sites.numpy()[:, None] - graph.sites.numpy()[None]
        distance = np.hypot(*away.transpose(2, 0, 1)) / graph.spacing
        scaled = (values - values.min()) / np.ptp(values)
        step = (scaled[None] - scaled[:, None]) / 0.3
        weights = np.exp(-((distance / 5) ** 2) / 2 - step**2 / 2) * (distance <= 15)
        filtered = (weights * scaled).sum(1) / weights.sum(1)
        expected = segment(filtered[None], method="otsu")
        monkeypatch.setattr(denoising, "_SITES", 150)  # several parts
        found = segment(values[None], method="otsu", denoise=0.3, graph=graph)
        np.testing.assert_array_equal(found, expected)
        smooth = denoising._bilateral_of_sites(
            scaled[None], graph.sites.numpy() / graph.spacing, 0.3, 5.0
        )
        np.testing.assert_allclose(smooth[0], filtered, atol=1e-12)

    def test_denoising_mends_labels_of_noisy_sites(self):
        graph = self.sites()
        true = (graph.sites[:, 0] > 30).int().numpy()[None]
        maps = noisy(true, 0.5)[None]
        found = segment(maps, denoise="std", graph=graph)
        assert adjusted_rand_index(found, true) > 0.8
        assert adjusted_rand_index(segment(maps, graph=graph), true) < 0.6

    def test_without_denoising_places_do_not_matter(self):
        graph = self.sites()
        maps = noisy((graph.sites[:, 0] > 30).numpy().astype(float))[None, None]
        np.testing.assert_array_equal(segment(maps, graph=graph), segment(maps))

    def test_maps_of_other_sites_are_refused(self):
        with pytest.raises(ValueError, match=r"maps of shape \(1, 20, 20\) must be those of the"):
            segment(np.eye(20), graph=self.sites())

    def test_so_is_a_contour(self):
        with pytest.raises(ValueError, match="'chan_vese' draws its contour through a raster"):
            segment(np.zeros((1, 400)), method="chan_vese", graph=self.sites())

    def test_so_is_what_is_no_graph(self):
        with pytest.raises(TypeError, match="must be a SiteGraph"):
            inspect.unwrap(segment)(np.zeros((1, 400)), graph="delaunay")
