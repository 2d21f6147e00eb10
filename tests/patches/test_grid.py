import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from phyvae import PatchGrid

LARGE = np.random.default_rng(0).random((110, 90))


def image_of(height=40, width=30, seed=0):
    return np.random.default_rng(seed).random((height, width))


class TestAnImage:
    @given(
        height=st.integers(8, 40),
        width=st.integers(8, 40),
        size=st.tuples(st.integers(2, 8), st.integers(2, 8)),
        step=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    )
    @settings(max_examples=50, deadline=None)
    def test_every_patch_is_the_window_it_says(self, height, width, size, step):
        image = image_of(height, width)
        grid = PatchGrid(image, size, step, percentiles=None)
        expected = np.lib.stride_tricks.sliding_window_view(image, size)[:: step[0], :: step[1]]
        assert grid.shape == expected.shape[:2]
        assert_close(grid.patches, torch.from_numpy(expected.astype(np.float32)))

    def test_gathered_patches_are_those_of_the_view(self):
        grid = PatchGrid(image_of(), size=8, step=3)
        index = torch.tensor([0, 5, len(grid) - 1, 5])
        assert_close(grid.gather(index), grid.patches.reshape(-1, 8, 8)[index])

    def test_patches_share_the_images_memory(self):
        grid = PatchGrid(image_of(), size=8, step=1)
        assert grid.patches.untyped_storage().data_ptr() == grid.image.untyped_storage().data_ptr()

    def test_a_large_image_at_step_one_takes_the_memory_of_one_image(self):
        grid = PatchGrid(image_of(2048, 2048), size=48, step=1)
        assert len(grid) == 2001**2
        assert grid.patches.untyped_storage().nbytes() == 2048**2 * 4

    def test_intensities_span_zero_to_one_and_nothing_is_clipped(self):
        image = 1000 * image_of() - 300
        grid = PatchGrid(image, size=8)
        assert grid.limits == (image.min(), image.max())
        expected = (image - image.min()) / np.ptp(image)
        assert_close(grid.image, torch.from_numpy(expected.astype(np.float32)))

    def test_percentiles_saturate_the_tails(self):
        image = image_of()
        image[0, 0] = 1e6
        grid = PatchGrid(image, size=8, percentiles=(1.0, 99.0))
        assert grid.image[0, 0] == 1
        assert 0.005 < (grid.image == 1).float().mean() < 0.02
        assert grid.limits[1] < 1.1

    def test_scaling_is_off_on_request(self):
        image = 7 * image_of() - 3
        assert_close(PatchGrid(image, 8, percentiles=None).image, torch.tensor(image).float())

    @pytest.mark.parametrize("offset", [0.0, 1e9, -1e15])
    def test_a_large_offset_keeps_the_structure(self, offset):
        image = np.round(1000 * image_of())
        assert_close(PatchGrid(image + offset, 8).image, PatchGrid(image, 8).image)

    def test_values_near_the_largest_float_do_not_overflow(self):
        image = 2 * (image_of() - 0.5) * 1.7e308
        assert_close(PatchGrid(image, 8).image, PatchGrid(image_of(), 8).image)

    @pytest.mark.parametrize(
        "dtype", ["uint8", "uint16", "int16", "int64", "float16", ">f4", "float64", "bool"]
    )
    def test_any_real_dtype_is_accepted(self, dtype):
        image = image_of() > 0.5 if dtype == "bool" else (100 * image_of()).astype(dtype)
        grid = PatchGrid(image, size=8)
        assert grid.image.dtype == torch.float32
        assert grid.image.min() == 0
        assert grid.image.max() == 1

    @pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.uint8])
    def test_a_tensor_is_accepted(self, dtype):
        image = (
            (100 * torch.from_numpy(image_of())).to(dtype).requires_grad_(dtype.is_floating_point)
        )
        expected = PatchGrid(image.detach().float().numpy(), size=8)
        assert_close(PatchGrid(image, size=8).image, expected.image)

    def test_the_users_array_is_left_alone(self):
        image = image_of().astype(np.float32)
        copy = image.copy()
        PatchGrid(image, size=8, percentiles=None).image.zero_()
        np.testing.assert_array_equal(image, copy)

    def test_the_default_step_is_half_a_patch(self):
        assert PatchGrid(image_of(), size=(9, 8)).step == (4, 4)

    def test_centres_are_the_mean_pixel_coordinates(self):
        grid = PatchGrid(image_of(), size=(8, 5), step=(3, 4))
        y, x = np.indices((40, 30)).astype(float)
        for axis, coordinate in enumerate((y, x)):
            windows = np.lib.stride_tricks.sliding_window_view(coordinate, (8, 5))[::3, ::4]
            np.testing.assert_allclose(grid.centers[..., axis], windows.mean((2, 3)))

    @pytest.mark.parametrize("size", [7, 8])
    def test_a_sample_is_the_pixel_at_the_centre(self, size):
        labels = np.arange(40 * 30).reshape(40, 30)
        grid = PatchGrid(image_of(), size=size, step=3)
        sampled = grid.sample(labels)
        assert sampled[2, 4] == labels[6 + size // 2, 12 + size // 2]
        np.testing.assert_array_equal(grid.sample(torch.from_numpy(labels)), sampled)

    def test_moving_keeps_everything_but_the_device(self):
        grid = PatchGrid(image_of(), size=8, step=3)
        moved = grid.to("cpu")
        assert (moved.shape, moved.step, moved.limits) == (grid.shape, grid.step, grid.limits)
        assert_close(moved.patches, grid.patches)


class TestCoverage:
    @given(
        height=st.integers(8, 40),
        width=st.integers(8, 40),
        size=st.tuples(st.integers(2, 8), st.integers(2, 8)),
        step=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    )
    @settings(max_examples=50, deadline=None)
    def test_is_the_share_of_pixels_in_any_patch(self, height, width, size, step):
        grid = PatchGrid(image_of(height, width), size, step)
        seen = np.zeros((height, width), bool)
        for i in range(grid.shape[0]):
            for j in range(grid.shape[1]):
                y, x = i * step[0], j * step[1]
                seen[y : y + size[0], x : x + size[1]] = True
        assert grid.coverage == pytest.approx(seen.mean())

    def test_a_step_larger_than_the_patch_is_allowed_and_shown(self):
        grid = PatchGrid(image_of(40, 40), size=8, step=16)
        assert grid.shape == (3, 3)
        assert grid.coverage == pytest.approx(0.36)
        assert repr(grid).endswith("step=(16, 16), coverage=0.36)")

    def test_nothing_but_a_full_grid_shows_one(self):
        assert repr(PatchGrid(image_of(40, 40), size=8)).endswith("coverage=1.00)")
        assert repr(PatchGrid(image_of(1000, 400), size=(9, 8), step=(1, 8))).endswith("1.00)")
        assert repr(PatchGrid(image_of(1001, 400), size=(8, 8), step=(8, 8))).endswith("0.99)")

    def test_spectra_are_skipped_by_the_step(self):
        cube = np.random.default_rng(0).random((6, 8, 20))
        assert PatchGrid.from_spectra(cube).coverage == 1
        assert PatchGrid.from_spectra(cube, step=2).coverage == 0.25


class TestSpectra:
    def test_a_spectrum_is_a_patch(self):
        cube = np.random.default_rng(0).random((6, 7, 20))
        grid = PatchGrid.from_spectra(cube, percentiles=None)
        assert (grid.shape, grid.patch_shape) == ((6, 7), (20,))
        assert_close(grid.patches, torch.from_numpy(cube.astype(np.float32)))
        assert_close(grid.gather(torch.tensor([8]))[0], grid.patches[1, 1])

    def test_steps_skip_pixels(self):
        cube = np.random.default_rng(0).random((6, 7, 20))
        grid = PatchGrid.from_spectra(cube, step=(2, 3), percentiles=None)
        assert grid.shape == (3, 3)
        assert_close(grid.patches, torch.from_numpy(cube[::2, ::3].astype(np.float32)))
        np.testing.assert_array_equal(grid.sample(cube[..., 0]), cube[::2, ::3, 0])

    def test_five_points_are_a_spectrum(self):
        cube = np.random.default_rng(0).random((6, 7, 5))
        assert PatchGrid.from_spectra(cube).patch_shape == (5,)

    @pytest.mark.parametrize("channels", [1, 3, 4])
    def test_a_colour_image_is_refused_with_the_cure(self, channels):
        image = np.random.default_rng(0).random((20, 20, channels))
        with pytest.raises(ValueError, match=rf"{channels} point.*PatchGrid\(image\[\.\.\., 0\]"):
            PatchGrid.from_spectra(image)

    @pytest.mark.parametrize("shape", [(6, 7), (6, 7, 1), (6, 7, 8, 2)])
    def test_other_shapes_are_refused(self, shape):
        with pytest.raises(ValueError, match=r"cube has shape"):
            PatchGrid.from_spectra(np.random.default_rng(0).random(shape))


class TestASeries:
    def test_all_share_one_intensity_scale(self):
        images = [LARGE, 3 * LARGE[:60, :50] - 1]
        grids = PatchGrid.series(images, size=8, step=3)
        assert [grid.shape for grid in grids] == [(35, 28), (18, 15)]
        assert grids[0].limits == grids[1].limits == (images[1].min(), images[1].max())
        for grid, image in zip(grids, images, strict=True):
            low, high = grid.limits
            assert_close(grid.image, torch.from_numpy((image - low) / (high - low)).float())

    def test_a_stack_is_a_sequence_of_its_frames(self):
        stack = np.random.default_rng(0).random((3, 40, 30))
        for images in (stack, list(stack), torch.from_numpy(stack)):
            grids = PatchGrid.series(images, size=8)
            assert len(grids) == 3
            assert_close(grids[1].image, PatchGrid.series(stack, size=8)[1].image)

    def test_one_image_is_the_series_of_one(self):
        (grid,) = PatchGrid.series(LARGE[None], size=8, percentiles=(1.0, 99.0))
        alone = PatchGrid(LARGE, size=8, percentiles=(1.0, 99.0))
        assert_close(grid.image, alone.image)
        assert grid.limits == alone.limits

    def test_scaling_is_off_on_request(self):
        grids = PatchGrid.series(7 * LARGE[None] - 3, size=8, percentiles=None)
        assert_close(grids[0].image, torch.from_numpy(7 * LARGE - 3).float())

    @pytest.mark.parametrize(
        ("images", "named"),
        [
            (LARGE, r"images is one image, .*110 x 90.*\[image\]"),
            ([], "images is empty"),
            ([LARGE, np.ones((40, 40))], r"images\[1\] is constant"),
            ([LARGE, LARGE[:6]], "size=8 px exceeds"),
            (None, "images=None must be an array"),
        ],
    )
    def test_other_images_are_refused(self, images, named):
        with pytest.raises((ValueError, TypeError), match=named):
            PatchGrid.series(images, size=8)

    def test_a_large_offset_keeps_the_structure(self):
        image = np.round(1000 * image_of())
        (grid,) = PatchGrid.series([image + 1e15], size=8)
        assert_close(grid.image, PatchGrid(image, 8).image)


class TestRefusals:
    @pytest.mark.parametrize(
        ("image", "named"),
        [
            (np.full((20, 20), np.nan), "400 NaN or Inf"),
            (np.where(np.eye(20) > 0, np.inf, 0.0), "20 NaN or Inf"),
            (np.ones((20, 20)), r"constant \(1.0\)"),
            (np.zeros((0, 20)), "empty"),
            (np.random.default_rng(0).random((20, 20, 3)), r"image has shape \(20, 20, 3\)"),
            (np.random.default_rng(0).random(20), r"image has shape \(20,\)"),
        ],
    )
    def test_bad_images_are_named(self, image, named):
        with pytest.raises(ValueError, match=named):
            PatchGrid(image, size=8)

    @pytest.mark.parametrize("image", [np.ones((20, 20)) * 1j, np.array([[None, 1]])])
    def test_what_is_not_real_is_refused(self, image):
        with pytest.raises(TypeError, match=r"image has dtype .* must be real"):
            PatchGrid(image, size=8)

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"size": 41}, r"size=41 px exceeds the image, 40 x 30 px"),
            ({"size": (8, 31)}, r"size=\(8, 31\) px exceeds"),
            ({"size": 1}, r"size=1 must be at least 2"),
            ({"size": 8, "step": 0}, r"step=0 must be at least 1"),
            ({"size": 8, "step": (1, -1)}, r"step=\(1, -1\)"),
            ({"size": 8, "percentiles": (5.0, 5.0)}, r"percentiles=\(5.0, 5.0\)"),
            ({"size": 8, "percentiles": (-1.0, 50.0)}, r"percentiles=\(-1.0, 50.0\)"),
        ],
    )
    def test_bad_settings_are_named(self, settings, named):
        with pytest.raises(ValueError, match=named):
            PatchGrid(image_of(), **settings)

    @pytest.mark.parametrize("size", [8.5, "8", (8, 8, 8), None])
    def test_a_size_that_is_no_integer_is_refused(self, size, unchecked):
        with pytest.raises(ValueError, match="size="):
            unchecked(PatchGrid, image_of(), size)

    def test_percentiles_given_as_fractions_are_refused(self):
        with pytest.raises(ValueError, match=r"in per cent.*did you mean \(0.1, 99.9\)"):
            PatchGrid(image_of(), size=8, percentiles=(0.001, 0.999))

    def test_a_file_must_exist(self):
        with pytest.raises(FileNotFoundError, match=r"image='scan.tif': there is no such file"):
            PatchGrid("scan.tif", size=8)

    def test_percentiles_that_coincide_are_refused(self):
        image = np.zeros((40, 40))
        image[0, 0] = 1
        with pytest.raises(ValueError, match=r"are both 0.0"):
            PatchGrid(image, size=8, percentiles=(1.0, 99.0))

    def test_labels_of_another_shape_are_refused(self):
        with pytest.raises(ValueError, match=r"labels has shape \(5, 5\)"):
            PatchGrid(image_of(), size=8).sample(np.ones((5, 5)))

    def test_an_unknown_keyword_is_refused(self):
        with pytest.raises(TypeError, match="stride"):
            PatchGrid(image_of(), size=8, stride=2)
