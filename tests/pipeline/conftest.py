"""The domains of a small phantom, found once for all tests."""

import pytest

import phyvae


@pytest.fixture(scope="session")
def phantom():
    return phyvae.phantoms.nio_lsmo((240, 240), seed=0)


@pytest.fixture(scope="session")
def found(phantom):
    scan = phyvae.Scan(phantom.image, (0.02, 0.02), name="phantom.npz")
    return phyvae.find_domains(scan, train=False, progress=False)
