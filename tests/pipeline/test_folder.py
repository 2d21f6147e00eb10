"""The folder of a result: what is in it, and that it is there at once or not at all."""

import csv
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import tifffile

from phyvae import Scan, load_domains
from phyvae.pipeline.folder import FRAME, is_replaceable, put, write_folder
from small_domains import small_domains


@pytest.fixture(scope="module")
def small():
    found = small_domains()
    return replace(found, scan=Scan(found.scan.image, (0.2, 0.1), name="small"))


@pytest.fixture(scope="module")
def folder(small, tmp_path_factory):
    folder = tmp_path_factory.mktemp("result")
    write_folder(small, folder)
    return folder


class TestContents:
    def test_the_page_is_there_or_the_command_that_installs_it(self, small, tmp_path, monkeypatch):
        pytest.importorskip("bokeh")
        assert write_folder(small, tmp_path) == []
        assert (tmp_path / "report.html").is_file()
        (tmp_path / "report.html").unlink()
        monkeypatch.setitem(sys.modules, "bokeh.embed", None)
        (lacking,) = write_folder(small, tmp_path)
        assert 'python -m pip install ".[report]", in a clone' in lacking
        assert not (tmp_path / "report.html").exists()

    def test_the_result_is_there_in_all_forms(self, folder):
        names = {one.name for one in folder.iterdir()}
        assert names >= {
            *("domains.png", "labels.tif", "maps.npz", "settings.toml"),
            *("domains.csv", "scan.phyvae"),
        }

    def test_labels_lie_at_the_pixels_of_the_scan_with_their_size(self, small, folder):
        with tifffile.TiffFile(folder / "labels.tif") as file:
            labels = file.asarray()
            assert file.imagej_metadata["unit"] == "nm"
            ratio = file.pages[0].tags["XResolution"].value
            assert ratio[0] / ratio[1] == pytest.approx(10, rel=1e-6)
        assert labels.shape == small.scan.image.shape
        np.testing.assert_array_equal(small.grid.sample(labels.astype(int)), small.labels + 1)

    def test_maps_and_result_can_be_loaded(self, small, folder):
        with np.load(folder / "maps.npz") as maps:
            np.testing.assert_array_equal(maps["maps"], small.maps)
            np.testing.assert_array_equal(maps["labels"], small.labels)
            assert maps["centers"].shape == (*small.grid.shape, 2)
        assert repr(load_domains(folder / "scan.phyvae")) == repr(small)

    def test_the_table_has_a_row_for_each_domain(self, small, folder):
        with (folder / "domains.csv").open() as file:
            rows = [*csv.DictReader(file)]
        assert len(rows) == small.classes

    @pytest.mark.parametrize("kind", ["masked", "sites", "graph", "spectra", "unanswered"])
    def test_every_kind_of_result_has_one(self, tmp_path, kind):
        write_folder(small_domains(kind), tmp_path)
        labels = tifffile.imread(tmp_path / "labels.tif")
        assert (labels.max() == 0) == (kind == "unanswered")

    def test_pixels_without_a_patch_have_label_0(self, tmp_path):
        found = small_domains("masked")
        write_folder(found, tmp_path)
        labels = tifffile.imread(tmp_path / "labels.tif")
        assert labels[0, 0] == 0
        assert labels[100, 100] > 0


def made(folder, *names):
    """A folder with files."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(str(folder))
    return folder


class TestPut:
    def test_a_new_folder_gets_its_name(self, tmp_path):
        put(made(tmp_path / ".part", "a"), tmp_path / "a_domains", over=False)
        assert [one.name for one in tmp_path.iterdir()] == ["a_domains"]

    def test_an_old_one_is_replaced_and_leaves_nothing(self, tmp_path):
        old = made(tmp_path / "a_domains", "old", "settings.toml")
        put(made(tmp_path / ".part", "new"), old, over=True)
        assert [one.name for one in tmp_path.iterdir()] == ["a_domains"]
        assert [one.name for one in old.iterdir()] == ["new"]

    def test_an_old_one_is_kept_if_the_new_one_cannot_take_its_place(self, tmp_path, monkeypatch):
        old, part = made(tmp_path / "a_domains", "old"), made(tmp_path / ".part", "new")
        rename = Path.rename

        def failing(self, target):
            if self == part:
                raise OSError("disk")
            return rename(self, target)

        monkeypatch.setattr(Path, "rename", failing)
        with pytest.raises(OSError, match="disk"):
            put(part, old, over=True)
        assert (old / "old").is_file()

    def test_one_that_was_made_meanwhile_is_not_replaced(self, tmp_path):
        old = made(tmp_path / "a_domains", "old")
        with pytest.raises(FileExistsError, match="made meanwhile"):
            put(made(tmp_path / ".part", "new"), old, over=False)
        assert (old / "old").is_file()

    def test_only_folders_of_results_are_replaceable(self, tmp_path):
        assert is_replaceable(made(tmp_path / "a", "settings.toml", "labels.tif"))
        assert is_replaceable(made(tmp_path / "b", f"{FRAME.format(0)}/settings.toml"))
        (tmp_path / "empty").mkdir()
        assert is_replaceable(tmp_path / "empty")
        assert not is_replaceable(made(tmp_path / "c", "thesis.tex"))
        assert not is_replaceable(tmp_path / "c" / "thesis.tex")
