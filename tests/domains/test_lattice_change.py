"""Two bases of one lattice have no strain between them, whatever their vectors."""

import numpy as np
import pytest

from crystals import HEXAGONAL, SQUARE, turned
from phyvae.domains.lattice_change import equivalent_bases, tilt_and_strain

OBLIQUE = np.array([[13.0, 3.0], [-2.0, 17.0]])


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
