"""The laws of physics losses complain of each loss that breaks them."""

import re

import pytest
import torch

import phyvae
from phyvae.testing import LAWS, check_physics_loss


class Maskless(phyvae.PhysicsLoss):
    def forward(self, maps):
        return phyvae.standardise(maps).diff(dim=-1).square().mean()


def squares(maps, mask=None):
    return maps.square().mean()


def growing():
    calls = []

    def loss(maps, mask=None):
        calls.append(maps)
        return maps.mean() * len(calls)

    return loss


LAWBREAKERS = [
    ("it is a scalar >= 0", lambda maps: -squares(maps), "it must be >= 0"),
    ("it only looks at the map", lambda maps: maps.mul_(2).mean(), "changes the map in place"),
    ("it only looks at the map", lambda maps: torch.rand(()) + 0 * maps.sum(), "global generator"),
    ("it only looks at the map", growing(), "on the same map"),
    ("scale and offset of the latent do not matter", squares, "on 5 z - 2"),
    ("a flat map is free", squares, "a map without any wall must cost nothing"),
    ("a flat map is free", lambda maps: maps.var((1, 2)).sqrt().sum(), "gradient is NaN or Inf"),
    ("its gradient is right", lambda maps: squares(maps).detach(), "without gradient"),
    ("its gradient is right", lambda maps: maps.mean() * maps.detach().mean(), "disagree"),
    ("noise costs more than one wall", squares, "a wall costs .* so it rewards noise"),
    ("noise costs more than one wall", lambda maps: 0 * maps.sum(), "it rewards noise"),
    (
        "a mask of everything is no mask",
        lambda maps, mask=None: maps.mean() * (1 if mask is None else 2),
        "with a mask that is true everywhere",
    ),
    ("a mask of everything is no mask", lambda maps: maps.mean(), r"mask=None\)"),
    ("a mask of everything is no mask", Maskless(), r"mask=None\)"),
    ("masked-out cells do not matter", Maskless(), r"mask=None\)"),
    ("masked-out cells do not matter", squares, "only cells outside the mask changed, to 99"),
    (
        "masked-out cells do not matter",
        lambda maps, mask: torch.where(mask, maps.square(), 0.0).mean(),
        "NaN or Inf with nan in cells outside the mask",
    ),
    ("precision does not matter", lambda maps: maps.mean() * maps.element_size(), "float32"),
    ("a mirrored map costs the same", lambda maps: maps[:, 0].mean(), "turned upside down"),
    ("a mirrored map costs the same", lambda maps: maps[:, :, 0].mean(), "turned left to right"),
]


class TestCheckPhysicsLoss:
    def test_says_in_words_which_law_is_broken(self):
        def shrinkable(maps, mask=None):
            return maps.square().mean()

        with pytest.raises(AssertionError, match="scale and offset of the latent do not matter"):
            check_physics_loss(shrinkable)

    def test_names_a_missing_gradient(self):
        with pytest.raises(AssertionError, match="without gradient"):
            check_physics_loss(lambda maps, mask=None: maps.detach().std())

    def test_tells_a_number_from_a_tensor_of_another_shape(self):
        with pytest.raises(AssertionError, match=r"returned a float.* with torch alone"):
            check_physics_loss(lambda maps, mask=None: float(maps.std()))
        with pytest.raises(AssertionError, match=r"shape \(9, 7\).*end it with \.mean\(\)"):
            check_physics_loss(lambda maps, mask=None: maps.std(0))

    @pytest.mark.parametrize(("law", "loss", "complaint"), LAWBREAKERS)
    def test_every_law_has_a_loss_that_breaks_it(self, law, loss, complaint):
        assert re.search(complaint, LAWS[law](loss))

    def test_no_law_is_without_a_loss_that_breaks_it(self):
        assert {law for law, _, _ in LAWBREAKERS} == LAWS.keys()

    def test_reports_an_exception_of_the_loss(self):
        def broken(maps, mask=None):
            raise RuntimeError("no such luck")

        with pytest.raises(AssertionError, match="no such luck"):
            check_physics_loss(broken)

    def test_maximize_breaks_two_laws_and_no_other(self):
        loss = phyvae.Maximize(phyvae.EdgeLoss())
        check_physics_loss(
            loss, except_for=["a flat map is free", "noise costs more than one wall"]
        )
        with pytest.raises(AssertionError, match="breaks 2 law"):
            check_physics_loss(loss)

    @pytest.mark.parametrize("except_for", [["gravity"], "a flat map is free"])
    def test_what_is_no_list_of_laws_is_refused(self, except_for):
        with pytest.raises(ValueError, match="except_for="):
            check_physics_loss(phyvae.EdgeLoss(), except_for=except_for)

    def test_a_class_is_refused(self, unchecked):
        with pytest.raises(TypeError, match=r"loss=EdgeLoss is a class; pass EdgeLoss\(\)"):
            unchecked(check_physics_loss, phyvae.EdgeLoss)

    def test_a_vector_is_one_complaint_not_eight(self):
        with pytest.raises(AssertionError, match=r"breaks 1 law.*\n.*end it with .mean"):
            check_physics_loss(lambda maps, mask=None: maps.mean((1, 2)))
