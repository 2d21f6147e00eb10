"""Sites are put in the row and column of their lattice, or in a row with a graph."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from on_sites import IMAGE, SHAPE, grid_of, net
from phyvae import PatchGrid, phantoms


class TestItsCells:
    def test_a_rectangular_lattice_is_laid_out_as_it_lies(self):
        grid = grid_of()
        assert grid.shape == (10, 10)
        assert grid.step == (11, 9)
        assert (grid.near_border, grid.off_lattice) == (0, 0)
        assert grid.mask.all()
        np.testing.assert_array_equal(grid.sites, net())
        np.testing.assert_allclose(grid.vectors, [[11, 0], [0, 9]], atol=0.05)

    def test_each_patch_is_the_crop_at_its_site(self):
        grid, sites = grid_of(percentiles=None), net()
        for k, (y, x) in enumerate(sites.reshape(-1, 2)):
            top, left = round(y) - 3, round(x) - 2
            crop = IMAGE[top : top + 7, left : left + 5]
            assert_close(grid.gather(torch.tensor([k]))[0], torch.tensor(crop).float())
        assert_close(grid.patches.flatten(0, 1), grid.gather(torch.arange(100)))
        assert grid.patches.shape == (10, 10, 7, 5)

    def test_even_patches_are_centred_between_pixels(self):
        grid = grid_of(size=6, percentiles=None)
        middle = grid.centers - 2.5
        assert np.abs(grid.centers - grid.sites).max() <= 0.5
        np.testing.assert_array_equal(middle, np.round(middle))
        i, j = middle[2, 3].astype(int)
        assert_close(grid.patches[2, 3], torch.tensor(IMAGE[i : i + 6, j : j + 6]).float())

    def test_order_of_the_sites_does_not_matter(self):
        sites = net().reshape(-1, 2)
        order = np.random.default_rng(0).permutation(len(sites))
        grid, shuffled = grid_of(sites), grid_of(sites[order])
        assert_close(shuffled.patches, grid.patches)
        np.testing.assert_array_equal(shuffled.sites, grid.sites)
        np.testing.assert_array_equal(shuffled.cells, grid.cells[order])

    @pytest.mark.parametrize("vectors", [[[11, 0], [0, 9]], [[8.5, 6], [-6, 8.5]]])
    def test_a_flipped_image_has_the_flipped_grid(self, vectors):
        index = np.stack(np.meshgrid(*[np.arange(-20, 20)] * 2), -1).reshape(-1, 2)
        sites = index @ np.array(vectors, float) + 50
        sites += np.random.default_rng(0).uniform(-0.3, 0.3, sites.shape)
        sites = sites[((sites > 6) & (sites < np.array(SHAPE) - 7)).all(1)]
        grid = PatchGrid.at(IMAGE, sites, size=(7, 5))
        last = np.array(SHAPE) - 1
        turned = PatchGrid.at(IMAGE[::-1, ::-1], last - sites, size=(7, 5))
        assert_close(turned.mask, grid.mask.flip(0, 1))
        assert_close(turned.patches, grid.patches.flip(0, 1, 2, 3))

    @pytest.mark.parametrize("axis", [0, 1])
    def test_so_has_a_mirrored_one(self, axis):
        sites = net()
        grid = grid_of(sites)
        sites[..., axis] = SHAPE[axis] - 1 - sites[..., axis]
        mirrored = PatchGrid.at(np.flip(IMAGE, axis), sites.reshape(-1, 2), size=(7, 5))
        assert_close(mirrored.patches, grid.patches.flip(axis, axis + 2))

    def test_a_transposed_image_has_the_transposed_grid(self):
        grid = grid_of()
        turned = PatchGrid.at(IMAGE.T, net().reshape(-1, 2)[:, ::-1], size=(5, 7))
        assert turned.shape == grid.shape[::-1]
        assert_close(turned.patches, grid.patches.permute(1, 0, 3, 2))

    def test_a_missing_site_leaves_a_hole_and_nothing_else(self):
        sites = net().reshape(-1, 2)
        whole, grid = grid_of(sites), grid_of(np.delete(sites, 34, axis=0))
        expected = torch.ones(10, 10, dtype=torch.bool)
        expected[3, 4] = False
        assert_close(grid.mask, expected)
        assert_close(grid.patches, whole.patches * expected[..., None, None])
        assert len(grid) == 100
        assert_close(grid.indices, expected.flatten().nonzero()[:, 0])
        assert np.isnan(grid.centers[3, 4]).all()
        assert np.isnan(grid.sites[3, 4]).all()
        assert np.isfinite(grid.centers[expected.numpy()]).all()

    def test_sites_near_the_border_are_left_out_and_counted(self):
        grid = grid_of(size=15)
        assert grid.near_border == 100 - int(grid.mask.sum()) > 0
        assert grid.mask.all()
        assert (grid.cells == -1).sum() == grid.near_border
        # The first row and column lie 5.5 and 4.5 px inside, half a patch is 7.
        assert grid.shape == (8, 8)
        np.testing.assert_array_equal(grid.sites, net()[1:-1, 1:-1])

    def test_a_patch_may_touch_the_border(self):
        sites = np.stack(np.meshgrid([2, 10, 18], [2, 10, 18], indexing="ij"), -1).reshape(-1, 2)
        grid = PatchGrid.at(IMAGE[:21, :21], sites, size=5, percentiles=None)
        assert grid.near_border == 0
        assert_close(grid.patches[2, 2], torch.tensor(IMAGE[16:21, 16:21]).float())
        assert PatchGrid.at(IMAGE[:20, :21], sites, size=5).near_border == 3

    def test_false_sites_are_counted(self):
        grid = grid_of(np.vstack([net().reshape(-1, 2), [66.0, 54.0]]))
        assert (grid.off_lattice, grid.near_border) == (1, 0)
        assert grid.cells[-1] == -1
        assert grid.shape == (10, 10)

    def test_cells_say_where_each_site_went(self):
        sites = net().reshape(-1, 2)[::-1]
        grid = grid_of(sites, size=15)
        kept = grid.cells >= 0
        np.testing.assert_array_equal(grid.sites.reshape(-1, 2)[grid.cells[kept]], sites[kept])

    def test_vectors_are_the_users_if_given(self):
        grid = grid_of(vectors=((0, 9), (11, 0)))
        np.testing.assert_array_equal(grid.sites, net().swapaxes(0, 1))
        slanted = grid_of(vectors=((11, 0), (11, 9)))
        assert slanted.shape == (19, 10)
        assert len(slanted.indices) == 100

    @pytest.mark.parametrize(
        ("name", "distortion", "side"),
        [("bfo", 0.0, 320), ("bfo", 20.0, 600), ("graphene", 0.0, 320), ("graphene", 20.0, 320)],
    )
    def test_a_phantom_that_drifted_is_indexed_whole(self, name, distortion, side):
        phantom = getattr(phantoms, name)((side, side), distortion=distortion, seed=0)
        grid = PatchGrid.at(phantom.image, phantom.sites, size=24)
        assert grid.off_lattice == 0
        # Neighbours in the grid are neighbours in the image.
        step = np.diff(grid.sites, axis=1)
        length = np.hypot(*step[np.isfinite(step).all(-1)].T)
        assert length.max() < 1.5 * np.median(length)


def test_a_second_lattice_is_left_out_with_a_warning():
    image = np.random.default_rng(0).random((240, 240))
    first = np.stack(np.mgrid[10:230:14.0, 10:140:14.0], -1).reshape(-1, 2)
    second = np.stack(np.mgrid[17:230:14.0, 195:230:14.0], -1).reshape(-1, 2)
    sites = np.concatenate([first, second])
    with pytest.warns(UserWarning, match=rf"{len(second)} of {len(sites)} fit no cell.*one grain"):
        grid = PatchGrid.at(image, sites, 12)
    assert grid.off_lattice == len(second)
    assert PatchGrid.at(image, second, 12).off_lattice == 0  # as advised: one grain at a time


@pytest.mark.parametrize("shaken", [0.0, 0.2])
@pytest.mark.parametrize("turn", [np.eye(2), [[0.8, 0.6], [-0.6, 0.8]]], ids=["row", "slanted"])
def test_a_single_line_of_sites_is_a_row_with_vectors_and_a_chain_without_lattice(shaken, turn):
    line = np.c_[np.full(12, 30.0), 4 * np.arange(12) + 10.0] @ turn + [40, 10]
    line += np.random.default_rng(0).normal(0, shaken + 1e-300, line.shape)
    image = np.random.default_rng(0).random((120, 120))
    assert PatchGrid.at(image, line, 8, vectors=4 * np.array(turn)).shape == (1, 12)
    graph = PatchGrid.at(image, line, 8, lattice=False).graph
    chain = {(k, k + 1) for k in range(11)}
    assert chain <= {tuple(sorted(edge)) for edge in graph.edges.tolist()}


class TestWithoutALattice:
    def test_patches_come_in_a_row_in_the_order_of_the_sites(self):
        sites = np.random.default_rng(0).uniform(5, 80, (40, 2))
        grid = grid_of(sites, lattice=False)
        assert grid.shape == (1, 40)
        assert grid.mask is None
        assert grid.vectors is None
        np.testing.assert_array_equal(grid.sites[0], sites)
        assert len(grid.graph) == 40
        assert_close(grid.graph.sites, torch.from_numpy(sites))

    def test_those_near_the_border_are_in_neither_grid_nor_graph(self):
        sites = np.random.default_rng(0).uniform(0, 89, (200, 2))
        grid = grid_of(sites, lattice=False)
        kept = grid.cells >= 0
        assert grid.near_border == 200 - kept.sum() > 0
        np.testing.assert_array_equal(grid.sites[0], sites[kept])
        assert len(grid.graph) == kept.sum() == len(grid)

    def test_samples_have_no_filler(self):
        grid = grid_of(np.random.default_rng(0).uniform(5, 80, (40, 2)), lattice=False)
        assert grid.sample(IMAGE > 0.5).dtype == bool
        assert grid.sample(IMAGE).shape == (1, 40)

    def test_vectors_are_refused(self):
        with pytest.raises(ValueError, match="vectors"):
            grid_of(lattice=False, vectors=((11, 0), (0, 9)))

    def test_a_site_fitted_a_little_beyond_the_rim_is_near_the_border(self):
        sites = np.vstack([net().reshape(-1, 2), [[-0.8, 50.0]]])
        grid = PatchGrid.at(IMAGE, sites, size=11, lattice=False)
        inside = PatchGrid.at(IMAGE, sites[:-1], size=11, lattice=False)
        assert grid.near_border == inside.near_border + 1
        assert grid.cells[-1] == -1


class TestRefusals:
    @pytest.mark.parametrize(
        ("sites", "named"),
        [
            (np.zeros((5, 3)), r"sites has shape \(5, 3\), but must be \(n, 2\)"),
            (np.arange(6.0).reshape(3, 2), r"sites has 3 site"),
            (np.array([[1, 2], [3, np.nan], [5, 6], [7, 8.0]]), r"sites\[1\] = .*not finite"),
            (np.array([[20, 99.0], [20, 20], [40, 20], [40, 40]]), r"sites\[0\].*outside.*::-1"),
            (np.array([[20, -1.5], [20, 20], [40, 20], [40, 40]]), r"sites\[0\].*outside"),
            (np.vstack([net().reshape(-1, 2)] * 2), r"sites\[0\] and sites\[100\] are the same"),
            (np.full((4, 2), "a"), "sites"),
            (np.random.default_rng(0).uniform(0, 5, (30, 2)), "only 1 of them lie far enough"),
            (np.random.default_rng(0).uniform(5, 80, (80, 2)), r"lattice=False"),
        ],
    )
    def test_bad_sites_are_named(self, sites, named):
        with pytest.raises((ValueError, TypeError), match=named):
            PatchGrid.at(IMAGE, sites, size=11)

    @pytest.mark.parametrize(
        ("options", "named"),
        [
            ({"size": 91}, r"size=91 px exceeds the image, 110 x 90 px"),
            ({"size": 1}, r"size=1 must be at least 2"),
            ({"vectors": ((1, 0), (2, 0))}, "parallel"),
            ({"vectors": (1, 0)}, r"vectors=\(1, 0\) must be"),
            ({"vectors": ((5, 0.3), (0.2, 23))}, r"only \d+ of 100 fit one lattice"),
            ({"percentiles": (5.0, 5.0)}, "percentiles"),
        ],
    )
    def test_bad_settings_are_named(self, options, named):
        with pytest.raises(ValueError, match=named):
            grid_of(**options)

    def test_switches_are_true_or_false(self, unchecked):
        with pytest.raises(TypeError, match="subpixel='cubic'"):
            unchecked(
                PatchGrid.at.__func__, PatchGrid, IMAGE, net().reshape(-1, 2), 7, subpixel="cubic"
            )

    @pytest.mark.parametrize("image", [IMAGE[None], np.ones((50, 50))])
    def test_bad_images_are_named(self, image):
        with pytest.raises(ValueError, match="image"):
            PatchGrid.at(image, net().reshape(-1, 2), size=7)
