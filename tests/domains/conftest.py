"""Domains that several tests of their maps share."""

import numpy as np
import pytest


@pytest.fixture
def domains():
    """Two domains: a disc, off centre, in a matrix."""
    y, x = np.mgrid[:20, :26]
    return (np.hypot(y - 8, x - 10) < 6).astype(int)
