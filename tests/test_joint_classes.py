"""The example of classes holds its claim."""

import runpy
import warnings
from pathlib import Path

import numpy as np
import pytest

import phyvae

EXAMPLE = Path(__file__).parents[1] / "examples" / "joint_classes.py"


@pytest.mark.slow
def test_the_start_of_lowest_neg_elbo_has_the_domains_and_physics_keeps_them(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of starts that fail
        seen = runpy.run_path(str(EXAMPLE))
    truth, found = seen["truth"], seen["found"]
    ari = {n: phyvae.adjusted_rand_index(labels, truth) for n, (_, labels) in found.items()}
    assert ari["without physics"] > 0.95
    assert ari["interface energy"] > ari["without physics"] - 0.01
    assert len(np.unique(found["interface energy"][1])) == 3
    assert (tmp_path / "joint_classes.png").exists()
