"""How many factors stand out."""

import numpy as np
import pytest

from phyvae.alignment.result import standing_out


@pytest.mark.parametrize(
    ("rho", "latents"),
    [
        ([0.9, 0.8, 0.2, 0.15], 2),
        ([0.95, 0.34, 0.23, 0.2], 1),
        ([0.7, 0.35, 0.15, 0.1], 2),  # the small third one counts as that by chance, 0.16
        ([0.19, 0.18, 0.1, 0.01], 0),  # far apart only below chance
        ([0.5], 1),
        ([], 0),
    ],
)
def test_as_many_stand_out_as_come_before_the_largest_ratio(rho, latents):
    assert standing_out(np.array(rho), 0.16) == latents
