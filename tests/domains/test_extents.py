"""Areas add up to that of the grid, and a table has a row for each domain."""

import csv
import io

import numpy as np
import pytest

from phyvae import PatchGrid, Wall, domain_areas, domain_table, mean_cells, walls_between
from phyvae.domains.extents import rounded

IMAGE = np.random.default_rng(0).random((290, 400))


@pytest.fixture
def grid():
    return PatchGrid(IMAGE, size=20, step=(10, 20))


@pytest.fixture
def labels(grid):
    return np.where(np.arange(grid.shape[1]) < 5, 3, 7) + np.zeros((grid.shape[0], 1), int)


class TestAreas:
    def test_are_cells_times_steps_times_pixels(self, grid, labels):
        rows, cols = grid.shape
        assert domain_areas(grid, labels) == {3: rows * 5 * 200.0, 7: rows * (cols - 5) * 200.0}
        areas = domain_areas(grid, labels, pixel_size=(0.1, 0.2))
        assert areas[3] == pytest.approx(rows * 5 * 200 * 0.02)

    def test_cells_without_a_patch_have_none(self, grid, labels):
        labels = labels.copy()
        labels[0] = -1
        assert (
            sum(domain_areas(grid, labels).values()) == (grid.shape[0] - 1) * grid.shape[1] * 200
        )

    def test_of_sites_are_unit_cells(self):
        sites = np.indices((20, 20)).reshape(2, -1).T @ [[12.0, 4.0], [0.0, 13.0]] + 20
        grid = PatchGrid.at(IMAGE, sites, size=10)
        areas = domain_areas(grid, np.zeros(grid.shape, int))
        assert areas[0] == pytest.approx(len(grid.indices) * 156, rel=0.01)

    def test_of_sites_without_lattice_fill_the_image(self):
        sites = 20.0 + 13 * np.indices((20, 28)).reshape(2, -1).T
        sites += np.random.default_rng(0).uniform(-4, 4, sites.shape)
        grid = PatchGrid.at(IMAGE, sites, size=10, lattice=False)
        areas = domain_areas(grid, np.zeros(grid.shape, int), pixel_size=0.1)
        assert areas[0] == pytest.approx(19 * 27 * 1.69, rel=0.05)


@pytest.mark.parametrize(
    ("value", "resolution", "text"),
    [
        (935.7, 18, "940"),
        (7.141, 0.15, "7.1"),
        (659016.0, 324, "659000"),
        (1.23456, 1e-3, "1.235"),
    ],
)
def test_no_digits_are_finer_than_the_step(value, resolution, text):
    assert rounded(value, resolution) == text


class TestTable:
    def test_goes_through_csv(self, grid, labels):
        maps = np.stack([labels + 0.5, np.indices(grid.shape)[0]])
        rows = domain_table(grid, labels, maps, [Wall((3, 7), 20.5, "nm", "contrast")])
        file = io.StringIO()
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
        first, second = csv.DictReader(io.StringIO(file.getvalue()))
        assert first["domain"] == "3"
        assert float(first["area (px²)"]) == domain_areas(grid, labels)[3]
        assert (first["z1 mean"], first["z1 std"]) == ("3.5", "0.0")
        assert float(second["z2 mean"]) == pytest.approx((grid.shape[0] - 1) / 2)
        assert first["walls"] == "to 7: 20 nm, contrast"  # the step is 10 px
        assert second["walls"] == "to 3: 20 nm, contrast"
        assert float(first["share"]) + float(second["share"]) == pytest.approx(1)

    def test_no_domain_is_no_row(self, grid):
        nothing = np.full(grid.shape, -1)
        assert domain_table(grid, nothing) == []
        assert walls_between(grid, nothing) == ()
        assert mean_cells(grid, nothing, np.full((2, *grid.shape), np.nan)) == ()

    def test_one_domain_has_no_wall(self, grid):
        assert walls_between(grid, np.zeros(grid.shape, int)) == ()

    def test_maps_of_another_grid_are_refused(self, grid, labels):
        with pytest.raises(ValueError, match=r"maps has shape \(1, 9, 9\)"):
            domain_table(grid, labels, np.zeros((1, 9, 9)))
