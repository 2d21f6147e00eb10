"""Axes of recordings in the order of a scan."""

import numpy as np
import pytest

import phyvae
from phyvae.scans.arranging import arrange
from phyvae.scans.recording import Axis, Recording, plain

CUBE = np.random.default_rng(0).random((3, 4, 7))  # y, x, energy
Y, X, E = Axis("y", "nm", 0.2), Axis("x", "pm", 100.0), Axis("energy", "eV", 2.0, 300.0)
T = Axis("time", "s", 0.1)


def arranged(data, *axes, **settings):
    return arrange(Recording(data, axes), "a", **settings)


class TestSpectrumImages:
    @pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 2, 0), (1, 0, 2), (2, 1, 0)])
    def test_axes_in_any_order_are_rows_columns_spectrum(self, order):
        axes = [(Y, X, E)[k] for k in order]
        scan = arranged(CUBE.transpose(order), *axes)
        np.testing.assert_array_equal(scan.cube, CUBE)
        np.testing.assert_allclose(scan.image, CUBE.mean(2))
        np.testing.assert_array_equal(scan.axis, 300 + 2 * np.arange(7))
        assert scan.pixel_size == (0.2, pytest.approx(0.1))
        assert scan.axis_unit == "eV"

    def test_without_names_the_measured_axis_is_spectral(self):
        position, measured = Axis(is_signal=False), Axis(is_signal=True)
        scan = arranged(CUBE, position, position, measured)
        np.testing.assert_array_equal(scan.cube, CUBE)

    def test_on_request_any_third_axis_is_spectral(self):
        for axes in ((Axis(), Axis(), Axis()), (Y, X, T), (Y, X, Axis("q"))):
            np.testing.assert_array_equal(arranged(CUBE, *axes, spectra=True).cube, CUBE)


class TestImages:
    def test_columns_first_are_turned(self):
        scan = arranged(CUBE[..., 0].T, X, Y)
        np.testing.assert_array_equal(scan.image, CUBE[..., 0])
        assert scan.pixel_size == (0.2, pytest.approx(0.1))

    def test_of_two_pixel_sizes_both_must_be_known(self):
        scan = arranged(CUBE[..., 0], Y, Axis("x", "", 0.3))
        assert scan.pixel_size is None
        assert scan.notes == ("no pixel size: step 0.3 has no unit",)

    def test_axes_of_length_one_are_left_out(self):
        assert arranged(CUBE[None, ..., 0], Axis(), Axis(), Axis()).image.shape == (3, 4)
        assert arranged(CUBE[:1], Y, X, E).cube.shape == (1, 4, 7)

    def test_masked_pixels_are_nan(self):
        image = np.ma.masked_less(np.arange(12).reshape(3, 4), 2)
        scan = arrange(plain(image), "a")
        assert np.isnan(scan.image[0, :2]).all()
        assert scan.image[2, 3] == 11
        assert arrange(plain(np.ma.masked_less(image.data, -1)), "a").image.dtype.kind == "i"


class TestStacks:
    def test_each_frame_is_a_scan(self):
        scans = arranged(CUBE, Y, X, T)
        assert [scan.name for scan in scans[:2]] == ["a[0]", "a[1]"]
        np.testing.assert_array_equal(scans[6].image, CUBE[..., 6])
        assert scans[6].pixel_size == (0.2, pytest.approx(0.1))

    def test_without_names_frames_come_first(self):
        assert len(arrange(plain(CUBE), "a")) == 3

    def test_frames_of_a_file_stay_there(self, tmp_path):
        np.save(tmp_path / "a.npy", CUBE)
        for scan in arrange(plain(np.load(tmp_path / "a.npy", mmap_mode="r")), "a"):
            assert not scan.image.flags.owndata
            assert not scan.image.flags.writeable


class TestRefusals:
    @pytest.mark.parametrize(
        ("shape", "axes", "words"),
        [
            ((7,), [E], "is one spectrum"),
            ((3, 7), [X, E], "is a line of spectra or curves"),
            ((), [], "is one number"),
            ((2, 3, 4, 4), [Y, X, Axis("dy"), Axis("dx")], "virtual detector"),
            ((4, 4), [Axis("y", "1/nm", 0.1), Axis("x", "1/nm", 0.1)], "axes in 1/nm"),
            ((5, 4, 4), [T, Axis("ky", "mrad"), Axis("kx", "mrad")], "axes in mrad"),
            ((3, 4, 7), [Y, X, Axis("q")], "whether the axis 'q' is spectral"),
            ((3, 4, 7), [Axis("a"), Axis("b"), X], "has the axes 'a', 'b', 'x'"),
            ((3, 4, 7), [X, T, E], "has the axes 'x', 'time', 'energy'"),
            ((0, 4), [Y, X], "is empty"),
        ],
    )
    def test_what_is_no_scan(self, shape, axes, words):
        with pytest.raises(ValueError, match=f"^a.* {words}"):
            arranged(np.ones(shape), *axes)

    def test_complex_images_are_refused_with_the_cure(self):
        with pytest.raises(TypeError, match=r"a has dtype complex128.*magnitude"):
            arranged(1j * CUBE[..., 0], Y, X)


def test_a_scan_keeps_what_the_recording_knows():
    recording = Recording(CUBE, (Y, X, E), "HAADF", {"HT": 200}, ("one note",))
    scan = arrange(recording, "a.dm4")
    assert isinstance(scan, phyvae.Scan)
    assert (scan.name, scan.channel, scan.metadata) == ("a.dm4", "HAADF", {"HT": 200})
    assert scan.notes == ("one note",)
