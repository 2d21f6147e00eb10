"""The usual case of the refinement tests: a model of spectra, refined once."""

import pytest

from noisy_spectra import grid_of, inverting_model, refine


@pytest.fixture(scope="session")
def model():
    return inverting_model()


@pytest.fixture(scope="session")
def grid(model):
    return grid_of(model)


@pytest.fixture(scope="session", params=["encoder", "decoder"])
def likelihood(request):
    """Return the network that gives the likelihood."""
    return request.param


@pytest.fixture(scope="session")
def refined(model, grid, likelihood):
    """Return the usual case, refined once."""
    return refine(model, grid, likelihood=likelihood)


@pytest.fixture(scope="session")
def alone(model, grid, likelihood):
    """Return the usual case without Ψ."""
    return refine(model, grid, likelihood=likelihood, strength=0.0)
