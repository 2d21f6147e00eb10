"""What an error or a warning advises works: the advice is read from it, and followed."""

import re
import tempfile
import warnings
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse
import torch

import phyvae
from phyvae import PatchGrid, SiteGraph
from phyvae.patches.layout import Layout
from small import tiny_grid, tiny_model, tiny_trainer

RANDOM = np.random.default_rng(0)
IMAGE = RANDOM.random((60, 66))
SITES = np.stack(np.mgrid[6:60:8.0, 6:60:8.0], -1).reshape(-1, 2)
LINE = np.c_[np.full(12, 30.0), np.arange(12) * 4 + 10.0]
SCATTERED = RANDOM.uniform(8, 52, (40, 2))
HIDDEN = np.repeat((np.arange(49) % 5 == 0)[:, None], 2, 1)
HOLES = PatchGrid.at(IMAGE, np.delete(SITES, 17, axis=0), 6)
COLOURS = np.zeros((60, 66), [("R", "u1"), ("G", "u1")])
COLOURS["R"] = (255 * IMAGE).astype(np.uint8)
DEAD = (phyvae.phantoms.bfo(shape=(200, 200), seed=0).image * 1000).astype(np.int16)
DEAD[10] = -32768
MAPS = RANDOM.normal(size=(2, 12, 14))
SPECTRA = RANDOM.random((12, 14, 20))


def archive():
    path = Path(tempfile.mkdtemp()) / "a.npz"
    np.savez(path, a=IMAGE)
    return np.load(path)


def grid_of(image, **settings):
    return PatchGrid(image, 8, **settings)


def psi(loss, grid):
    layout = Layout.of(grid)
    return phyvae.PhysicsObjective(loss).psi(torch.rand(len(layout), 2), layout)


# A call, what is wrong for it, and the expression in the error that is to be passed instead.
CURES = {
    "masked sites": (
        lambda sites: PatchGrid.at(IMAGE, sites, 6),
        np.ma.array(SITES, mask=HIDDEN),
        "sites[~sites.mask.any(1)]",
    ),
    "masked signal": (
        lambda signal: phyvae.segment(MAPS, 2, signal=signal),
        np.ma.array([0.5, 0.7], mask=[True, False], fill_value=1.0),
        "signal.filled(value)",
    ),
    "an archive": (grid_of, archive(), "image[key]"),
    "a sparse matrix": (grid_of, scipy.sparse.csr_matrix(IMAGE), "image.toarray()"),
    "objects": (grid_of, IMAGE.astype(object), "image.astype(float)"),
    "colours by name": (grid_of, COLOURS, "image['R']"),
    "sites on a line": (
        lambda sites: SiteGraph.delaunay(sites),
        LINE,
        "SiteGraph.nearest(sites, k=2)",
    ),
    "bools at empty cells": (
        lambda labels: HOLES.sample(labels),
        IMAGE > 0.5,
        "labels.astype(int)",
    ),
}
NAMES = {
    "key": "a",
    "value": 0.5,
    "phyvae": phyvae,
    "PatchGrid": PatchGrid,
    "SiteGraph": SiteGraph,
}


@pytest.mark.parametrize("kind", CURES)
def test_an_expression_in_an_error_is_what_to_pass_instead(kind, unchecked):
    door, wrong, advice = CURES[kind]
    with pytest.raises((TypeError, ValueError)) as refusal:
        unchecked(door, wrong)
    assert advice in str(refusal.value)
    name = "sites" if "SiteGraph" in advice else re.match(r"\w+", advice).group()
    cured = eval(advice, NAMES | {name: wrong})
    if not isinstance(cured, SiteGraph):  # that is the whole call
        door(cured)


def refused(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()


class TestAdviceOnAnotherArgument:
    def test_values_that_are_no_numbers(self):
        image = np.where(IMAGE > 0.99, np.nan, IMAGE)
        refused(lambda: grid_of(image), r"mask=np\.isfinite\(image\)")
        assert grid_of(image, mask=np.isfinite(image)).shape == grid_of(IMAGE).shape

    def test_a_stack(self):
        stack = RANDOM.random((3, 60, 66))
        refused(lambda: grid_of(stack), "one frame of a stack")
        assert grid_of(stack[0]).shape == PatchGrid.series(stack, 8)[0].shape

    def test_spectra(self):
        scan = phyvae.Scan(SPECTRA.mean(-1), cube=SPECTRA)
        refused(lambda: grid_of(scan), r"scan\.image.*PatchGrid\.from_spectra")
        assert PatchGrid(scan.image, 4).shape == (5, 6)
        assert PatchGrid.from_spectra(scan).shape == (12, 14)
        first = np.moveaxis(SPECTRA, -1, 0)[..., :3]
        refused(lambda: PatchGrid.from_spectra(first), r"np\.moveaxis\(cube, axis, -1\)")
        assert PatchGrid.from_spectra(np.moveaxis(first, 0, -1)).shape == (12, 3)

    def test_a_loss_without_a_form_for_a_graph(self):
        scattered = PatchGrid.at(IMAGE, SCATTERED, 6, lattice=False)
        refused(lambda: psi(phyvae.FourierLoss(), scattered), r"EdgeLoss\(\) or TotalVariation")
        for loss in (phyvae.EdgeLoss(), phyvae.TotalVariation()):
            assert psi(loss, scattered) > 0

    def test_a_turn_of_an_oblong_map(self):
        turn = phyvae.MapSymmetry
        refused(lambda: psi(turn("quarter-turn"), grid_of(IMAGE)), "operation='half-turn'")
        assert psi(turn("half-turn"), grid_of(IMAGE)) > 0

    def test_a_wall_narrower_than_a_cell(self):
        thin = phyvae.GinzburgLandau(2.0, pixel_size=0.3)
        grid, finer = PatchGrid(IMAGE, 8, 8), PatchGrid(IMAGE, 8, 2)
        refused(lambda: psi(thin, grid), "a wider wall or a smaller step")
        assert psi(phyvae.GinzburgLandau(3.0, pixel_size=0.3), grid) > 0
        assert psi(thin, finer) > 0

    def test_a_batch_that_is_no_square(self):
        objective = phyvae.PhysicsObjective(phyvae.EdgeLoss(), coupling="published")
        refused(
            lambda: tiny_trainer(objective, batch_size=10).fit(tiny_grid(), 1, progress=False),
            "batch_size as a square number",
        )
        tiny_trainer(objective, batch_size=16).fit(tiny_grid(), 1, progress=False)

    def test_a_large_slack(self):
        refused(lambda: phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.7), r"takes w_max=0\.7")
        assert phyvae.PhysicsObjective(phyvae.EdgeLoss(), w=0.7, w_max=0.7).w == 0.7

    def test_methods_of_one_map(self):
        refused(lambda: phyvae.segment(MAPS, 2, method="otsu"), r"for example maps\[1\]")
        assert phyvae.segment(MAPS[1], 2, method="otsu").shape == (12, 14)
        holes = np.where(np.arange(14) > 11, np.nan, MAPS[0])
        refused(lambda: phyvae.segment(holes, method="chan_vese"), "method='otsu' or 'walls'")
        for method in ("otsu", "walls"):
            assert (phyvae.segment(holes, method=method)[:, 12:] == -1).all()

    def test_a_truth_without_walls(self):
        one = np.zeros((5, 6), int)
        refused(lambda: phyvae.wall_length_ratio(one, one), r"boundary_length\(labels\)")
        assert phyvae.boundary_length(one) == 0

    def test_maps_without_gradients(self):
        refine = partial(phyvae.refine, iterations=1, samples=2, progress=False)
        with torch.inference_mode(), pytest.raises(RuntimeError, match="call it outside of th"):
            refine(tiny_model(), tiny_grid())
        refine(tiny_model(), tiny_grid())


class TestAdviceOfWarnings:
    def test_a_dead_row_that_sets_the_range(self):
        with pytest.warns(phyvae.IntensityRangeWarning) as caught:
            PatchGrid(DEAD, 24, 12, percentiles=(0.1, 99.9))
        words = str(caught[0].message)
        assert "Leave percentiles out" in words
        advice = words.partition("found = ")[2].rstrip(".")
        survey, _, grid = advice.partition("; ")
        names = NAMES | {"image": DEAD, "size": 24}
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = eval(grid, names | {"found": eval(survey, names)})
        assert np.ptp(np.percentile(found.image, [1, 99])) > 0.5
        with pytest.warns(phyvae.IntensityRangeWarning, match="clipped to"):
            clipped = PatchGrid(DEAD, 24, 12)
        assert np.ptp(np.percentile(clipped.image, [1, 99])) > 0.3

    def test_sites_left_out(self):
        shifted = np.concatenate([SITES[SITES[:, 1] < 30], SITES[SITES[:, 1] > 30] + (4, 3)])
        with pytest.warns(UserWarning, match=r"lattice=False") as caught:
            PatchGrid.at(IMAGE, shifted[shifted.max(1) < 56], 6)
        assert caught
        assert PatchGrid.at(IMAGE, shifted[shifted.max(1) < 56], 6, lattice=False).count > 30
