"""Files of electron microscopes; see the README of the folder of small files, `FILES`."""

import os
from pathlib import Path

import numpy as np
import pytest

import phyvae

pytest.importorskip("rsciio")
REAL = Path(os.environ.get("PHYVAE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data/real"))
FILES = REAL.parent / "files"
with_files = pytest.mark.skipif(not FILES.is_dir(), reason="no folder of small files")


@with_files
class TestFiles:
    @pytest.mark.parametrize(
        ("name", "shape", "dtype", "size"),
        [
            ("stem_image.dm3", (68, 68), "uint32", 0.24854),
            ("small_image.dm4", (2, 2), "float32", None),
            ("saved_by_dm.tif", (68, 68), "int32", 168.67),
            ("haadf_scan.mrc", (16, 16), "uint16", 5.679),
            ("tem_acquire.emi", (64, 64), "float32", 6.28183),
            ("tem_acquire_1.ser", (64, 64), "float32", 6.28183),
            ("ncem_image.emd", (3, 3), "int32", None),
        ],
    )
    def test_an_image_with_its_pixel_size(self, name, shape, dtype, size):
        scan = phyvae.read(FILES / name)
        assert scan.image.shape == shape
        assert scan.image.dtype == dtype
        assert scan.name == name
        expected = None if size is None else pytest.approx((size, size), rel=5e-5)
        assert scan.pixel_size == expected

    def test_a_stack(self):
        scans = phyvae.read(FILES / "tem_stack.emd")
        assert [scan.name for scan in scans] == ["tem_stack.emd[0]", "tem_stack.emd[1]"]
        assert scans[1].pixel_size == pytest.approx((0.00817288, 0.00817288))

    def test_a_spectrum_image(self):
        scan = phyvae.read(FILES / "eels_spectrum_image.dm4")
        assert scan.cube.shape == (2, 2, 2048)
        np.testing.assert_allclose(np.diff(scan.axis), 1.0)
        assert scan.axis_unit == "eV"
        assert scan.pixel_size == pytest.approx((1.99207, 1.99207), rel=1e-5)

    @pytest.mark.parametrize(
        ("name", "words"),
        [
            ("al_dark_field.dm3", "one spectrum"),
            ("diffraction_pattern.dm3", "axes in 1/nm"),
            ("signal.hspy", "axes in 1/nm"),
            ("diffraction_4d.blo", r"shape \(2, 3, 5, 5\).*virtual detector"),
        ],
    )
    def test_what_is_no_scan_is_refused(self, name, words):
        with pytest.raises(ValueError, match=rf"^{name} .*{words}"):
            phyvae.read(FILES / name)

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # open files
    @pytest.mark.parametrize("name", ["stem_image.dm3", "haadf_scan.mrc", "tem_acquire_1.ser"])
    def test_a_file_cut_short_is_refused(self, name, tmp_path):
        (tmp_path / name).write_bytes((FILES / name).read_bytes()[:700])
        with pytest.raises(ValueError, match=rf"{name} cannot be read as .* damaged"):
            phyvae.read(tmp_path / name)


@pytest.mark.filterwarnings("ignore:The NestedDirectoryStore:FutureWarning")
@pytest.mark.parametrize("suffix", ["hspy", "zspy", "nxs", "emd"])
def test_what_rosettasciio_writes_is_read_back(suffix, tmp_path):
    pytest.importorskip("zarr" if suffix == "zspy" else "h5py")
    plugin = pytest.importorskip(f"rsciio.{ {'nxs': 'nexus'}.get(suffix, suffix) }")
    image = np.random.default_rng(0).random((5, 6))
    axes = [
        {"name": name, "size": size, "scale": 0.3, "offset": 0.0, "units": "nm", "navigate": False,
         "index_in_array": k, "_type": "UniformDataAxis", "is_binned": False}
        for k, (name, size) in enumerate(zip("yx", (5, 6), strict=True))
    ]  # fmt: skip
    signal = {
        "data": image, "axes": axes, "attributes": {"_lazy": False}, "original_metadata": {},
        "metadata": {"General": {"title": "HAADF"}, "Signal": {"signal_type": ""}},
        "learning_results": {}, "models": {}, "tmp_parameters": {},
        "package_info": {"package": "RosettaSciIO", "package_version": "0"},
    }  # fmt: skip
    path = tmp_path / f"a.{suffix}"
    plugin.file_writer(str(path), signal)
    scan = phyvae.read(path)
    np.testing.assert_array_equal(scan.image, image)
    assert scan.pixel_size == pytest.approx((0.3, 0.3))
