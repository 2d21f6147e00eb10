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


def run_blocks(page):
    """Run the Python blocks of a page; return its names."""
    text = (ROOT / page).read_text(encoding="utf-8")
    names = {"__name__": "page"}
    for block in re.findall(r"```python\n(.*?)```", text, re.DOTALL):
        exec(block, names)
    plt.close("all")
    return names


def agreement(labels, grid, phantom):
    return phyvae.adjusted_rand_index(labels, grid.sample(phantom.domains))


@pytest.mark.parametrize("page", ["README.md", "docs/get_started/first_map.md"])
def test_the_first_lines_find_the_domains(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_blocks(page)
    found = names["found"]
    assert found.classes == 3
    assert agreement(found.labels, found.grid, names["phantom"]) > 0.95
    assert (tmp_path / "domains.png").exists()


def test_step_by_step_finds_the_domains_of_a_noisy_image(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run_blocks("docs/guide/noise.md")
    assert agreement(names["labels"], names["grid"], names["phantom"]) > 0.9


def test_the_first_example_agrees_with_the_truth(run):
    found = run("first_map.py")
    assert found["agreement"] > 0.985
    assert [wall.kind for wall in found["found"].walls] == ["contrast"] * 3


def test_physics_frees_a_noisy_film_of_false_grains_as_readme_has_it(run):
    found = run("noisy_film.py")
    plain, physical = (
        agreement(labels, found["grid"], found["phantom"]) for _, labels in found["rows"].values()
    )
    assert plain == pytest.approx(0.83, abs=0.03)
    assert physical == pytest.approx(0.97, abs=0.015)
    assert found["final"] > 0.95
    assert min(found["later"]) > plain + 0.05


def test_psi_falls_with_strength_and_rises_with_w(run):
    found = run("how_much_physics.py")
    psi = [
        float(found["sl1"](found["maps"][f"strength {s:g}, w {w:g}"])) for s, w in found["pairs"]
    ]
    assert psi[0] > psi[1] > psi[2] > psi[3]
    assert psi[4] < psi[5] < psi[6] < psi[7]


def test_the_superlattices_are_found(run):
    found = run("superlattice.py")
    assert found["found"].classes == 3
    assert agreement(found["found"].labels, found["found"].grid, found["phantom"]) > 0.85


def test_two_grains_have_a_tilt_boundary_and_residue_is_left_out(run):
    found = run("grains_and_residue.py")["found"]
    (wall,) = found.walls
    assert wall.kind == "tilt 20.0°"
    assert (found.labels == -1).any()


def test_no_isolated_particle_is_overruled(run):
    found = run("models/rotation.py")
    truth, strays = found["truth"], found["strays"]
    assert strays.sum() > 20
    for labels in found["kinds"].values():
        assert phyvae.adjusted_rand_index(labels, truth[None]) > 0.97
        assert (labels[0] == truth)[strays].all()


def test_physics_brings_loops_nearer_to_the_truth(run):
    means = run("spectra.py")["means"]
    plain, physical = (
        np.corrcoef(means[name].ravel(), means["truth"].ravel())[0, 1]
        for name in ("without physics", "with physics")
    )
    assert plain < physical
    assert physical > 0.94


def test_the_speed_of_a_wall_is_found(run):
    found = run("time_series.py")
    assert found["speed"] == pytest.approx(found["true_speed"], rel=0.1)


def test_the_domains_of_sites_are_found(run):
    found = run("sites.py")
    assert found["found"].classes == 2


def test_patches_as_they_are_show_the_phase_of_the_lattice_and_others_the_domains(run):
    found = run("comparison_with_pca.py")
    pca, fourier, registered, ours = (
        agreement(labels, found["grid"], found["phantom"]) for _, labels in found["rows"].values()
    )
    assert max(pca, fourier) < 0.6
    assert min(registered, ours) > 0.9


def test_own_physics_finds_the_domains(run):
    found = run("your_own_physics.py")
    truth = found["truth"]
    for labels in found["swept"].labels(truth=truth).values():
        assert phyvae.adjusted_rand_index(labels, truth) > 0.92


def test_the_start_of_lowest_neg_elbo_has_the_domains_and_physics_keeps_them(run, tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of starts that fail
        seen = run("models/joint_classes.py")
    truth, found = seen["truth"], seen["found"]
    ari = {n: phyvae.adjusted_rand_index(labels, truth) for n, (_, labels) in found.items()}
    assert ari["without physics"] > 0.95
    assert ari["interface energy"] > ari["without physics"] - 0.01
    assert len(np.unique(found["interface energy"][1])) == 3
    assert (tmp_path / "joint_classes.png").exists()
