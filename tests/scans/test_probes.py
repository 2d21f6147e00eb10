"""Files of scanning probe microscopes, written here as the programs write them."""

import os
import struct
import sys
from pathlib import Path

import numpy as np
import pytest

import phyvae

REAL = Path(os.environ.get("PHYVAE_REAL_DATA", Path(__file__).parents[3] / "shared" / "data/real"))
AFM = REAL.parent / "files" / "afm.gwy"
Z = np.random.default_rng(0).random((2, 3)).astype(np.float32)


class TestGwyddion:
    def test_channels_have_names_and_sizes(self, tmp_path):
        gwyfile = pytest.importorskip("gwyfile")
        objects = gwyfile.objects
        container = objects.GwyContainer()
        for k, name in enumerate(["Height", "Phase"]):
            container[f"/{k}/data/title"] = name
            container[f"/{k}/data"] = objects.GwyDataField(
                (k + 1.0) * Z.astype(float),
                xreal=6e-9,
                yreal=8e-9,
                si_unit_xy=objects.GwySIUnit(unitstr="m"),
            )
        container.tofile(str(tmp_path / "a.gwy"))
        scan = phyvae.read(tmp_path / "a.gwy", "Phase")
        np.testing.assert_allclose(scan.image, 2 * Z)
        assert scan.channels == ("Height", "Phase")
        assert scan.pixel_size == pytest.approx((4.0, 2.0))

    @pytest.mark.skipif(not AFM.is_file(), reason="no folder of small files")
    def test_a_file_of_gwyddion(self):
        pytest.importorskip("gwyfile")
        scan = phyvae.read(AFM)
        assert scan.image.shape == (128, 128)
        assert scan.channels == ("Test",)
        assert scan.pixel_size is None  # it has no unit


def igor_wave(layers, labels, step, unit=b"m"):
    """Return an Igor binary wave, version 5, of float32 layers (x, y, layer)."""
    data = np.asfortranarray(layers, np.float32)
    dims = [*data.shape, 0, 0, 0, 0][:4]
    names = b"".join(label.ljust(32, b"\0") for label in [b"", *labels] if labels)
    header = struct.pack("<IIIihh6xh32siI", 0, 0, 0, data.size, 2, 0, 1, b"wave", 0, 0)
    header += struct.pack("<4i4d4d", *dims, step, step, 1, 1, 0, 0, 0, 0)
    header += struct.pack("<4s4s4s4s4shhdd", b"m", unit, unit, b"V", b"", 0, 0, 0, 0)
    header = header.ljust(320, b"\0")
    start = struct.pack(
        "<i i i i 4i 4i i i i", 320 + data.nbytes, 0, 0, 0, *[0] * 4, 0, 0, len(names), 0, 0, 0, 0
    )
    parts = [struct.pack("<h", 5), start, header]
    total = sum(sum(struct.unpack(f"<{len(p) // 2}h", p)) for p in parts)
    checksum = struct.pack("<H", -total & 0xFFFF)
    return parts[0] + checksum + start + header + data.tobytes("F") + names


class TestIgor:
    def test_layers_are_channels_seen_from_above(self, tmp_path):
        pytest.importorskip("igor2")
        layers = np.stack([Z[::-1].T, 5 * Z[::-1].T], axis=2)
        wave = igor_wave(layers, [b"HeightTrace", b"PhaseTrace\0race"], 2e-9)
        (tmp_path / "a.ibw").write_bytes(wave)
        scan = phyvae.read(tmp_path / "a.ibw", "PhaseTrace")
        np.testing.assert_array_equal(scan.image, 5 * Z)
        assert scan.channels == ("HeightTrace", "PhaseTrace")
        assert scan.pixel_size == pytest.approx((2.0, 2.0))

    def test_layers_without_names_are_spectra(self, tmp_path):
        pytest.importorskip("igor2")
        cube = np.random.default_rng(0).random((4, 3, 5)).astype(np.float32)
        turned = cube[::-1].transpose(1, 0, 2)
        (tmp_path / "a.ibw").write_bytes(igor_wave(turned, [], 0.5, b"nm"))
        scan = phyvae.read(tmp_path / "a.ibw")
        np.testing.assert_array_equal(scan.cube, cube)
        np.testing.assert_array_equal(scan.axis, np.arange(5))
        assert (scan.axis_unit, scan.pixel_size) == ("V", (0.5, 0.5))

    @pytest.mark.parametrize(
        ("values", "words"), [(Z[0], "one spectrum"), (Z, "a line of spectra or curves")]
    )
    def test_curves_are_refused(self, values, words, tmp_path):
        pytest.importorskip("igor2")
        (tmp_path / "a.ibw").write_bytes(igor_wave(values, [], 1.0, b"s"))
        with pytest.raises(ValueError, match=f"^a.ibw is {words}"):
            phyvae.read(tmp_path / "a.ibw")


def nanonis_scan(direction):
    lines = [":NANONIS_VERSION:", "2", ":SCAN_PIXELS:", " 3 2", ":SCAN_RANGE:", " 3E-9 4E-9",
             ":SCAN_OFFSET:", " 0 0", ":SCAN_TIME:", " 1 1", ":BIAS:", "0.1", ":ACQ_TIME:", "2",
             ":SCAN_DIR:", direction, ":DATA_INFO:", "\tChannel\tName\tUnit", "\t14\tZ\tm",
             "\t0\tCurrent\tA", "", ":SCANIT_END:", "", ""]  # fmt: skip
    rows = Z if direction == "down" else Z[::-1]
    data = np.stack([rows, rows[:, ::-1], 3 * rows, 3 * rows[:, ::-1]])
    return "\n".join(lines).encode() + b"\n\x1a\x04" + data.astype(">f4").tobytes()


def nanonis_grid(cube, *left_out):
    rows, cols, points = cube.shape
    header = [f'Grid dim="{cols} x {rows}"', 'Grid settings=0;0;3E-9;4E-9;0',
              "Sweep Signal=\"Bias (V)\"", 'Fixed parameters="Sweep Start;Sweep End"',
              'Experiment parameters="X (m);Y (m);Z (m)"', "# Parameters (4 byte)=5",
              f"Experiment size (bytes)={4 * points}", f"Points={points}",
              'Channels="Current (A)"', "Delay before measuring (s)=0", 'Experiment="e"',
              'Start time="s"', 'End time="t"', 'User="u"', 'Comment="c"', ":HEADER_END:",
              ""]  # fmt: skip
    header = [line for line in header if not line.startswith(left_out)]
    about = np.broadcast_to(np.float32([-1, 1, 0, 0, 7]), (rows, cols, 5))
    data = np.concatenate([about, cube], axis=2).astype(">f4")
    return "\r\n".join(header).encode() + data.tobytes()


class TestNanonis:
    @pytest.mark.parametrize("direction", ["up", "down"])
    def test_lines_lie_as_on_the_specimen(self, direction, tmp_path):
        pytest.importorskip("nanonispy2")
        (tmp_path / "a.sxm").write_bytes(nanonis_scan(direction))
        names = ("Z forward", "Z backward", "Current forward", "Current backward")
        for name, factor in zip(names, (1, 1, 3, 3), strict=True):
            scan = phyvae.read(tmp_path / "a.sxm", name)
            np.testing.assert_allclose(scan.image, factor * Z)
        assert scan.channels == names
        assert scan.pixel_size == pytest.approx((2.0, 1.0))

    def test_a_grid_is_a_spectrum_image(self, tmp_path):
        pytest.importorskip("nanonispy2")
        cube = np.random.default_rng(0).random((2, 3, 9))
        (tmp_path / "a.3ds").write_bytes(nanonis_grid(cube))
        scan = phyvae.read(tmp_path / "a.3ds")
        np.testing.assert_allclose(scan.cube[::-1], cube, rtol=1e-6)
        np.testing.assert_allclose(scan.axis, np.linspace(-1, 1, 9))
        assert (scan.axis_unit, scan.channels) == ("V", ("Current (A)", "topo"))
        assert scan.pixel_size == pytest.approx((2.0, 1.0))
        assert (phyvae.read(tmp_path / "a.3ds", "topo").image == 7).all()

    def test_headers_of_older_versions_are_read(self, tmp_path):
        pytest.importorskip("nanonispy2")
        grid = nanonis_grid(np.ones((2, 3, 9)), "Delay", "Start", "Comment")
        (tmp_path / "a.3ds").write_bytes(grid)
        assert phyvae.read(tmp_path / "a.3ds").cube.shape == (2, 3, 9)

    def test_what_was_not_recorded_is_nan(self, tmp_path):
        pytest.importorskip("nanonispy2")
        whole = nanonis_grid(np.ones((2, 3, 9)))
        (tmp_path / "a.3ds").write_bytes(whole[: -2 * 4 * 14])
        # nanonispy2 enlarges an array in place, which a tracer, that of coverage, does not allow.
        tracer = sys.gettrace()
        sys.settrace(None)
        try:
            image = phyvae.read(tmp_path / "a.3ds").image
        finally:
            sys.settrace(tracer)
        np.testing.assert_array_equal(np.isnan(image), [[0, 1, 1], [0, 0, 0]])


pytest.importorskip("rsciio")


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
