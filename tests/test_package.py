"""What a user gets with `import phyvae`, seen from a fresh interpreter without type checks."""

import subprocess
import sys
from importlib.metadata import version

import numpy as np
import pytest
import torch

import phyvae


def fresh(script):
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_importing_and_loading_the_model_have_no_side_effects():
    script = """
import sys, random, warnings
import numpy, torch
before = torch.get_rng_state(), numpy.random.get_state()[1].copy(), list(warnings.filters)
import phyvae
assert torch.equal(torch.get_rng_state(), before[0])
assert (numpy.random.get_state()[1] == before[1]).all()
assert warnings.filters == before[2]
for name in ("matplotlib", "pyro", "pyroved", "sklearn", "skimage", "scipy.optimize"):
    assert name not in sys.modules, name
import pyro, torchvision, matplotlib.pyplot
before = list(warnings.filters)
phyvae.ShiftVAE
assert warnings.filters == before
"""
    fresh(script)


def test_every_public_name_loads_and_is_documented():
    assert set(phyvae.__all__) <= set(dir(phyvae))
    assert [name for name in phyvae.__all__ if not getattr(phyvae, name).__doc__] == []


def test_the_papers_names_are_aliases():
    assert phyvae.SL1 is phyvae.EdgeLoss
    assert phyvae.SL2 is phyvae.FourierLoss


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'phyvae' has no attribute 'SL3'"):
        phyvae.SL3  # noqa: B018


def test_the_version_is_the_installed_one():
    assert phyvae.__version__ == version("phyvae")


def test_types_are_shipped():
    from importlib.resources import files

    assert files("phyvae").joinpath("py.typed").is_file()


def test_results_print_on_one_line():
    losses = np.array([9.5, 7.25])
    maps, steps = torch.zeros(2, 40, 40), torch.tensor([3.0, 2.5])
    history = phyvae.History(*[losses] * 9)
    alignment = phyvae.Alignment(
        0.38, 0.08, np.linspace(0.9, 0.1, 9), 0.16, np.zeros((2, 3, 4), np.float32)
    )
    refined = phyvae.Refined(maps, maps, maps, torch.ones(2), 0.125, steps, steps, steps, steps)
    phantom = phyvae.phantoms.nio_lsmo((160, 172), seed=0)
    assert repr(history) == "History(2 epochs, loss 9.5 to 7.25)"
    assert repr(alignment) == (
        "Alignment(share=0.38 (by chance 0.08), latents=7, autocorrelations=[0.90, 0.80, 0.70, "
        "0.60, 0.50, 0.40, ...] (by chance 0.16))"
    )
    assert repr(refined) == (
        "Refined(maps (2, 40, 40), weight=0.125, energy 3 to 2.5 nats per patch)"
    )
    assert repr(phantom) == (
        "Phantom(160 x 172 px, lattice=12.6 px, domains: " + ", ".join(phantom.names) + ")"
    )
    nothing = phyvae.History(*[losses[:0]] * 9)
    assert repr(nothing) == "History(0 epochs)"
