"""Maps and labels for other programs keep their scale."""

import numpy as np
import pytest
import tifffile

import phyvae
from phyvae.scans.exporting import save_tiff, to_hyperspy, to_xarray
from phyvae.scans.objects import scan_of

MAPS = np.random.default_rng(0).random((3, 10, 20)).astype(np.float32)
LABELS = np.random.default_rng(0).integers(-1, 4, (10, 20))


class TestTiff:
    def test_it_is_read_back(self, tmp_path):
        save_tiff(tmp_path / "a.tif", MAPS, (0.2, 0.1))
        scan = phyvae.read(tmp_path / "a.tif", 2)
        np.testing.assert_array_equal(scan.image, MAPS[2])
        assert scan.pixel_size == pytest.approx((0.2, 0.1))

    def test_it_is_as_imagej_writes_it(self, tmp_path):
        save_tiff(tmp_path / "a.tif", LABELS, (0.5, 0.25))
        with tifffile.TiffFile(tmp_path / "a.tif") as file:
            assert file.is_imagej
            assert file.imagej_metadata["unit"] == "nm"
            tags = file.pages[0].tags
            for name, expected in (("XResolution", 4), ("YResolution", 2)):
                numerator, denominator = tags[name].value
                assert numerator / denominator == expected

    def test_without_calibration_there_is_none(self, tmp_path):
        save_tiff(tmp_path / "a.tif", LABELS)
        assert phyvae.read(tmp_path / "a.tif").pixel_size is None

    @pytest.mark.parametrize(
        ("values", "dtype"),
        [
            (LABELS, "int16"), (LABELS + 1, "uint8"), (LABELS + 300, "uint16"),
            (LABELS == 1, "uint8"), (LABELS * 1.5, "float32"), (LABELS * 100_000, "float32"),
        ],
    )  # fmt: skip
    def test_integers_stay_what_they_are(self, values, dtype, tmp_path):
        save_tiff(tmp_path / "a.tif", values)
        found = phyvae.read(tmp_path / "a.tif").image
        assert found.dtype == dtype
        np.testing.assert_array_equal(found, values)

    @pytest.mark.parametrize("name", ["a.png", "a", "a.tif.npy"])
    def test_other_names_are_refused(self, tmp_path, name):
        with pytest.raises(ValueError, match=r"path='.*' must end in .tif or .tiff"):
            save_tiff(tmp_path / name, LABELS)
        save_tiff(tmp_path / "a.TIFF", LABELS)

    def test_a_folder_that_is_not_there(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"there is no folder '.*none'; make it"):
            save_tiff(tmp_path / "none/a.tif", LABELS)

    def test_integers_that_would_be_lost_are_refused(self, tmp_path):
        with pytest.raises(ValueError, match=r"array holds integers from .* renumber"):
            save_tiff(tmp_path / "a.tif", LABELS * 10**8)


@pytest.mark.parametrize(
    ("export", "package"), [(to_xarray, "xarray"), (to_hyperspy, "hyperspy.api")]
)
class TestObjects:
    def test_they_are_taken_back(self, export, package):
        pytest.importorskip(package)
        scan = scan_of(export(MAPS, (0.2, 0.1), unit="nm", name="latent"))
        np.testing.assert_array_equal(scan.cube, np.moveaxis(MAPS, 0, -1))
        assert scan.pixel_size == pytest.approx((0.2, 0.1))
        assert scan.name == "latent"

    def test_without_calibration_there_is_none(self, export, package):
        pytest.importorskip(package)
        scan = scan_of(export(LABELS))
        np.testing.assert_array_equal(scan.image, LABELS)
        assert scan.pixel_size is None

    def test_refusals(self, export, package):
        pytest.importorskip(package)
        with pytest.raises(ValueError, match=r"array has shape \(20,\)"):
            export(LABELS[0])
        with pytest.raises(ValueError, match=r"pixel_size"):
            export(LABELS, (0.0, 1.0))


def test_coordinates_begin_at_the_offset():
    pytest.importorskip("xarray")
    array = to_xarray(MAPS, (0.2, 0.1), (1.0, 0.5), unit="nm")
    assert array.dims == ("channel", "y", "x")
    np.testing.assert_allclose(array.y, 1.0 + 0.2 * np.arange(10))
    np.testing.assert_allclose(array.x, 0.5 + 0.1 * np.arange(20))
    assert array.x.attrs == {"units": "nm"}


def test_a_signal_has_its_scales():
    pytest.importorskip("hyperspy.api")
    signal = to_hyperspy(MAPS, (0.2, 0.1), (1.0, 0.5), unit="nm")
    x, y = signal.axes_manager.signal_axes
    assert (x.name, x.scale, x.offset, x.units) == ("x", 0.1, 0.5, "nm")
    assert (y.name, y.scale, y.offset, y.units) == ("y", 0.2, 1.0, "nm")
    assert signal.axes_manager.navigation_shape == (3,)
