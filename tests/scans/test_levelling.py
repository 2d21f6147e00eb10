"""An image made ready for the search of its lattice."""

import numpy as np
import pytest

from lattices_of_atoms import waves
from phyvae.scans.levelling import levelled

IMAGE = waves((150, 180), (0.1, 0.02), (0.01, 0.08))
INSIDE = (slice(30, -30), slice(30, -30))


class TestLevelled:
    def test_the_lattice_stays_and_the_background_goes(self):
        y, x = np.indices(IMAGE.shape) / 150
        found = levelled(IMAGE + 3 * y + 2 * x**2)[INSIDE]
        assert np.corrcoef(found.ravel(), IMAGE[INSIDE].ravel())[0, 1] > 0.98

    def test_units_do_not_matter(self):
        np.testing.assert_allclose(levelled(1e200 * IMAGE), levelled(IMAGE), atol=1e-9)

    def test_outliers_are_clipped(self):
        hot = IMAGE.copy()
        hot[80, 80:86] = 1e4
        reference = levelled(IMAGE)
        ratio = levelled(hot).std() / reference.std() * 1e4 / np.abs(IMAGE).max()
        assert ratio == pytest.approx(1, rel=0.05)

    def test_small_images_are_refused(self):
        with pytest.raises(ValueError, match="at least 32 x 32"):
            levelled(IMAGE[:31])
