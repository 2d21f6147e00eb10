"""Reading files: channels, and what is refused with its name and reason."""

import os
import sys

import numpy as np
import pytest
from PIL import Image

import phyvae

IMAGE = np.random.default_rng(0).random((12, 15))


class TestChannels:
    @pytest.fixture
    def path(self, tmp_path):
        np.savez(tmp_path / "a.npz", cube4=np.ones((2, 2, 2, 2)), height=IMAGE, phase=-IMAGE)
        return tmp_path / "a.npz"

    def test_the_first_image_is_the_default_and_noted(self, path):
        scan = phyvae.read(path)
        assert (scan.channel, scan.channels) == ("height", ("cube4", "height", "phase"))
        assert scan.notes == ("channel 'height'; the file also holds 'cube4', 'phase'",)

    @pytest.mark.parametrize("channel", ["phase", 2, np.int64(2)])
    def test_by_name_or_index(self, path, channel, unchecked):
        scan = unchecked(phyvae.read, path, channel)
        np.testing.assert_array_equal(scan.image, -IMAGE)
        assert scan.channel == "phase"

    @pytest.mark.parametrize("channel", ["HAADF", 3, -1, 0.5, True, [1]])
    def test_unknown_ones_are_refused_with_the_list(self, path, channel, unchecked):
        with pytest.raises(
            ValueError, match=r"channel=.* not one of a.npz: 'cube4', 'height', 'ph"
        ):
            unchecked(phyvae.read, path, channel)

    def test_a_channel_that_is_no_image_is_refused(self, path):
        with pytest.raises(ValueError, match=r"virtual detector"):
            phyvae.read(path, "cube4")

    def test_equal_names_are_numbered(self, tmp_path):
        gwyfile = pytest.importorskip("gwyfile")
        container = gwyfile.objects.GwyContainer()
        for k in range(3):
            container[f"/{k}/data/title"] = "Height"
            container[f"/{k}/data"] = gwyfile.objects.GwyDataField(IMAGE)
        container.tofile(str(tmp_path / "a.gwy"))
        scan = phyvae.read(tmp_path / "a.gwy", "Height (3)")
        assert scan.channels == ("Height", "Height (2)", "Height (3)")


def test_of_many_channels_few_are_listed(tmp_path):
    np.savez(tmp_path / "a.npz", **{f"c{k}": IMAGE for k in range(20)})
    assert phyvae.read(tmp_path / "a.npz").notes[0].endswith("'c7', 'c8' and 11 more")


class TestPictures:
    @pytest.mark.parametrize("suffix", ["png", "bmp", "PNG"])
    def test_a_picture_has_no_calibration(self, suffix, tmp_path):
        values = (255 * IMAGE).astype(np.uint8)
        Image.fromarray(values).save(tmp_path / f"a.{suffix}", dpi=(72, 72))
        scan = phyvae.read(os.fspath(tmp_path / f"a.{suffix}"))
        np.testing.assert_array_equal(scan.image, values)
        assert scan.pixel_size is None

    def test_colours_are_noted(self, tmp_path):
        colours = np.random.default_rng(0).integers(0, 256, (6, 8, 3)).astype(np.uint8)
        Image.fromarray(colours).save(tmp_path / "a.png")
        assert "luminance" in phyvae.read(tmp_path / "a.png").notes[0]


def test_a_path_may_begin_at_home(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    np.save(tmp_path / "a.npy", np.eye(5))
    np.testing.assert_array_equal(phyvae.read("~/a.npy").image, np.eye(5))


class TestRefusals:
    def test_a_missing_file(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"path='.*a.tif': there is no such file"):
            phyvae.read(tmp_path / "a.tif")
        with pytest.raises(FileNotFoundError, match=r"path='': there is no such file"):
            phyvae.read("")

    def test_a_folder(self, tmp_path):
        with pytest.raises(IsADirectoryError, match=r"is a folder"):
            phyvae.read(tmp_path)

    def test_another_suffix(self, tmp_path):
        (tmp_path / "a.docx").write_text("x")
        with pytest.raises(ValueError, match=r"a.docx has a suffix that is not read; .*tif.*dm4"):
            phyvae.read(tmp_path / "a.docx")

    @pytest.mark.parametrize("name", ["scan", "scan.", ".scan"])
    def test_no_suffix(self, name, tmp_path):
        (tmp_path / name).write_text("x")
        with pytest.raises(ValueError, match=r"has no suffix.* rename it, such as scan.tif.*dm4"):
            phyvae.read(tmp_path / name)

    @pytest.mark.parametrize("suffix", ["npy", "npz", "tif", "png", "dm4", "emd", "gwy", "sxm"])
    @pytest.mark.parametrize(
        ("content", "words"),
        [(b"", "is empty: 0 bytes"), (b"no image" * 99, "cannot be read as .*: it is damaged")],
        ids=["empty", "text"],
    )
    def test_empty_and_damaged_files(self, suffix, content, words, tmp_path):
        readers = {"dm4": "rsciio", "emd": "h5py", "gwy": "gwyfile", "sxm": "nanonispy2"}
        pytest.importorskip(readers.get(suffix, "numpy"))
        (tmp_path / f"a.{suffix}").write_bytes(content)
        with pytest.raises(ValueError, match=rf"^a.{suffix} {words}") as refused:
            phyvae.read(tmp_path / f"a.{suffix}")
        assert refused.value.__suppress_context__ or refused.value.__context__ is None

    @pytest.mark.parametrize("suffix", ["npy", "npz", "tif", "png", "jpg", "emd", "gwy"])
    def test_truncated_files(self, suffix, tmp_path):
        path = tmp_path / f"a.{suffix}"
        if suffix in ("npy", "npz"):
            {"npy": np.save, "npz": np.savez}[suffix](path, IMAGE)
        elif suffix == "emd":
            with pytest.importorskip("h5py").File(path, "w") as file:
                file["a"] = IMAGE
            pytest.importorskip("rsciio")
        elif suffix == "gwy":
            gwyfile = pytest.importorskip("gwyfile")
            field = gwyfile.objects.GwyDataField(IMAGE)
            gwyfile.objects.GwyContainer({"/0/data": field}).tofile(str(path))
        else:
            Image.fromarray((255 * IMAGE).astype(np.uint8)).save(path)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 3])
        with pytest.raises(ValueError, match=rf"read as {suffix}: it is truncated or damaged\.$"):
            phyvae.read(path)

    @pytest.mark.parametrize("save", [np.save, np.savez])
    def test_python_objects(self, save, tmp_path):
        path = tmp_path / ("a.npy" if save is np.save else "a.npz")
        save(path, np.array([[1, None], [2, "x"]]))
        with pytest.raises(ValueError, match=r"holds Python objects.*array.astype\(float\)"):
            phyvae.read(path)

    def test_a_file_of_another_kind(self, tmp_path):
        Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "a.png")
        (tmp_path / "a.png").rename(tmp_path / "a.tif")
        with pytest.raises(ValueError, match=r"a.tif cannot be read as tif: it begins as a PNG"):
            phyvae.read(tmp_path / "a.tif")

    def test_complex_images(self, tmp_path):
        np.save(tmp_path / "a.npy", IMAGE + 1j)
        with pytest.raises(TypeError, match=r"a.npy has dtype complex128.*magnitude"):
            phyvae.read(tmp_path / "a.npy")


@pytest.mark.parametrize(
    ("suffix", "module"),
    [
        ("dm4", "rsciio.digitalmicrograph"),
        ("gwy", "gwyfile"),
        ("ibw", "igor2.binarywave"),
        ("sxm", "nanonispy2"),
        ("3ds", "nanonispy2"),
    ],
)
def test_without_the_extra_the_error_names_the_command(suffix, module, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, module, None)
    (tmp_path / f"a.{suffix}").write_text("x")
    with pytest.raises(ImportError, match=rf'reading .{suffix} .*: python -m pip .* "\.\[io\]"'):
        phyvae.read(tmp_path / f"a.{suffix}")
