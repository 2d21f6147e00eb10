"""The benchmark of examples/benchmarks/benchmark_agreement.py."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import phyvae

sys.path.append(str(Path(__file__).parents[1] / "examples" / "benchmarks"))

import benchmark_agreement
import benchmark_page
from agreement import clustering, columns, trained, whole
from agreement.data import CASES, PERIOD, Data, patches_of
from agreement.kept import Scores
from agreement.local_correlation import correlations
from agreement.rows import ROWS, Row
from agreement.sliding_fourier import spectra, window_side


@pytest.fixture(scope="module")
def small():
    phantom = phyvae.phantoms.nio_lsmo((240, 240), seed=0)
    grid = phyvae.PatchGrid(phantom.image, size=24, step=12)
    return Data(phantom.image, grid, phantom.domains, 2)


class TestPatches:
    def test_of_an_stm_scan_are_without_its_background(self):
        image = phyvae.phantoms.graphene((320, 320), noise=0.1, seed=0).image
        y, x = np.indices(image.shape) / 320
        flat, curved = (patches_of(one, "graphene").image for one in (image, image + 3 * y * x**2))
        assert np.corrcoef(flat.ravel(), curved.ravel())[0, 1] > 0.9

    def test_of_a_stem_scan_are_as_recorded(self, small):
        image = patches_of(small.recorded, "nio_lsmo").image
        assert np.corrcoef(image.ravel(), small.recorded.ravel())[0, 1] > 0.99
        assert_allclose([(image == k).float().mean() for k in (0, 1)], 0.001, atol=1e-4)


@pytest.mark.parametrize(("material", "reach"), [("bfo", 9), ("graphene", 16)])
def test_the_start_looks_as_far_as_the_pattern_repeats(material, reach, small, monkeypatch):
    asked = {}
    monkeypatch.setattr(phyvae, "align", lambda model, grid, **given: asked.update(given))
    model = trained.start(small.grid, PERIOD[material], 3)
    assert (asked["reach"], asked["seed"]) == (reach, 3)
    assert_allclose(model.t_prior, 0.3 * PERIOD[material], rtol=1e-6)


class TestLocalCorrelation:
    def test_is_that_of_patches_cut_by_hand(self):
        image = np.random.default_rng(0).random((60, 70))
        found = correlations(image, np.array([[30, 33]]), half=4, reach=6, points=49)
        moves = [(y, x) for y in range(-6, 7, 2) for x in range(-6, 7, 2)]
        here = image[26:35, 29:38].ravel()
        for value, (y, x) in zip(found[0], moves, strict=True):
            there = image[26 + y : 35 + y, 29 + x : 38 + x].ravel()
            assert_allclose(value, np.corrcoef(here, there)[0, 1], atol=1e-9)

    def test_of_a_lattice_is_1_for_its_own_translations(self):
        y, x = np.indices((80, 80))
        image = np.cos(2 * np.pi * y / 8) + np.cos(2 * np.pi * x / 8)
        found = correlations(image, np.array([[40, 37], [2, 78]]), half=8, reach=8)
        assert_allclose(found.max(1), 1)
        assert_allclose(found[:, [0, -1]], 1)  # (-8, -8) and (8, 8)


class TestZernikeMoments:
    def test_polynomials_are_orthonormal_on_the_disc(self):
        side = 201
        base = columns.zernike(side, 4).reshape(15, -1)
        inner = base @ base.T / (np.pi * (side - 1) ** 2 / 4)
        assert_allclose(inner, np.eye(15), atol=0.02)

    def test_of_a_turned_patch_have_the_same_magnitudes(self):
        patch = np.random.default_rng(0).random((1, 25, 25))
        orders = [(n, m) for n in range(5) for m in range(-n, n + 1, 2)]
        one, turned = (columns.moments(p, 4)[0] for p in (patch, np.rot90(patch, 1, (1, 2))))
        for n, m in orders:
            pair = [orders.index((n, m)), orders.index((n, -m))]
            assert_allclose(np.linalg.norm(one[pair]), np.linalg.norm(turned[pair]))

    def test_each_patch_has_those_of_the_nearest_column(self, small):
        places = small.centres + 3.0
        maps = columns.at_columns(small, places, np.arange(len(places))[:, None])
        assert_array_equal(maps[0].ravel(), np.arange(len(places)))


class TestSlidingFourier:
    def test_a_wave_is_where_its_frequency_is(self):
        wave = np.cos(2 * np.pi * np.arange(32) / 8)  # frequency 4 of 32
        found = spectra(np.broadcast_to(wave, (1, 32, 32)))[0]
        assert found.shape == (32, 32)
        row, col = np.unravel_index(found.argmax(), found.shape)
        assert row in (16, 17)
        assert abs(abs(col - 16.5) - 8) < 1  # magnified twice

    def test_windows_are_a_power_of_two(self):
        assert [window_side((n, 2000)) for n in (100, 444, 600, 2000)] == [32, 32, 64, 128]


@pytest.mark.parametrize("row", ["fourier", "local correlation", "columns", "zernike"])
def test_two_lattices_are_found_by_each_method_that_can(row, small):
    found = ROWS[row].scores(small, 0)
    assert max(found["own"], found["ours"]) > 0.8
    assert found["seconds"] > 0


def test_a_row_is_scored_by_both_clusterings():
    truth = np.repeat([[0, 1]], 12, 0).repeat(6, 1)
    data = SimpleNamespace(classes=2, truth=truth)
    row = Row("x", lambda *_: truth[None] + 0.01 * np.random.default_rng(0).random((1, 12, 12)),
              lambda maps, classes, seed: np.zeros((12, 12), int))  # fmt: skip
    found = row.scores(data, 0)
    assert (found["own"], found["ours"], found["free"], found["counted"]) == (0, 1, 1, 2)


def test_published_clusterings_divide_what_is_apart():
    there = np.repeat([[0.0, 1.0]], 4, 0).repeat(8, 1)
    maps = np.stack([there, 1 - there]) + np.random.default_rng(0).uniform(0, 1e-3, (2, 4, 16))
    for method in (clustering.k_means, clustering.mixture, clustering.largest):
        labels = method(maps, 2, 0)
        assert phyvae.adjusted_rand_index(labels, maps[0] > 0.5) == 1


def test_labels_of_another_grid_are_judged_there_but_for_empty_cells(small):
    found = SimpleNamespace(grid=phyvae.PatchGrid(small.image, size=16, step=8))
    labels = found.grid.sample(small.domains)
    labels[:3] = -1
    assert whole._agreement(found, labels, small) == 1
    assert whole._agreement(found, np.zeros_like(labels), small) == 0


RECORD = {"row": "pca", "case": "tilt", "seed": 0, "ours": 0.5}


class TestScoresThatAreKept:
    def test_go_on_after_a_stop_in_the_middle_of_a_line(self, tmp_path):
        path = tmp_path / "kept.jsonl"
        Scores(path).append(RECORD)
        with path.open("a") as file:
            file.write('{"row": "nmf", "ca')
        scores = Scores(path)
        assert ("pca", "tilt", 0) in scores
        scores.append(RECORD | {"row": "nmf"})
        assert [json.loads(one)["row"] for one in path.read_text().splitlines()] == ["pca", "nmf"]

    def test_are_in_the_order_of_seeds(self, tmp_path):
        scores = Scores(tmp_path / "kept.jsonl")
        for seed, value in ((1, 0.2), (0, 0.1), (2, None)):
            scores.append(RECORD | {"seed": seed, "ours": value})
        assert scores.values("pca", "tilt", "ours") == [0.1, 0.2]


class TestTheCommand:
    def test_does_what_is_missing_and_nothing_twice(self, tmp_path, monkeypatch, capsys):
        done = []
        row = SimpleNamespace(cost="seconds", scores=lambda data, seed: done.append(seed) or {})
        monkeypatch.setattr(benchmark_agreement, "ROWS", {"pca": row})
        monkeypatch.setattr(benchmark_agreement, "CASES", {"bfo low": CASES["bfo low"]})
        kept = tmp_path / "kept.jsonl"
        for seeds in ("1", "2", "2"):
            monkeypatch.setattr(sys, "argv", ["x", "--seeds", seeds, "--kept", str(kept)])
            benchmark_agreement.main()
        assert done == [0, 1]
        assert len(kept.read_text().splitlines()) == 2

    def test_refuses_a_name_that_is_none(self):
        with pytest.raises(SystemExit, match="'tsne' matches none of: pca"):
            benchmark_agreement.matching(["tsne"], ROWS)


class TestThePage:
    def test_has_the_numbers_that_are_kept(self):
        scores = Scores(benchmark_page.KEPT)
        page = benchmark_page.PAGE.read_text(encoding="utf-8")
        assert benchmark_page.filled(page, benchmark_page.tables(scores)) == page
        for name in benchmark_page.tables(scores):
            assert f"<!-- {name} -->" in page
        assert benchmark_page.FULL.read_text(encoding="utf-8") == benchmark_page.full(scores)

    def test_can_be_read_in_minutes(self):
        page = benchmark_page.PAGE.read_text(encoding="utf-8")
        assert len(page.split()) <= 1500

    def test_shows_differences_seed_by_seed(self, tmp_path):
        scores = Scores(tmp_path / "kept.jsonl")
        for row, values in (("sl1", (0.9, 0.7, 0.8, 0.1)), ("sh-vae", (0.8, 0.7, 0.5))):
            for seed, value in enumerate(values):
                scores.append({"row": row, "case": "bfo low", "seed": seed, "ours": value})
        # 0.1, 0 and 0.3: their mean, and sqrt(0.0467 / 2 / 3), the standard error of a mean.
        assert "| SL1 − sh-VAE | +0.133 ± 0.088 | – |" in benchmark_page.differences(scores)
