"""The laws that every physics loss obeys; a new loss is added to the list and is tested."""

import pytest
import torch

import phyvae
from phyvae.testing import LAWS, check_physics_loss


class Smoothness(phyvae.PhysicsLoss):
    def forward(self, maps, mask=None):
        z = phyvae.standardise(maps, mask)
        return z.diff(dim=-1).square().mean() + z.diff(dim=-2).square().mean()


LOSSES = [
    phyvae.EdgeLoss(),
    phyvae.EdgeLoss(sigma_spatial=1.0),
    phyvae.EdgeLoss(sigma_color=0.5, sigma_spatial=1.0),
    phyvae.EdgeLoss(scaling="minmax"),
    phyvae.EdgeLoss(sigma_spatial=5.0, scaling="minmax", reduction="sum"),
    phyvae.FourierLoss(),
    phyvae.TotalVariation(),
    phyvae.FourierLoss(radius=3.0),
    phyvae.EdgeLoss() + 0.5 * phyvae.FourierLoss(),
    Smoothness(),
]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_every_physics_loss_obeys_every_law(loss, law):
    assert LAWS[law](loss) is None


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
class TestEveryPhysicsLoss:
    @pytest.mark.parametrize("shape", [(1, 12, 12), (2, 8, 13), (3, 17, 9), (1, 1, 9), (2, 9, 1)])
    def test_any_size_and_aspect_is_accepted(self, loss, shape):
        if 1 in shape[1:] and isinstance(loss, Smoothness):
            pytest.skip("this loss takes a mean over steps, and a strip has none across")
        maps = torch.rand(shape, requires_grad=True)
        psi = loss(maps)
        psi.backward()
        assert psi >= 0
        assert maps.grad.isfinite().all()

    def test_flips_and_transposes_do_not_matter(self, loss):
        maps = torch.rand(2, 10, 10, dtype=torch.float64)
        torch.testing.assert_close(loss(maps.flip(-1)), loss(maps))
        torch.testing.assert_close(loss(maps.transpose(-1, -2)), loss(maps))

    def test_order_of_the_channels_does_not_matter(self, loss):
        maps = torch.rand(3, 10, 12, dtype=torch.float64)
        torch.testing.assert_close(loss(maps[[2, 0, 1]]), loss(maps))

    def test_one_flat_channel_among_others_leaves_the_gradient_finite(self, loss):
        maps = torch.rand(2, 9, 9)
        maps[1] = 0.7
        maps.requires_grad_()
        loss(maps).backward()
        assert maps.grad.isfinite().all()


@pytest.mark.parametrize("loss", [phyvae.EdgeLoss(), phyvae.FourierLoss()], ids=repr)
@pytest.mark.parametrize("shape", [(9, 9), (1, 1, 9, 9), (0, 9, 9)])
def test_maps_of_a_wrong_shape_are_refused(loss, shape, unchecked):
    with pytest.raises(ValueError, match=r"maps has shape .* must be \(channels, rows, cols\)"):
        unchecked(type(loss).forward, loss, torch.rand(shape))


class TestCheckPhysicsLoss:
    def test_says_in_words_which_law_is_broken(self):
        def shrinkable(maps, mask=None):
            return maps.square().mean()

        with pytest.raises(AssertionError, match="scale and offset of the latent do not matter"):
            check_physics_loss(shrinkable)

    def test_names_a_missing_gradient(self):
        with pytest.raises(AssertionError, match="without gradient"):
            check_physics_loss(lambda maps, mask=None: maps.detach().std())

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
