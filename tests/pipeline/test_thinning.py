"""Images and cells of a page are few, and where they were."""

import numpy as np

from phyvae import PatchGrid
from phyvae.pipeline import thinning


def test_cells_are_of_every_kth_row_and_column():
    grid = PatchGrid(np.random.default_rng(0).random((60, 80)), size=10, step=5)
    assert thinning.thinned(grid, 10_000)[0].tolist() == [*range(len(grid))]
    kept, stride = thinning.thinned(grid, 50)
    assert stride == 2
    assert kept.tolist() == np.arange(len(grid)).reshape(grid.shape)[::2, ::2].ravel().tolist()
    assert thinning.thinned(grid, 20, 2)[1] == 4


def test_cells_without_a_patch_are_left_out():
    mask = np.ones((60, 80), bool)
    mask[:30] = False
    grid = PatchGrid(np.random.default_rng(0).random((60, 80)), size=10, step=5, mask=mask)
    assert thinning.thinned(grid, 10_000)[0].tolist() == grid.indices.tolist()


def test_a_large_image_is_averaged(monkeypatch):
    grid = PatchGrid(np.add.outer(np.arange(30.0), np.arange(41.0)), size=10)
    whole, hatching, factor = thinning.picture_of(grid, grid.image.numpy())
    assert hatching is None
    assert (whole.shape, factor, whole.dtype) == ((30, 41), 1, np.uint8)
    monkeypatch.setattr(thinning, "_PIXELS", 400)
    image, _, factor = thinning.picture_of(grid, grid.image.numpy())
    assert (image.shape, factor) == ((15, 20), 2)
    expected = 255 * np.asarray(grid.image[:2, :2]).mean()
    assert abs(float(image[0, 0]) - expected) <= 0.5


def test_a_spectrum_image_is_its_mean_in_full_contrast():
    cube = np.arange(12.0).reshape(3, 4, 1) + np.zeros(8)
    image, *_ = thinning.picture_of(PatchGrid.from_spectra(cube), cube.mean(-1))
    assert (image.min(), image.max()) == (0, 255)


def test_what_was_not_recorded_is_white_and_hatched():
    recording = np.random.default_rng(0).random((60, 80))
    recording[:20, :30] = np.nan
    grid = PatchGrid(recording, 12, mask=np.isfinite(recording))
    image, hatching, _ = thinning.picture_of(grid, recording)
    assert (image[:20, :30] == 255).all()
    assert 0.1 < hatching[:20, :30].mean() < 0.5
    assert hatching.sum() == hatching[:20, :30].sum()
