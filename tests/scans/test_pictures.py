"""Pictures become intensities."""

import numpy as np
import pytest
from PIL import Image
from skimage.color import rgb2gray

import phyvae
from phyvae.scans.pictures import from_picture, luminance, read_picture

RGB = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
IMAGE = np.random.default_rng(0).random((12, 15))


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


def test_an_array_is_an_image(tmp_path):
    np.save(tmp_path / "a.npy", IMAGE)
    scan = phyvae.read(tmp_path / "a.npy")
    np.testing.assert_array_equal(scan.image, IMAGE)
    assert scan.pixel_size is None
    assert scan.image.flags.writeable  # in memory, not of the file


def test_a_stack_is_not_read_at_once(tmp_path):
    np.save(tmp_path / "movie.npy", np.stack([IMAGE, 2 * IMAGE]))
    scans = phyvae.read(tmp_path / "movie.npy")
    assert [scan.name for scan in scans] == ["movie.npy[0]", "movie.npy[1]"]
    np.testing.assert_array_equal(scans[1].image, 2 * IMAGE)
    assert isinstance(scans[1].image.base, np.memmap) or not scans[1].image.flags.owndata
    assert scans[0].notes == ("frames of 12 x 15 px along the first of three axes",)


def test_colours_become_luminance(tmp_path):
    np.save(tmp_path / "a.npy", np.stack([IMAGE, 0 * IMAGE, 0 * IMAGE], axis=2))
    scan = phyvae.read(tmp_path / "a.npy")
    np.testing.assert_allclose(scan.image, 0.2126 * IMAGE)
    assert "luminance" in scan.notes[0]


class TestNpz:
    def test_calibration_and_channels(self, tmp_path):
        np.savez(
            tmp_path / "a.npz",
            amplitude=IMAGE, phase=-IMAGE, text="x", pixel_size=[2.0, 3.0], pixel_unit="µm",
        )  # fmt: skip
        scan = phyvae.read(tmp_path / "a.npz", "phase")
        np.testing.assert_array_equal(scan.image, -IMAGE)
        assert scan.pixel_size == (2000, 3000)
        assert scan.channels == ("amplitude", "phase")
        assert scan.metadata["text"] == "x"

    def test_a_cube_is_a_spectrum_image(self, tmp_path):
        cube = np.random.default_rng(0).random((4, 5, 9))
        axis = np.linspace(-1, 1, 9)
        np.savez(tmp_path / "a.npz", cube=cube, axis=axis, axis_unit="V", pixel_size=1.5)
        scan = phyvae.read(tmp_path / "a.npz")
        np.testing.assert_array_equal(scan.cube, cube)
        np.testing.assert_array_equal(scan.axis, axis)
        assert (scan.axis_unit, scan.pixel_size) == ("V", None)
        assert scan.notes == ("no pixel size: step 1.5 has no unit",)

    def test_without_an_image_it_is_refused(self, tmp_path):
        np.savez(tmp_path / "a.npz", axis=np.arange(3))
        with pytest.raises(ValueError, match=r"a.npz holds no image"):
            phyvae.read(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.save, np.savez], ids=["npy", "npz"])
def test_pickled_objects_are_not_loaded(tmp_path, save):
    path = tmp_path / ("a.npy" if save is np.save else "a.npz")
    save(path, np.array([[print, 1]], dtype=object))
    with pytest.raises(ValueError, match=rf"{path.name} cannot be read as {path.suffix[1:]}"):
        phyvae.read(path)
