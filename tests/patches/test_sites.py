"""Sites are put in the row and column of their lattice, or in a row with a graph."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

import phyvae
from on_sites import IMAGE, SHAPE, grid_of, net
from phyvae import EdgeLoss, PatchGrid, PhysicsObjective, PhysicsTrainer, phantoms
from phyvae.patches.sites import as_stack, mosaic_of
from small import tiny_grid, tiny_model

STACK = np.random.default_rng(0).random((40, 6, 6))
LABELS = np.arange(40)[None] % 2


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


@given(count=st.integers(1, 30), height=st.integers(2, 9), width=st.integers(2, 9))
@settings(max_examples=40, deadline=None)
def test_the_patches_are_those_of_the_stack(count, height, width):
    stack = np.random.default_rng(0).random((count, height, width)).astype(np.float32)
    grid = PatchGrid.from_patches(stack, percentiles=None)
    assert (grid.shape, grid.count, grid.patch_shape) == ((1, count), count, (height, width))
    assert torch.equal(grid.patches[0], torch.from_numpy(stack))
    assert torch.equal(grid.gather(grid.indices.flip(0)), torch.from_numpy(stack[::-1].copy()))


def test_the_mosaic_is_nearly_square_and_holds_the_lowest_intensity_beside_the_patches():
    mosaic, placed = mosaic_of(as_stack(np.arange(1, 10).reshape(-1, 1, 1) * np.ones((9, 2, 3))))
    assert mosaic.shape == (10, 6)
    np.testing.assert_array_equal(mosaic[::2, ::3], [[1, 2], [3, 4], [5, 6], [7, 8], [9, 1]])
    np.testing.assert_array_equal(placed.crops.corners[4], [4, 0])


def test_a_channel_and_one_common_scale():
    grid = PatchGrid.from_patches(torch.from_numpy(500 * STACK)[:, None])
    assert grid.limits == (500 * STACK.min(), 500 * STACK.max())
    assert repr(grid) == "PatchGrid.from_patches(40 patches, patch_shape=(6, 6))"
    assert_close(grid.patches, PatchGrid.from_patches(STACK).patches)


class TestTraining:
    def test_is_that_of_the_same_patches_on_a_grid_without_physics(self):
        grid, maps = tiny_grid(), []
        stack = PatchGrid.from_patches(grid.patches.flatten(0, 1), percentiles=None)
        for one in (grid, stack):
            trainer = PhysicsTrainer(tiny_model())
            trainer.fit(one, steps=20, progress=False)
            maps.append(trainer.model.latent_maps(one))
        assert maps[1].shape == (2, 1, 56)
        assert_close(maps[1].reshape(maps[0].shape), maps[0])

    def test_with_a_loss_of_values_alone(self):
        grid, loss = PatchGrid.from_patches(STACK), 2 * phyvae.Sparsity() + phyvae.Sparsity()
        trainer = PhysicsTrainer(tiny_model(), PhysicsObjective(loss))
        assert (trainer.fit(grid, steps=3, progress=False).psi > 0).all()
        assert trainer.evaluate(grid).psi > 0

    @pytest.mark.slow
    def test_maps_are_refined_with_such_a_loss(self):
        grid, objective = PatchGrid.from_patches(STACK), PhysicsObjective(phyvae.Sparsity())
        assert phyvae.refine(tiny_model(), grid, objective).maps.shape == (2, 1, 40)

    @pytest.mark.parametrize(
        "loss",
        [
            *(EdgeLoss(), phyvae.FourierLoss(), phyvae.OnChannels(phyvae.TotalVariation(), [0])),
            phyvae.Sparsity() + 0.5 * EdgeLoss(),
            lambda maps: maps.var(),
        ],
        ids=lambda loss: type(loss).__name__,
    )
    def test_a_loss_of_places_is_refused_with_the_cure(self, loss):
        grid = PatchGrid.from_patches(STACK)
        trainer = PhysicsTrainer(tiny_model(), PhysicsObjective(loss))
        for call in (lambda: trainer.fit(grid, 1), lambda: trainer.evaluate(grid)):
            with pytest.raises(ValueError, match=r"compares neighbours.*PatchGrid\(image, size"):
                call()
        assert trainer.epochs_done == 0
        alone = PhysicsTrainer(tiny_model(), PhysicsObjective())  # as advised
        assert len(alone.fit(grid, 1, progress=False)) == 1


def test_sites_none_of_which_has_neighbours_in_a_tile_are_no_stack():
    sites = np.random.default_rng(0).uniform(6, 54, (30, 2))
    grid = PatchGrid.at(np.random.default_rng(0).random((60, 60)), sites, 6, lattice=False)
    trainer = PhysicsTrainer(tiny_model(), PhysicsObjective(EdgeLoss()), tile=2, batch_size=5)
    assert len(trainer.fit(grid, 2, progress=False)) == 2


def test_what_needs_no_places_works():
    grid, maps = PatchGrid.from_patches(STACK), torch.from_numpy(9.0 * LABELS[None])
    noise = torch.rand(1, 1, 40, generator=torch.Generator().manual_seed(0))
    labels = phyvae.segment(maps + noise, 2, graph=grid.graph)
    assert phyvae.adjusted_rand_index(labels, LABELS) == 1
    assert [len(cell.mean) for cell in phyvae.mean_cells(grid, labels)] == [6, 6]
    assert phyvae.quick_maps(grid, "pca").shape == (2, 1, 40)
    assert set(phyvae.second_opinion(labels, grid)) == {"pca"}
    assert torch.equal(grid.with_known(LABELS).known[:, 0].long(), torch.from_numpy(LABELS[0]))


@pytest.mark.parametrize(
    "call",
    [
        lambda grid: phyvae.align(tiny_model(), grid),
        lambda grid: phyvae.domain_areas(grid, LABELS),
        lambda grid: phyvae.walls_between(grid, LABELS),
        lambda grid: phyvae.mean_cells(grid, LABELS, np.zeros((2, 1, 40))),
        lambda grid: phyvae.quick_maps(grid),
        lambda grid: phyvae.segment(torch.rand(2, 1, 40), 2, graph=grid.graph, denoise=1.0),
        lambda grid: phyvae.count_domains(np.random.default_rng(0).random((1, 1, 40)), grid=grid),
    ],
)
def test_what_needs_places_is_refused(call):
    with pytest.raises(ValueError, match=r"stack|a single line"):
        call(PatchGrid.from_patches(STACK))


@pytest.mark.parametrize(
    ("patches", "named"),
    [
        (STACK[0], "must be a stack of one size"),
        ([STACK[0], STACK[0, 1:]], "must be a stack of one size"),
        (STACK[:, :1], "at least 2 px"),
        (STACK[None, None], "must be a stack of one size"),
        (0 * STACK, "patches is constant"),
        (np.where(STACK > 0.9, np.nan, STACK), "patches holds .* NaN"),
    ],
)
def test_others_are_refused(patches, named):
    with pytest.raises(ValueError, match=named):
        PatchGrid.from_patches(patches)
