"""Pictures become intensities."""

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2gray

from phyvae.scans.pictures import from_picture, luminance, read_picture

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)


class TestLuminance:
    def test_it_is_near_that_of_scikit_image(self):
        values, note = luminance(RGB)
        np.testing.assert_allclose(values / 255, rgb2gray(RGB), atol=3e-4)
        assert "luminance" in note

    def test_grey_stays_as_it_is(self):
        grey = np.repeat(RGB[..., :1], 3, axis=2)
        values, note = luminance(grey)
        assert values.dtype == np.uint8
        np.testing.assert_array_equal(values, grey[..., 0])
        assert "one channel" in note

    def test_opacity_is_left_out(self):
        opaque = np.concatenate([RGB, RGB[..., :1]], axis=2)
        np.testing.assert_array_equal(luminance(opaque)[0], luminance(RGB)[0])
        np.testing.assert_array_equal(luminance(RGB[..., :2])[0], RGB[..., 0])


@pytest.mark.parametrize("mode", ["L", "I", "F", "I;16", "1"])
def test_intensities_of_any_depth_are_those_of_the_file(mode):
    values = RGB[..., 0] > 128 if mode == "1" else RGB[..., 0]
    if mode == "I;16":
        picture = Image.fromarray(250 * values.astype(np.uint16))
    else:
        picture = Image.fromarray(values).convert(mode)
    found = from_picture(picture).data
    np.testing.assert_array_equal(found, 250 * values.astype(int) if mode == "I;16" else values)


def test_a_palette_is_looked_up():
    palette = Image.fromarray(RGB[..., 0]).convert("P")
    np.testing.assert_array_equal(from_picture(palette).data, RGB[..., 0])


def test_an_animation_is_a_stack(tmp_path):
    frames = [Image.fromarray(np.full((4, 5), value, np.uint8)) for value in (0, 100, 200)]
    frames[0].save(tmp_path / "a.gif", save_all=True, append_images=frames[1:])
    (recording,) = read_picture(tmp_path / "a.gif")
    assert recording.data.shape == (3, 4, 5)
    assert recording.data[2].max() == 200
