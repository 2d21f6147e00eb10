"""Every test starts from the same global seed, and none needs a display."""

import inspect

import matplotlib as mpl
import numpy as np
import pytest
import torch

mpl.use("Agg")
torch.set_num_threads(1)  # the tests run in two processes, one a core


@pytest.fixture(autouse=True)
def on_the_cpu(monkeypatch):
    """Have models on the CPU by default, where there is a GPU, too."""
    monkeypatch.setattr("phyvae._checks.arguments.usual_device", lambda: "cpu")


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries under test may draw from it


@pytest.fixture
def unchecked():
    """Call a function or class without the type checks of the test run, as users do."""

    def call(target, *args, **kwargs):
        if not isinstance(target, type):
            return inspect.unwrap(target)(*args, **kwargs)
        instance = target.__new__(target)
        inspect.unwrap(target.__init__)(instance, *args, **kwargs)
        return instance

    return call
