"""Local phases of lattice waves find steps, cells, and lattices to a hundredth of a per cent."""

import numpy as np
import pytest

from crystals import HEXAGONAL, SQUARE, TWO_ATOMS, image_of, turned, two_crystals
from phyvae.domains.lattices import (
    WAVES,
    SideLattice,
    domain_cell,
    equivalent_bases,
    jackknifed,
    local_waves,
    offsets,
    on_lattice,
    tilt_and_strain,
)

POINTS = np.random.default_rng(0).uniform(40, 160, (200, 2))
OBLIQUE = np.array([[13.0, 3.0], [-2.0, 17.0]])


def everywhere(points):
    return np.ones(len(points), bool)


class TestLocalWaves:
    def test_gain_the_phase_of_a_step(self):
        image = image_of(HEXAGONAL, TWO_ATOMS, (200, 200))
        step = np.array([0.3, -0.2])
        here, _ = local_waves(image, POINTS, HEXAGONAL)
        there, _ = local_waves(image, POINTS + step @ HEXAGONAL, HEXAGONAL)
        expected = here * np.exp(2j * np.pi * WAVES @ step)
        assert np.abs(there - expected).max() < 0.1 * np.abs(here).max()

    def test_do_not_see_the_level(self):
        image = image_of(SQUARE, TWO_ATOMS, (200, 200))
        level, fits = local_waves(image + 7, POINTS, SQUARE)
        np.testing.assert_allclose(level, local_waves(image, POINTS, SQUARE)[0], atol=1e-12)
        assert fits.all()

    def test_need_room_for_their_window(self):
        image = image_of(SQUARE, TWO_ATOMS, (60, 60))
        places = np.array([[30.0, 30.0], [13.0, 30.0], [30.0, 46.0], [np.nan, 30.0]])
        assert local_waves(image, places, SQUARE)[1].tolist() == [True, False, False, False]


class TestOffsets:
    def test_are_the_step_between_two_places(self):
        rng = np.random.default_rng(0)
        powers, steps = rng.random((50, 12)), rng.uniform(-0.5, 0.5, (50, 2))
        found = offsets(powers * np.exp(2j * np.pi * steps @ WAVES.T))
        np.testing.assert_allclose(found, steps, atol=1e-6)

    def test_maximise_the_correlation(self):
        rng = np.random.default_rng(1)
        products = rng.standard_normal((20, 12)) + 1j * rng.standard_normal((20, 12))
        fine = np.indices((200, 200)).reshape(2, -1).T / 200 - 0.5

        def fit(steps):
            return (products[:, None] * np.exp(-2j * np.pi * (steps @ WAVES.T))).real.sum(-1)

        assert (fit(offsets(products)[:, None])[:, 0] > 0.95 * fit(fine).max(1)).all()


class TestSideLattice:
    @pytest.mark.parametrize("vectors", [SQUARE, HEXAGONAL, np.array([[30.0, 2.0], [-1.0, 11.0]])])
    def test_a_start_some_per_cent_off_is_corrected(self, vectors):
        image = image_of(vectors, TWO_ATOMS, (200, 200))
        image += 0.1 * np.random.default_rng(0).standard_normal(image.shape)
        start = vectors @ [[1.03, 0.02], [-0.03, 0.97]]
        found = SideLattice.around(image, POINTS, POINTS[:, 0], everywhere, start)
        np.testing.assert_allclose(found.vectors, vectors, atol=0.02)
        assert jackknifed(found.parts[:8]).max() < 0.03

    def test_pairs_that_leave_the_domain_do_not_count(self):
        other = image_of(SQUARE * 1.05, TWO_ATOMS, (200, 200))
        image = np.where(np.arange(200) < 100, image_of(SQUARE, TWO_ATOMS, (200, 200)), other)
        places = POINTS[POINTS[:, 1] < 84]
        found = SideLattice.around(
            image, places, places[:, 0], lambda points: points[:, 1] < 86, SQUARE
        )
        np.testing.assert_allclose(found.vectors, SQUARE, atol=0.01)

    def test_too_little_room_is_none(self):
        image = image_of(SQUARE, TWO_ATOMS, (200, 200))
        near = 100 + POINTS[:30] % 5

        def inside(points):
            return (np.abs(points - 102) < 6).all(1)

        assert SideLattice.around(image, near, near[:, 0], inside, SQUARE) is None
        assert SideLattice.around(image, near[:5], near[:5, 0], everywhere, SQUARE) is None


class TestDomainCell:
    def test_is_that_of_each_side(self):
        grid, labels = two_crystals(np.eye(2) * 1.1)
        for label, side in ((0, 14.0), (1, 15.4)):
            lengths = np.hypot(*domain_cell(grid, labels, label).T)
            np.testing.assert_allclose(lengths, side, atol=0.1)

    def test_of_a_strip(self):
        grid, labels = two_crystals(step=5)
        strip = np.where(np.abs(np.arange(labels.shape[0]) - 20) < 5, 1, 0)[:, None]
        vectors = domain_cell(grid, strip + 0 * labels, 1)
        np.testing.assert_allclose(np.abs(np.linalg.det(vectors)), 196, rtol=0.03)


class TestOnLattice:
    def test_places_are_equivalent(self):
        image = image_of(SQUARE, TWO_ATOMS, (200, 200))
        moved, fits = on_lattice(image, POINTS, SQUARE)
        assert fits.all()
        assert np.abs(moved - POINTS).max() <= 5 * 7
        turns = np.exp(2j * np.pi * moved / 14)
        np.testing.assert_allclose(np.abs(turns.mean(0)), 1, atol=1e-3)

    def test_places_that_are_already_do_not_move(self):
        image = image_of(SQUARE, TWO_ATOMS, (200, 200))
        places = 44.0 + 14 * np.indices((8, 8)).reshape(2, -1).T
        np.testing.assert_allclose(on_lattice(image, places, SQUARE)[0], places, atol=0.05)


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).standard_normal(8)
    without = (values.sum() - values) / 7
    assert jackknifed(without) == pytest.approx(values.std(ddof=1) / 8**0.5)


def change(one, two):
    to_one, to_two = equivalent_bases(one, two)
    return tilt_and_strain(to_one @ one, to_two @ two)


@pytest.mark.parametrize("vectors", [SQUARE, HEXAGONAL, OBLIQUE])
@pytest.mark.parametrize("basis", [[[1, 1], [0, 1]], [[0, 1], [-1, 0]], [[2, 1], [1, 1]]])
def test_another_basis_is_no_change(vectors, basis):
    np.testing.assert_allclose(change(vectors, np.array(basis) @ vectors), 0, atol=1e-9)


@pytest.mark.parametrize("vectors", [SQUARE, HEXAGONAL, OBLIQUE])
@pytest.mark.parametrize("degrees", [-29.0, 4.0, 28.0])
def test_a_turn_and_a_strain_are_found_in_any_basis(vectors, degrees):
    other = np.array([[1, 1], [0, 1]]) @ vectors @ turned(degrees, (0.02, -0.01))
    found = change(vectors, other)
    np.testing.assert_allclose(found[0], degrees, atol=0.9)
    np.testing.assert_allclose(found[1:], [2, -1], atol=1e-9)


@pytest.mark.parametrize(("vectors", "most"), [(SQUARE, 90.0), (HEXAGONAL, 60.0)])
def test_turns_by_a_symmetry_are_none(vectors, most):
    np.testing.assert_allclose(change(vectors, vectors @ turned(most)), 0, atol=1e-9)
    np.testing.assert_allclose(change(vectors, vectors @ turned(most - 5))[0], -5, atol=1e-9)


@pytest.mark.parametrize("basis", [[[1, 1], [1, -1]], [[1, 1], [-1, 2]], [[2, 0], [0, 2]]])
def test_a_superlattice_is_no_change_either_way(basis):
    larger = np.array(basis) @ HEXAGONAL
    np.testing.assert_allclose(change(HEXAGONAL, larger), 0, atol=1e-9)
    np.testing.assert_allclose(change(larger, HEXAGONAL), 0, atol=1e-9)


def test_the_way_back_is_the_inverse():
    other = OBLIQUE @ turned(12, (0.03, 0.01))
    there, back = change(OBLIQUE, other), change(other, OBLIQUE)
    np.testing.assert_allclose(there[0], -back[0])
    np.testing.assert_allclose(1 + there[1:] / 100, 1 / (1 + back[:0:-1] / 100))


def test_lattices_that_do_not_match_are_none():
    assert equivalent_bases(np.diag([10.0, 10.0]), np.diag([10.0, 60.0])) is None
