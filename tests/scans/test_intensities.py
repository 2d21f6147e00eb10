"""Intensities are checked, and scaled between two percentiles."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae.scans.intensities import (
    IntensityRangeWarning,
    as_intensities,
    as_scan,
    limits_of,
    scaled,
)

IMAGE = np.random.default_rng(0).random((20, 30))


class TestChecks:
    @pytest.mark.parametrize("dtype", ["bool", "uint8", "int64", "float16", "float32", ">f8"])
    def test_any_real_array_is_taken_as_it_is(self, dtype):
        image = (IMAGE > 0.5) if dtype == "bool" else (10 * IMAGE).astype(dtype)
        found = as_intensities(image, "image")
        assert found.dtype == image.dtype
        np.testing.assert_array_equal(found, image)

    @pytest.mark.parametrize(
        "image",
        [
            torch.from_numpy(IMAGE).requires_grad_(),
            torch.from_numpy(IMAGE).to_sparse(),
            IMAGE.tolist(),
            list(torch.from_numpy(IMAGE)),
            np.ma.masked_array(IMAGE, np.zeros(IMAGE.shape, bool)),
        ],
        ids=["gradient", "sparse", "list", "list of tensors", "nothing masked"],
    )
    def test_so_is_anything_like_an_array(self, image):
        np.testing.assert_array_equal(as_scan(image), IMAGE)

    def test_long_doubles_are_shortened(self):
        assert as_scan(IMAGE.astype(np.longdouble)).dtype == np.float64
        with pytest.raises(ValueError, match="600 NaN or Inf"):
            as_scan((1 + IMAGE.astype(np.longdouble)) * np.longdouble("1e4000"))

    @pytest.mark.parametrize(
        ("image", "error", "named"),
        [
            (np.where(IMAGE > 0.99, np.nan, IMAGE), ValueError, "scan holds . NaN or Inf"),
            (np.full((3, 4), np.nan), ValueError, "12 NaN or Inf values and no others.$"),
            (np.ones((3, 4)), ValueError, r"scan is constant \(1.0\)"),
            (np.zeros((0, 4)), ValueError, r"scan is empty, shape \(0, 4\)"),
            (IMAGE + 1j, TypeError, "scan has dtype complex128, but must be real; .*magnitude"),
            ("a.tif", FileNotFoundError, "scan='a.tif': there is no such file"),
            (None, TypeError, "scan=None must be an array"),
            ([[1, 2], [3]], ValueError, r"scan=\[\[1, 2\], \[3\]\] is no array"),
            (np.ma.masked_greater(IMAGE, 0.9), ValueError, r"NaN.*mask=np.isfinite\(image\)"),
            (IMAGE[None], ValueError, r"scan has shape \(1, 20, 30\), but must be one scan"),
        ],
    )
    def test_others_are_refused(self, image, error, named):
        with pytest.raises(error, match=named):
            as_scan(image, "scan")


class TestScale:
    def test_limits_are_percentiles(self):
        expected = np.percentile(IMAGE, (2, 99))
        assert limits_of(IMAGE, (2.0, 99.0)) == pytest.approx(tuple(expected))
        assert limits_of(IMAGE, None) == (0.0, 1.0)

    def test_they_become_zero_and_one_and_the_rest_is_clipped(self):
        low, high = limits_of(IMAGE, (2.0, 99.0))
        expected = np.clip((IMAGE - low) / (high - low), 0, 1)
        assert_close(scaled(IMAGE, (2.0, 99.0), (low, high)), torch.from_numpy(expected).float())
        assert_close(scaled(7 * IMAGE, None, (0.0, 1.0)), torch.from_numpy(7 * IMAGE).float())

    def test_neither_huge_values_nor_huge_offsets_overflow(self):
        huge = 2 * (IMAGE - 0.5) * 1.7e308
        whole = (0.0, 100.0)
        expected = scaled(IMAGE, whole, limits_of(IMAGE, whole))
        assert_close(scaled(huge, whole, limits_of(huge, whole)), expected)
        offset = np.round(1000 * IMAGE)
        moved = scaled(offset - 1e15, whole, limits_of(offset - 1e15, whole))
        assert_close(moved, scaled(offset, whole, limits_of(offset, whole)))

    @pytest.mark.parametrize("image", [IMAGE + 1e15, IMAGE * 1e200])
    def test_without_scaling_float32_must_hold_the_values(self, image):
        with pytest.raises(ValueError, match=r"float32 cannot hold.*percentiles=\(0, 100\)"):
            scaled(image, None, (0.0, 1.0))

    @pytest.mark.parametrize(
        ("percentiles", "error", "named"),
        [
            (5, TypeError, "percentiles=5 must be two numbers"),
            ((1, 2, 3), TypeError, "must be two numbers"),
            ({1, 99}, TypeError, "must be two numbers"),
            ((True, 99), TypeError, "must be two numbers"),
            ((99, 1), ValueError, "0 <= low < high <= 100"),
            ((-1, 50), ValueError, "0 <= low < high <= 100"),
            ((0.01, 0.99), ValueError, r"did you mean \(1, 99\)"),
        ],
    )
    def test_other_percentiles_are_refused(self, percentiles, error, named, unchecked):
        with pytest.raises(error, match=named):
            unchecked(limits_of, IMAGE, percentiles)

    def test_so_are_those_that_coincide(self):
        with pytest.raises(ValueError, match=r"are both 0.0; choose wider ones"):
            limits_of(np.eye(50), (1.0, 90.0))


class TestRobustLimits:
    IMAGE = np.random.default_rng(3).normal(size=(200, 200))

    def test_an_ordinary_image_is_not_clipped(self):
        assert limits_of(self.IMAGE, "robust") == (self.IMAGE.min(), self.IMAGE.max())
        spike = np.zeros((20, 20))
        spike[3, 3] = 1
        assert limits_of(spike, "robust") == (0, 1)

    @pytest.mark.parametrize("value", [1e6, -32768.0])
    @pytest.mark.parametrize("where", [(50, 60), 50])
    def test_a_hot_pixel_or_a_dead_row_is(self, where, value):
        image = self.IMAGE.copy()
        image[where] = value
        with pytest.warns(IntensityRangeWarning, match=r"take only .* %.*mask=found\.mask"):
            low, high = limits_of(image, "robust")
        assert -8 < low < high < 8
        with pytest.warns(IntensityRangeWarning, match="Leave percentiles out"):
            limits_of(image, (0, 100))

    def test_other_words_are_refused(self):
        with pytest.raises(ValueError, match=r"percentiles='full' must be .*robust"):
            limits_of(self.IMAGE, "full")
