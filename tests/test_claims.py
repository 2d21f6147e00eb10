"""What the texts of README and of the examples claim of their results, on a whole run of each."""

import re
import runpy
import sys
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pytest

import phyvae

pytestmark = [
    pytest.mark.slow,
    # Where maps are as good as they get, a call may end a little behind its best state.
    pytest.mark.filterwarnings("ignore::phyvae.LostMapsWarning"),
]
ROOT = Path(__file__).parents[1]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Return the function that runs an example in a folder of its own and returns its names."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(ROOT / "examples"))

    def whole(name):
        monkeypatch.setattr(sys, "argv", [name])
        names = runpy.run_path(str(ROOT / "examples" / name))
        plt.close("all")
        return names

    return whole


def blocks_of_readme():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


def test_the_first_lines_of_readme_find_the_domains(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(blocks_of_readme()[0], names)
    found = names["found"]
    assert found.classes == 3
    truth = found.grid.sample(names["phantom"].domains)
    assert phyvae.adjusted_rand_index(found.labels, truth) > 0.95
    assert (tmp_path / "domains.csv").exists()


def test_the_parts_one_by_one_find_the_domains_and_their_number(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {}
    exec(blocks_of_readme()[1], names)
    truth = names["grid"].sample(names["phantom"].domains)
    assert names["evidence"].number == 3
    assert phyvae.adjusted_rand_index(names["labels"], truth) > 0.95


def test_the_first_example_agrees_with_the_truth_as_readme_has_it(run):
    found = run("first_domains.py")
    assert found["agreement"] > 0.985
    assert [wall.kind for wall in found["found"].walls] == ["contrast"] * 3


def test_no_isolated_particle_is_overruled(run):
    found = run("rotation.py")
    truth, strays = found["truth"], found["strays"]
    assert strays.sum() > 20
    for labels in found["kinds"].values():
        assert phyvae.adjusted_rand_index(labels, truth[None]) > 0.97
        assert (labels[0] == truth)[strays].all()


def test_refined_loops_have_the_true_area(run):
    found = run("spectra.py")
    truth, maps = found["truth"], found["results"]
    area = maps["truth"]["area"].ravel()
    methods = ("sh-VAE", "phy-VAE", "phy-VAE, refined")
    plain, physical, refined = (
        np.corrcoef(maps[method]["area"].ravel(), area)[0, 1] for method in methods
    )
    assert plain < physical < refined
    assert refined > 0.98
    for method in methods:
        assert phyvae.adjusted_rand_index(maps[method]["domains"], truth) > 0.97
    smoothed = phyvae.adjusted_rand_index(found["rival"], truth)
    assert phyvae.adjusted_rand_index(maps["phy-VAE, refined"]["domains"], truth) > smoothed


def test_the_speed_of_a_wall_is_found(run):
    found = run("time_series.py")
    step = found["grids"][0].step[0] * found["nm"]
    assert found["error"] < step / 4
    assert 0.9 < found["speed"] / found["true_speed"] < 1.05


def test_own_physics_finds_the_domains(run):
    found = run("your_own_physics.py")
    truth = found["truth"]
    for labels in found["found"].labels(truth=truth).values():
        assert phyvae.adjusted_rand_index(labels, truth) > 0.95


def test_the_start_of_lowest_neg_elbo_has_the_domains_and_physics_keeps_them(run, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of starts that fail
        seen = run("joint_classes.py")
    truth, found = seen["truth"], seen["found"]
    ari = {n: phyvae.adjusted_rand_index(labels, truth) for n, (_, labels) in found.items()}
    assert ari["without physics"] > 0.95
    assert ari["interface energy"] > ari["without physics"] - 0.01
    assert len(np.unique(found["interface energy"][1])) == 3
    assert (tmp_path / "joint_classes.png").exists()
