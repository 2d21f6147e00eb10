"""A mean cell is the pattern of its domain, and its noise falls with the number of places."""

import numpy as np
import pytest
import torch

import phyvae
from crystals import SQUARE, TWO_ATOMS, image_of
from phyvae import PatchGrid, mean_cells


def uncentred(turns):
    return np.cos(turns[0]) + 0.7 * np.cos(turns[1]) + 0.5 * np.cos(turns.sum(0) + 1)


FINE = 2 * np.pi * np.indices((1000, 1000)) / 1000
CREST = FINE.reshape(2, -1)[:, uncentred(FINE).argmax()]


def pattern(y, x, side=12.6):
    """Return a lattice without mirror symmetry, with a crest at (0, 0), at any places."""
    turns = 2 * np.pi * np.stack([y, x]) / side
    return uncentred(turns + CREST.reshape(2, *(1,) * np.ndim(y)))


def to_sites(grid, side=12.6, error=0.0):
    """Return shifts from each patch to one of the sites around, and the pattern that is there."""
    rng = np.random.default_rng(0)
    exact = -grid.centers + side * (
        np.round(grid.centers / side) + rng.integers(-1, 2, grid.centers.shape)
    )
    shifts = np.moveaxis(exact + error * rng.standard_normal(exact.shape), -1, 0)
    height, width = grid.patch_shape
    y, x = (
        np.indices(grid.patch_shape) - np.array([(height - 1) / 2, (width - 1) / 2])[:, None, None]
    )
    return shifts, pattern(y, x, side)


def crystal(noise=0.0, shape=(220, 260), step=7, seed=1):
    image = pattern(*np.indices(shape))
    image = image + noise * np.random.default_rng(seed).standard_normal(shape)
    return PatchGrid(image, size=(24, 20), step=step, percentiles=(0, 100))


class TestMean:
    def test_is_the_pattern_without_noise_in_the_units_of_the_image(self):
        grid = crystal()
        shifts, expected = to_sites(grid)
        (cell,) = mean_cells(grid, np.zeros(grid.shape, int), torch.from_numpy(shifts))
        np.testing.assert_allclose(cell.mean, expected, atol=0.05)
        assert cell.std.max() < 0.05
        assert cell.mean.shape == (24, 20)

    def test_is_moved_onto_the_lattice_where_shifts_are_rough(self):
        grid = crystal()
        shifts, expected = to_sites(grid, error=1.5)
        (cell,) = mean_cells(grid, np.zeros(grid.shape, int), shifts)
        correlation = np.corrcoef(cell.mean.ravel(), expected.ravel())[0, 1]
        assert correlation > 0.99
        assert cell.mean.var() > 0.98 * expected.var()

    def test_of_patches_where_they_are_without_shifts(self):
        grid = crystal()
        (cell,) = mean_cells(grid, np.zeros(grid.shape, int))
        low, high = grid.limits
        expected = low + (high - low) * grid.patches.mean((0, 1))
        np.testing.assert_allclose(cell.mean, expected, atol=0.02)

    def test_noise_falls_with_the_root_of_the_count(self):
        for shape in ((220, 260), (500, 560)):
            grids = [crystal(noise=1.0, shape=shape, seed=seed) for seed in (1, 2)]
            labels, (shifts, _) = np.zeros(grids[0].shape, int), to_sites(grids[0])
            (one,), (two,) = (mean_cells(grid, labels, shifts) for grid in grids)
            # But for the place of the lattice, which noise moves, too.
            moves = np.stack([slope.ravel() for slope in np.gradient(one.mean)], 1)
            change = (one.mean - two.mean).ravel()
            change -= moves @ np.linalg.lstsq(moves, change, rcond=None)[0]
            rms = float(np.sqrt((change**2 / 2).mean()))
            assert rms == pytest.approx(one.error.mean(), rel=0.3)
        assert one.count > 1200

    def test_patches_of_one_site_count_once(self):
        grid = crystal(noise=0.5, step=3)
        shifts, _ = to_sites(grid)
        (cell,) = mean_cells(grid, np.zeros(grid.shape, int), shifts)
        sites = (220 - 24) / 12.6 * (260 - 20) / 12.6
        assert cell.count == pytest.approx(sites, rel=0.15)

    def test_patches_across_a_wall_are_left_out(self):
        image = np.where(np.arange(200) < 100, 1.0, 5.0) * np.ones((120, 1))
        grid = PatchGrid(image, size=10, step=5)
        left, right = mean_cells(grid, (grid.centers[..., 1] > 100).astype(int))
        assert left.std.max() < 1e-6
        np.testing.assert_allclose([left.mean.mean(), right.mean.mean()], [1, 5], atol=1e-5)

    def test_a_thin_domain_keeps_its_deepest_quarter(self):
        grid = crystal()
        labels = (np.arange(grid.shape[1]) == 5) * np.ones((grid.shape[0], 1), int)
        assert mean_cells(grid, labels)[1].count >= grid.shape[0] // 4

    def test_a_domain_whose_patches_leave_the_image_is_nan(self):
        grid = crystal()
        labels = np.zeros(grid.shape, int)
        labels[0, 0] = 1
        (_, corner) = mean_cells(grid, labels, np.full((2, *grid.shape), -20.0))
        assert corner.count == 0
        assert np.isnan(corner.mean).all()
        assert np.isnan(corner.error).all()

    def test_of_spectra_along_their_axis(self):
        points = np.arange(40.0)
        shifts = np.random.default_rng(0).uniform(-3, 3, (1, 9, 11))
        cube = np.exp(-((points - 20 - shifts[0][..., None]) ** 2) / 20)
        grid = PatchGrid.from_spectra(cube)
        (cell,) = mean_cells(grid, np.zeros(grid.shape, int), shifts)
        np.testing.assert_allclose(cell.mean, np.exp(-((points - 20) ** 2) / 20), atol=0.02)
        assert cell.count == 99

    def test_of_sites_with_a_mask(self):
        image = image_of(SQUARE, TWO_ATOMS, (200, 200))
        sites = 30.0 + 14 * np.indices((10, 10)).reshape(2, -1).T
        grid = PatchGrid.at(image, np.delete(sites, [33, 57], 0), size=15)
        (cell,) = mean_cells(grid, np.zeros(grid.shape, int), np.zeros((2, *grid.shape)))
        assert 25 <= cell.count <= 98
        assert cell.mean.max() == pytest.approx(image.max(), rel=0.05)

    @pytest.mark.slow
    def test_of_variants_differ_by_the_displaced_column_and_are_sharper_than_unmoved(self):
        phantom = phyvae.phantoms.bfo(dose=20.0, noise=0.1, seed=9)
        grid = PatchGrid(phantom.image, size=24, step=8)
        model = phyvae.ShiftVAE(grid.patch_shape, 2, dx_prior=0.3, seed=0)
        phyvae.align(model, grid, progress=False)
        labels = grid.sample(phantom.domains)
        moved = mean_cells(grid, labels, model.shifts(grid, progress=False))
        unmoved = mean_cells(grid, labels)
        for cell, plain in zip(moved, unmoved, strict=True):
            assert cell.mean.std() > 10 * plain.mean.std()
        up, down = moved[1].mean, moved[2].mean
        assert np.abs(up - down).max() > 10 * moved[1].error.max()


def test_a_cell_shows_its_size_and_count():
    grid = crystal()
    assert repr(mean_cells(grid, np.zeros(grid.shape, int))[0]).startswith(
        "MeanCell(0: 24 x 20, m"
    )


class TestRefusals:
    def test_labels_of_another_grid(self):
        grid = crystal()
        with pytest.raises(ValueError, match="labels has shape"):
            mean_cells(grid, np.zeros((3, 3), int))

    def test_shifts_of_another_grid(self):
        grid = crystal()
        with pytest.raises(ValueError, match=r"shifts has shape \(2, 3, 3\)"):
            mean_cells(grid, np.zeros(grid.shape, int), np.zeros((2, 3, 3)))

    def test_shifts_that_are_not_known(self):
        grid = crystal()
        shifts = np.zeros((2, *grid.shape))
        shifts[0, 1, 2] = np.nan
        with pytest.raises(ValueError, match="shifts of 1 cells"):
            mean_cells(grid, np.zeros(grid.shape, int), shifts)
