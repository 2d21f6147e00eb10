"""A square lattice, and a model whose shifts are aligned on it, trained once."""

import pytest

from lattices import SHIFT_ONLY, small_model, square_lattice
from phyvae import align


@pytest.fixture(scope="session")
def grid():
    return square_lattice()


@pytest.fixture(scope="session")
def aligned(grid):
    """Return the model and what align has returned; copy the model before it is trained."""
    model = small_model(grid)
    return model, align(model, grid, steps=400, **SHIFT_ONLY)
