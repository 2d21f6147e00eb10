"""What is not to be trusted, in sentences."""

import warnings
from dataclasses import replace

import numpy as np
import pytest

import phyvae
from phyvae.domains.evidence import NumberEvidence
from phyvae.pipeline.doubting import confirmed, doubts_on, doubts_on_patches, heard

GRID = phyvae.PatchGrid(np.random.default_rng(0).random((60, 60)), 12, 6)
ONE = np.zeros(GRID.shape, int)
SCAN = phyvae.Scan(np.zeros((60, 60)), (0.1, 0.1))


def evidence(number, scores):
    ranking = (
        NumberEvidence(1, np.nan, np.nan, np.nan, True, "one"),
        *(
            NumberEvidence(k, score, 5.0, 0.1, score > 3, "a step")
            for k, score in enumerate(scores, start=2)
        ),
    )
    empty = np.zeros(GRID.shape, bool)
    return phyvae.DomainEvidence(number, "a step", ONE, ranking, (), (), empty)


def doubts(scan=SCAN, start=None, counted=None, moire=None, labels=ONE, asked=None):
    return doubts_on(scan, GRID, None, start, counted, moire, labels, asked)


def test_a_calibrated_scan_of_one_domain_leaves_none():
    assert doubts(counted=evidence(1, [1.0, 0.5])) == []


def test_no_calibration_and_notes_of_the_file():
    scan = phyvae.Scan(np.zeros((60, 60)), notes=("colours became luminance",))
    assert doubts(scan) == ["colours became luminance", "no calibration: lengths are in px"]


def test_noise():
    start = phyvae.Alignment(0.3, 0.1, np.array([0.1, 0.09]), 0.1, np.zeros((2, 9, 9), "f"))
    (doubt,) = doubts(start=start)
    assert "noise" in doubt


def test_moire_has_the_step_that_avoids_it():
    moire = phyvae.Moire(np.array([0.0, 0.5]), np.array([np.inf, 7.9]), (5, 6))
    (doubt,) = doubts(moire=moire)
    assert "z2" in doubt
    assert "step=(5, 6)" in doubt


def test_a_close_number():
    labels = np.zeros(GRID.shape, int)
    assert "3 (9.0) domains stand out about as well as those of 2 (10.0)" in " ".join(
        doubts(counted=evidence(2, [10.0, 9.0, 2.0]), labels=labels)
    )
    assert "about as well" not in " ".join(
        doubts(counted=evidence(2, [10.0, 4.0, 2.0]), labels=labels)
    )


def test_two_lattices_are_a_doubt_unless_they_are_the_domains():
    vectors = np.eye(2) * 12.0
    cell = phyvae.UnitCell(vectors, vectors / 99, "the image holds two lattices: a and b; crop it")
    few = phyvae.UnitCell(vectors, vectors / 99, "the image holds few")
    two = ONE.copy()
    two[5:] = 1
    for one, labels, doubted in ((cell, ONE, True), (cell, two, False), (few, two, True)):
        found = " ".join(doubts_on(SCAN, GRID, one, None, None, None, labels, None))
        assert ("unit cell is doubtful" in found) == doubted


def test_empty_maps_are_a_doubt_unless_their_walls_hold():
    with heard() as doubts:
        warnings.warn("", phyvae.CollapsedMapsWarning, stacklevel=1)
        warnings.warn("", phyvae.LostMapsWarning, stacklevel=1)
    one, two = evidence(1, [1.0]), evidence(2, [9.0])
    assert confirmed(doubts, [one, None]) == tuple(doubts)
    assert confirmed(doubts, [one, two]) == tuple(doubts[1:])


def test_two_domains_that_fail_by_little():
    one = evidence(1, [1.0])
    near = replace(one.ranking[1], contrast=2.1, ramp=0.31)
    far = replace(one.ranking[1], contrast=1.2, ramp=0.1)
    (doubt,) = doubts(counted=replace(one, ranking=(one.ranking[0], near)))
    assert "classes=2" in doubt
    assert doubts(counted=replace(one, ranking=(one.ranking[0], far))) == []


def test_another_number_than_counted():
    (doubt,) = doubts(counted=evidence(1, [1.0]), asked=1) or [""]
    assert doubt == ""
    found = " ".join(doubts(counted=evidence(1, [1.0]), asked=2))
    assert "classes=2 was asked for, and 1 counted" in found
    assert "only 1 are worth their walls" in found


def test_a_second_opinion_that_disagrees():
    labels = np.zeros(GRID.shape, int)
    labels[:, ::2] = 1
    assert "second opinion" in doubts(labels=labels)[-1]


class TestPatches:
    def test_smaller_than_the_cell_along_an_axis(self):
        cell = phyvae.UnitCell(np.array([[12.0, 0.0], [0.0, 16.5]]), np.zeros((2, 2)))
        maps = np.zeros((1, *GRID.shape))
        (doubt,) = doubts_on_patches(GRID, cell, maps)
        assert "12 x 12 px are smaller than the unit cell, 12.0 x 16.5 px" in doubt
        small = phyvae.UnitCell(np.eye(2) * 12.2, np.zeros((2, 2)))
        assert doubts_on_patches(GRID, small, maps) == doubts_on_patches(GRID, None, maps) == []

    def test_sites_left_out_and_of_two_kinds(self):
        y, x = np.mgrid[4:200:8, 4:200:8]
        image = np.random.default_rng(0).random((200, 200))
        sites = np.stack([y.ravel(), x.ravel()], 1)
        grid = phyvae.PatchGrid.at(image, sites, 16)
        rows, cols = np.indices(grid.shape)
        domains = np.sign(rows - 10.0)
        (doubt,) = doubts_on_patches(grid, None, domains[None])
        assert (
            doubt
            == f"{grid.near_border} of 625 sites are left out: {grid.near_border} too "
            + ("near the border for a whole patch")
        )
        noise = np.random.default_rng(1).normal(size=grid.shape)
        for pattern, doubted in ((rows + cols, True), (cols, True), (rows // 4, False)):
            maps = np.stack([domains + noise, (-1.0) ** pattern + domains + 0.3 * noise])
            found = doubts_on_patches(grid, None, maps)
            assert any("z2: neighbouring sites alternate" in one for one in found) == doubted


class TestHeard:
    def test_warnings_of_training_become_doubts(self):
        with heard() as found:
            for _ in range(2):
                warnings.warn("lost", phyvae.LostMapsWarning, stacklevel=1)
            warnings.warn("noise", phyvae.AlignmentWarning, stacklevel=1)
        assert len(found) == 1
        assert "training made the maps worse" in found[0]

    def test_others_go_their_way(self):
        with pytest.warns(RuntimeWarning, match="other"), heard() as found:
            warnings.warn("other", RuntimeWarning, stacklevel=1)
        assert found == []
