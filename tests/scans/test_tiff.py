"""TIFF files and their many calibrations."""

import numpy as np
import pytest
import tifffile

import phyvae

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.integers(0, 1000, (20, 30)).astype(np.uint16)
STACK = RANDOM.random((3, 20, 30)).astype(np.float32)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "a.tif"


class TestImageJ:
    @pytest.mark.parametrize(("unit", "length"), [("nm", 1), ("um", 1000), ("\\u00B5m", 1000)])
    def test_resolution_and_unit(self, path, unit, length):
        metadata = {"unit": unit}
        tifffile.imwrite(path, IMAGE, imagej=True, resolution=(4, 2), metadata=metadata)
        scan = phyvae.read(path)
        np.testing.assert_array_equal(scan.image, IMAGE)
        assert scan.pixel_size == pytest.approx((0.5 * length, 0.25 * length))

    @pytest.mark.parametrize("unit", [None, "pixel"])
    def test_without_a_unit_there_is_none(self, path, unit):
        metadata = {} if unit is None else {"unit": unit}
        tifffile.imwrite(path, IMAGE, imagej=True, resolution=(1, 1), metadata=metadata)
        assert phyvae.read(path).pixel_size is None

    def test_that_of_a_screen_is_none(self, path):
        tifffile.imwrite(path, IMAGE, imagej=True, resolution=(72, 72), metadata={"unit": "inch"})
        assert phyvae.read(path).pixel_size is None

    def test_slices_are_frames_and_stay_on_disk(self, path):
        metadata = {"axes": "ZYX", "unit": "nm"}
        tifffile.imwrite(path, STACK, imagej=True, resolution=(5, 5), metadata=metadata)
        scans = phyvae.read(path)
        assert [scan.name for scan in scans] == ["a.tif[0]", "a.tif[1]", "a.tif[2]"]
        np.testing.assert_array_equal(scans[2].image, STACK[2])
        assert scans[2].pixel_size == pytest.approx((0.2, 0.2))
        assert not scans[2].image.flags.owndata

    def test_channels(self, path):
        tifffile.imwrite(path, STACK, imagej=True, metadata={"axes": "CYX"})
        scan = phyvae.read(path, channel=1)
        np.testing.assert_array_equal(scan.image, STACK[1])
        assert len(scan.channels) == 3
        assert scan.image.flags.writeable  # in memory, not of the file

    def test_of_frames_with_channels_one_channel_is_a_stack(self, path):
        both = np.stack([STACK, -STACK], axis=1)
        tifffile.imwrite(path, both, imagej=True, metadata={"axes": "TCYX"})
        scans = phyvae.read(path, channel="channel 1")
        np.testing.assert_array_equal(scans[2].image, -STACK[2])


class TestOME:
    def test_physical_sizes_and_channel_names(self, tmp_path):
        path = tmp_path / "a.ome.tif"
        metadata = {
            "axes": "CYX", "PhysicalSizeX": 30.0, "PhysicalSizeXUnit": "pm",
            "PhysicalSizeY": 0.05, "PhysicalSizeYUnit": "nm",
            "Channel": {"Name": ["HAADF", "BF", "DF"]},
        }  # fmt: skip
        tifffile.imwrite(path, STACK, metadata=metadata)
        scan = phyvae.read(path, "BF")
        assert scan.channels == ("HAADF", "BF", "DF")
        assert scan.pixel_size == pytest.approx((0.05, 0.03))
        np.testing.assert_array_equal(scan.image, STACK[1])

    def test_the_default_unit_is_a_micrometre(self, tmp_path):
        path = tmp_path / "a.ome.tif"
        tifffile.imwrite(path, IMAGE, metadata={"PhysicalSizeX": 0.001, "PhysicalSizeY": 0.002})
        assert phyvae.read(path).pixel_size == pytest.approx((2.0, 1.0))


class TestPlain:
    def test_pixels_per_centimetre(self, path):
        tifffile.imwrite(path, IMAGE, resolution=(1e6, 2e6), resolutionunit="CENTIMETER")
        assert phyvae.read(path).pixel_size == pytest.approx((5.0, 10.0))

    @pytest.mark.parametrize("dpi", [1, 72, 96, 300, 600])
    def test_resolutions_of_screens_and_pages_are_none(self, path, dpi):
        tifffile.imwrite(path, IMAGE, resolution=(dpi, dpi), resolutionunit="INCH")
        assert phyvae.read(path).pixel_size is None

    def test_a_file_without_any(self, path):
        tifffile.imwrite(path, IMAGE)
        scan = phyvae.read(path)
        assert (scan.pixel_size, scan.channel, scan.channels) == (None, "", ())

    def test_colours_become_luminance(self, path):
        rgb = np.stack([IMAGE, 0 * IMAGE, IMAGE], axis=2)
        tifffile.imwrite(path, rgb, photometric="rgb")
        scan = phyvae.read(path)
        np.testing.assert_allclose(scan.image, (0.2126 + 0.0722) * IMAGE)
        assert "luminance" in scan.notes[0]

    def test_a_compressed_stack_is_read(self, path):
        tifffile.imwrite(path, STACK, compression="zlib", photometric="minisblack")
        np.testing.assert_array_equal(phyvae.read(path)[1].image, STACK[1])

    def test_pages_of_several_sizes_are_channels(self, path):
        with tifffile.TiffWriter(path) as file:
            file.write(IMAGE)
            file.write(IMAGE[:5, :6])
        scan = phyvae.read(path)
        assert scan.channels == ("0", "1")
        assert phyvae.read(path, 1).image.shape == (5, 6)
        np.testing.assert_array_equal(scan.image, IMAGE)
