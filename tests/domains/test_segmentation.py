"""Labels follow the values of the maps, and nothing else."""

import inspect

import numpy as np
import pytest
import torch

from phyvae import SiteGraph
from phyvae.domains.metrics import adjusted_rand_index
from phyvae.domains.segmentation import segment
from random_maps import noisy

METHODS = ["gmm", "otsu", "chan_vese"]
FLIPS = [np.flipud, np.fliplr, np.transpose, np.rot90]


@pytest.fixture
def thirds():
    """Three domains, separated only by two channels together."""
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


@pytest.mark.parametrize("seed", range(4))
def test_labels_are_in_the_order_of_the_means_of_the_first_map(seed):
    truth = np.repeat([[2, 0, 3, 1]], 5, axis=1).repeat(12, axis=0)
    maps = np.stack([noisy(truth), noisy(-truth, seed=1)])
    np.testing.assert_array_equal(segment(maps, 4, seed=seed), truth)


class TestRefusals:
    def test_an_unknown_method_is_refused_and_the_valid_ones_listed(self, domains):
        with pytest.raises(ValueError, match=r"'kmeans'.*'chan_vese', 'gmm', 'otsu', 'walls'"):
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

    @pytest.mark.parametrize(
        ("classes", "error", "needed"),
        [
            (0, ValueError, "at least 1, the number of domains"),
            (-1, ValueError, "at least 1, the number of domains"),
            (True, TypeError, "an integer >= 1, the number of domains"),
            (2.5, TypeError, "an integer >= 1, the number of domains"),
        ],
    )
    def test_an_impossible_number_of_classes_is_refused(self, domains, classes, error, needed):
        with pytest.raises(error, match=f"classes={classes} must be {needed}"):
            inspect.unwrap(segment)(domains, classes)

    def test_more_classes_than_cells_are_refused(self):
        with pytest.raises(ValueError, match="classes=7 exceeds the 6 cells"):
            segment(np.eye(2, 3), classes=7)

    @pytest.mark.parametrize(("method", "classes"), [("otsu", 6), ("chan_vese", 3)])
    def test_more_classes_than_the_method_knows_are_refused(self, domains, method, classes):
        with pytest.raises(ValueError, match=f"classes={classes} exceeds the {classes - 1} that"):
            segment(domains, classes, method=method)

    @pytest.mark.parametrize("denoise", [0.0, -0.3, np.nan, np.inf])
    def test_an_impossible_width_of_denoising_is_refused(self, domains, denoise):
        with pytest.raises(ValueError, match=f"denoise={denoise:g} must be > 0 .*'std', or None"):
            segment(domains, denoise=denoise)

    @pytest.mark.parametrize("denoise", ["auto", True])
    def test_what_is_no_denoising_is_refused(self, domains, denoise):
        with pytest.raises(TypeError, match=r"denoise=.* must be None .*'std'"):
            inspect.unwrap(segment)(domains, denoise=denoise)


class TestSitesWithoutALattice:
    def sites(self):
        return SiteGraph.delaunay(np.random.default_rng(0).uniform(0, 60, (400, 2)))

    def test_without_denoising_places_do_not_matter(self):
        graph = self.sites()
        maps = noisy((graph.sites[:, 0] > 30).numpy().astype(float))[None, None]
        np.testing.assert_array_equal(segment(maps, graph=graph), segment(maps))

    def test_maps_of_other_sites_are_refused(self):
        with pytest.raises(ValueError, match=r"maps of shape \(1, 20, 20\) must be those of the"):
            segment(np.eye(20), graph=self.sites())

    def test_so_is_a_contour(self):
        with pytest.raises(ValueError, match="'chan_vese' runs its contour through a raster"):
            segment(np.zeros((1, 400)), method="chan_vese", graph=self.sites())

    def test_so_is_what_is_no_graph(self):
        with pytest.raises(TypeError, match="must be a SiteGraph"):
            inspect.unwrap(segment)(np.zeros((1, 400)), graph="delaunay")
