from dataclasses import replace

import numpy as np
import pytest

from phyvae import Scan
from phyvae.scans.resampling import at_pixel_size

Y, X = np.mgrid[:60, :90]
WAVES = Scan(np.sin(2 * np.pi * Y / 12) + np.cos(2 * np.pi * X / 15), (0.2, 0.1), name="waves")


def test_the_same_size_is_left_alone():
    assert at_pixel_size(WAVES, (0.2, 0.1005), resample=False) is WAVES
    uncalibrated = replace(WAVES, pixel_size=None)
    assert at_pixel_size(uncalibrated, None, resample=True) is uncalibrated


def test_a_wave_keeps_its_length_in_nm():
    found = at_pixel_size(WAVES, (0.1, 0.15), resample=True)
    assert found.image.shape == (120, 60)
    assert found.pixel_size == (0.1, 0.15)
    assert found.notes == ("resampled from pixels of 0.2 x 0.1 nm",)
    y, x = np.mgrid[:120, :60]
    wanted = np.sin(2 * np.pi * ((y + 0.5) / 2 - 0.5) / 12)
    wanted += np.cos(2 * np.pi * ((x + 0.5) * 1.5 - 0.5) / 15)
    assert np.corrcoef(found.image[9:-9, 9:-9].ravel(), wanted[9:-9, 9:-9].ravel())[0, 1] > 0.99


def test_gaps_and_spectra_are_kept():
    cube = np.stack([WAVES.image, 2 * WAVES.image], axis=-1)
    image = WAVES.image.copy()
    image[:, :20] = np.nan
    scan = replace(WAVES, image=image, cube=cube)
    found = at_pixel_size(scan, (0.4, 0.2), resample=True)
    assert found.cube.shape == (30, 45, 2)
    np.testing.assert_allclose(found.cube[..., 1], 2 * found.cube[..., 0], atol=1e-12)
    np.testing.assert_array_equal(
        np.isnan(found.image), np.broadcast_to(np.arange(45) < 10, (30, 45))
    )


def test_another_size_is_refused_with_both_sizes():
    with pytest.raises(ValueError, match=r"0.2 x 0.1 nm, but .* 0.3 x 0.1 nm.*resample=True"):
        at_pixel_size(WAVES, (0.3, 0.1), resample=False)
    for scan, size in ((WAVES, None), (replace(WAVES, pixel_size=None), (0.2, 0.1))):
        with pytest.raises(ValueError, match=r"no pixel size.*give both"):
            at_pixel_size(scan, size, resample=True)
