"""Measures and exports of domains."""

import csv

import numpy as np
import pytest
import tifffile

import phyvae
from small_domains import small_domains


class TestLabelsImage:
    def test_agrees_with_the_labels_at_the_centres(self, found):
        image = found.labels_image()
        assert image.shape == found.scan.image.shape
        np.testing.assert_array_equal(found.grid.sample(image), found.labels)

    def test_agrees_with_the_truth(self, found, phantom):
        assert phyvae.adjusted_rand_index(found.labels_image(), phantom.domains) > 0.85

    @pytest.mark.parametrize("kind", ["raster", "masked", "spectra"])
    def test_its_areas_are_those_of_the_table(self, kind, tmp_path):
        found = small_domains(kind)
        found.to_csv(tmp_path / "domains.csv")
        found.save_tiff(tmp_path / "labels.tif")
        pixels = np.bincount(tifffile.imread(tmp_path / "labels.tif").astype(int).ravel())
        with (tmp_path / "domains.csv").open(encoding="utf-8") as file:
            for row in csv.DictReader(file):
                assert int(row["value in labels.tif"]) == int(row["domain"]) + 1
                assert pixels[int(row["value in labels.tif"])] == float(row["area (px²)"])
        assert len(pixels) == found.classes + 1

    def test_is_none_in_the_rim_and_where_there_is_no_patch(self):
        masked = small_domains("masked")
        image, (first, *_) = masked.labels_image(), masked.grid.centers[:, 0, 0]
        assert (image[: int(first) - 3] == -1).all()
        held = masked.grid.mask.numpy()
        np.testing.assert_array_equal(masked.grid.sample(image) >= 0, held)

    @pytest.mark.parametrize("kind", ["sites", "graph"])
    def test_at_sites_is_that_of_the_nearest(self, kind):
        found = small_domains(kind)
        image, held = found.labels_image(), np.isfinite(found.grid.centers).all(-1)
        at = np.round(found.grid.centers[held]).astype(int)
        assert (image[tuple(at.T)] == found.labels[held]).mean() > 0.99
        assert (image == -1).any()  # no whole patch at the rim

    def test_of_spectra_is_that_of_each(self):
        found = small_domains("spectra")
        np.testing.assert_array_equal(found.labels_image(), found.labels)


class TestMeasures:
    def test_areas_cells_and_walls_are_those_of_the_parts(self, found):
        assert found.areas == phyvae.domain_areas(
            found.grid, found.labels, pixel_size=(0.02, 0.02)
        )
        assert [cell.label for cell in found.cells] == [0, 1]
        (wall,) = found.walls
        assert wall.unit == "nm"

    def test_the_table_has_a_row_for_each(self, found, tmp_path):
        found.to_csv(tmp_path / "domains.csv")
        with (tmp_path / "domains.csv").open(encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
        assert [row["domain"] for row in rows] == ["0", "1"]
        assert float(rows[0]["area (nm²)"]) == pytest.approx(found.areas[0], rel=5e-6)
        digits = rows[0]["z1 mean"].lstrip("-0.").replace(".", "").split("e")[0]
        assert len(digits) <= 6
        assert "nm" in rows[0]["walls"]

    def test_a_folder_that_is_not_there_is_named(self, found, tmp_path):
        for write, name in ((found.to_csv, "a.csv"), (found.save_tiff, "a.tif")):
            with pytest.raises(FileNotFoundError, match=r"there is no folder '.*none'; make it"):
                write(tmp_path / "none" / name)

    def test_an_unanswered_question_has_an_empty_table(self, tmp_path):
        found = small_domains("unanswered")
        assert found.table() == []
        found.to_csv(tmp_path / "domains.csv")
        assert (tmp_path / "domains.csv").read_text().strip() == "domain"


class TestExports:
    def test_tiff_has_the_labels_and_the_scale(self, found, tmp_path):
        found.save_tiff(tmp_path / "labels.tif")
        scan = phyvae.read(tmp_path / "labels.tif")
        np.testing.assert_array_equal(scan.image, found.labels_image() + 1)
        assert scan.pixel_size == pytest.approx((0.02, 0.02))
        with tifffile.TiffFile(tmp_path / "labels.tif") as file:
            assert file.is_imagej

    def test_xarray_has_coordinates_at_the_centres(self, found):
        pytest.importorskip("xarray")
        labels, maps = found.to_xarray(), found.to_xarray("maps")
        np.testing.assert_allclose(labels.y, 0.02 * found.grid.centers[:, 0, 0])
        np.testing.assert_allclose(maps.x, 0.02 * found.grid.centers[0, :, 1])
        assert maps.dims == ("channel", "y", "x")

    def test_hyperspy_has_axes(self, found):
        pytest.importorskip("hyperspy.api")
        axis = found.to_hyperspy().axes_manager["x"]
        assert axis.scale == pytest.approx(0.02 * found.grid.step[1])
        assert axis.units == "nm"

    def test_sites_lie_on_no_raster(self):
        with pytest.raises(ValueError, match="labels_image"):
            small_domains("sites").to_xarray()

    def test_of_what_there_is_not(self, found):
        with pytest.raises(ValueError, match="'labels', 'maps'"):
            found.to_xarray("shifts")
