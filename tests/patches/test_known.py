"""Known values of patches: classes and properties, and what cannot be one."""

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from phyvae import PatchGrid
from phyvae.patches.known import Patches, as_known

IMAGE = np.random.default_rng(0).random((40, 30))


class TestKnownValues:
    def test_classes_below_zero_are_unknown_and_properties_keep_their_sign(self):
        classes = np.array([[0, -1, 2]])
        np.testing.assert_array_equal(as_known(classes, (1, 3)), [[0], [np.nan], [2]])
        np.testing.assert_array_equal(as_known(1.0 * classes, (1, 3)), [[0], [-1], [2]])

    def test_several_values_of_a_patch_are_a_row(self):
        values = np.random.default_rng(0).random((2, 3, 4)).astype(np.float32)
        np.testing.assert_array_equal(as_known(values, (2, 3)), values.reshape(6, 4))
        np.testing.assert_array_equal(as_known(torch.from_numpy(values), (2, 3)).shape, (6, 4))

    @pytest.mark.parametrize(
        ("values", "error", "named"),
        [
            (np.zeros((5, 3)), ValueError, r"values has shape \(5, 3\), but the grid is \(9, 6\)"),
            (np.zeros((9, 6, 1, 1)), ValueError, r"\(rows, cols\) or \(rows, cols, n\)"),
            (np.full((9, 6), 1j), TypeError, "values has dtype complex128"),
            (np.full((9, 6), np.inf), ValueError, "NaN stands for unknown values"),
            (np.full((9, 6), -2), ValueError, "values holds -2, .* or -1 where unknown"),
        ],
    )
    def test_what_cannot_be_known_of_patches_is_refused(self, values, error, named):
        with pytest.raises(error, match=named):
            PatchGrid(IMAGE, size=8).with_known(values)


class TestPatches:
    def test_some_of_them_keep_their_values(self):
        pixels, known = torch.rand(5, 2, 3), torch.rand(5, 1)
        index = torch.tensor([4, 0])
        some = Patches(pixels, known)[index]
        assert len(some) == 2
        assert_close(some.pixels, pixels[index])
        assert_close(some.known, known[index])
        assert_close(some.flat, pixels[index].reshape(2, 6))
        assert Patches(pixels)[index].known is None

    def test_other_pixels_have_the_same_known_values(self):
        known = torch.rand(5, 1)
        other = Patches(torch.rand(5, 2, 3), known).showing(torch.zeros(5, 2, 3))
        assert other.known is known
        assert float(other.pixels.abs().sum()) == 0
