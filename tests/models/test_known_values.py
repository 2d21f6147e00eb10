"""Known values as pyroVED's models take them."""

import pytest
import torch

from phyvae.models.known_values import (
    check_classes,
    check_complete,
    check_given,
    check_width,
    unit_vectors,
)

NAN = float("nan")


def test_classes_become_unit_vectors_and_properties_stay():
    found = unit_vectors(torch.tensor([[2.0], [0.0]]), 3)
    assert found.tolist() == [[0, 0, 1], [1, 0, 0]]
    properties = torch.rand(2, 3)
    assert unit_vectors(properties, 3) is properties


def test_what_suits_the_model_is_taken():
    known = torch.tensor([[2.0], [0.0], [NAN]])
    check_classes(known, 3, "a model")
    check_complete(known[:2], "a model")
    check_width(known, 1, "a model")
    assert check_given(known, "a model", "a class") is known


@pytest.mark.parametrize("values", [[[3.0]], [[-1.0]], [[0.5], [NAN]]])
def test_other_numbers_are_no_classes(values):
    with pytest.raises(ValueError, match=r"a model takes classes, whole numbers from 0 to 2"):
        check_classes(torch.tensor(values), 3, "a model")


def test_refusals():
    with pytest.raises(ValueError, match=r"a model needs a class of each patch: grid.with_known"):
        check_given(None, "a model", "a class")
    with pytest.raises(ValueError, match="but 1 of 2 are unknown"):
        check_complete(torch.tensor([[1.0], [NAN]]), "a model")
    with pytest.raises(ValueError, match=r"2 known value\(s\) per patch, but a model takes 1"):
        check_width(torch.zeros(4, 2), 1, "a model")
