"""Every test starts from the same global seed, and none needs a display."""

import matplotlib as mpl
import numpy as np
import pytest
import torch

mpl.use("Agg")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries under test may draw from it
