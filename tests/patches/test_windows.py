"""Windows of an image at any pixel."""

import torch
from torch.testing import assert_close

from phyvae.patches.windows import clamped, crop, random_corners, windows_of

IMAGE = torch.arange(40.0 * 50).reshape(40, 50)
WINDOWS = windows_of(IMAGE, (6, 8))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_there_is_one_at_every_pixel_where_it_fits_and_none_is_copied():
    assert WINDOWS.shape == (35, 43, 6, 8)
    assert_close(WINDOWS[3, 5], IMAGE[3:9, 5:13])
    assert WINDOWS.untyped_storage().data_ptr() == IMAGE.untyped_storage().data_ptr()


def test_a_crop_is_the_window_at_its_corner():
    corners = torch.tensor([[0, 0], [34, 42], [7, 3]])
    assert_close(crop(WINDOWS, corners)[:, 0, 0], IMAGE[corners[:, 0], corners[:, 1]])


def test_corners_are_clamped_to_the_image():
    corners = torch.tensor([[-3, 5], [99, 42], [34, -1]])
    assert clamped(WINDOWS, corners).tolist() == [[0, 5], [34, 42], [34, 0]]


def test_random_corners_are_uniform_and_depend_on_the_seed_alone():
    corners = random_corners(WINDOWS, 35 * 43 * 20, generator())
    assert torch.equal(corners, random_corners(WINDOWS, len(corners), generator()))
    counts = torch.zeros(35, 43).index_put(tuple(corners.T), torch.ones(()), accumulate=True)
    assert counts.min() > 0
    assert 0.85 < float(counts.var() / counts.mean()) < 1.15  # a Poisson distribution
