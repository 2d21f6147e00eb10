"""NumPy's own files."""

import numpy as np
import pytest

import phyvae

IMAGE = np.random.default_rng(0).random((12, 15))


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
