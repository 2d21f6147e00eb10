"""The laws that every physics loss obeys; a new loss is added to the list and is tested."""

import copy
import re

import pytest
import torch

import phyvae
from phyvae.testing import LAWS, check_physics_loss


class Smoothness(phyvae.PhysicsLoss):
    def forward(self, maps, mask=None):
        z = phyvae.standardise(maps, mask)
        return z.diff(dim=-1).square().mean() + z.diff(dim=-2).square().mean()


class Maskless(phyvae.PhysicsLoss):
    def forward(self, maps):
        return phyvae.standardise(maps).diff(dim=-1).square().mean()


class OnSquare(phyvae.PhysicsLoss):
    """A loss of the upper left square of the map."""

    def __init__(self, loss):
        super().__init__()
        self.loss = loss

    def forward(self, maps, mask=None):
        side = min(maps.shape[1:])
        corner = (slice(side), slice(side))
        return self.loss(maps[:, *corner], None if mask is None else mask[corner])

    def __repr__(self):
        return f"OnSquare({self.loss!r})"


def difference(first, *others):
    """A function of any number of maps."""
    return sum(others, first) ** 2 - 1


# Laws that losses break on purpose, those of this file among them.
FLAT, NOISE, SCALE, MIRROR = (
    "a flat map is free",
    "noise costs more than one wall",
    "scale and offset of the latent do not matter",
    "a mirrored map costs the same",
)
TRANSPOSE, ORDER = "a transposed map costs the same", "the order of channels does not matter"
TRIANGLE = [(1, 0), (-0.5, 0.87), (-0.5, -0.87)]

ITS_OWN = [
    (phyvae.EdgeLoss(), set()),
    (phyvae.EdgeLoss(sigma_spatial=1.0), set()),
    (phyvae.EdgeLoss(sigma_color=0.5, sigma_spatial=1.0), set()),
    (phyvae.EdgeLoss(scaling="minmax"), set()),
    (phyvae.EdgeLoss(sigma_spatial=5.0, scaling="minmax", reduction="sum"), set()),
    (phyvae.FourierLoss(), set()),
    (phyvae.TotalVariation(), set()),
    (phyvae.FourierLoss(radius=3.0), set()),
    (phyvae.EdgeLoss() + 0.5 * phyvae.FourierLoss(), set()),
    (Smoothness(), set()),
    (phyvae.TotalVariation("none"), {SCALE}),
    (phyvae.InterfaceEnergy(ratio=2.0), {TRANSPOSE}),
    (phyvae.InterfaceEnergy(1.3, 30.0, folds=4), {MIRROR, TRANSPOSE}),
    (phyvae.InterfaceEnergy(1.3, 45.0, folds=4), set()),
    (phyvae.InterfaceEnergy(ratio=2.0, scaling="none"), {SCALE, TRANSPOSE}),
    (phyvae.DirichletEnergy(), set()),
    (phyvae.DirichletEnergy("none"), {SCALE}),
    (phyvae.GinzburgLandau(), set()),
    (phyvae.GinzburgLandau(6.0, pixel_size=2.0), set()),
    (phyvae.GinzburgLandau(3.0, (0, 1, 2)), set()),
    (phyvae.GinzburgLandau(3.0, TRIANGLE), {ORDER, TRANSPOSE}),
    (phyvae.GinzburgLandau(3.0, (0, 1), scaling="none"), {SCALE, FLAT}),
    (phyvae.Curvature(), set()),
    (phyvae.Curvature(smoothing=0.0), set()),
    (phyvae.Curvature(smoothing=3.0, pixel_size=1.5), set()),
    (phyvae.PeriodicOrder([(0, 0.25), (0.25, 0)]), {NOISE}),
    (phyvae.PeriodicOrder([(0.1, 0.25)], tolerance=0.1), {NOISE, MIRROR, TRANSPOSE}),
    (phyvae.PeriodicOrder(ring=0.3, punish="at"), set()),
    (phyvae.PeriodicOrder(ring=0.15, tolerance=0.05, pixel_size=2.0), {NOISE}),
    (phyvae.Sparsity(), set()),
    (phyvae.Sparsity("group"), set()),
    (phyvae.ClassOccupancy(), {FLAT, NOISE}),
    (phyvae.ClassOccupancy("cells"), {FLAT, NOISE}),
    (phyvae.ClassOccupancy("cells", scaling="none"), {FLAT, NOISE, SCALE}),
    (phyvae.ClassOccupancy(scaling="probabilities"), {FLAT, NOISE, SCALE}),
    (phyvae.AreaFractions((0.5, 0.5)), set()),
    (phyvae.AreaFractions((0.2, 0.3, 0.5)), set()),
    (phyvae.Decorrelation(), {NOISE}),
    (phyvae.Exclusiveness(), {NOISE}),
    (phyvae.Relation(difference), {FLAT, NOISE}),
    (phyvae.BoundCharge(), {NOISE, MIRROR, ORDER}),
    (phyvae.Vorticity(), {NOISE, MIRROR, ORDER}),
    (phyvae.Autocorrelation(2.0), set()),
    (phyvae.Autocorrelation((0, 2)), {TRANSPOSE}),
    (phyvae.Autocorrelation((1, 2)), {MIRROR, TRANSPOSE}),
    (phyvae.Autocorrelation(6.0, alike=False, pixel_size=2.0), {NOISE}),
    (phyvae.MapSymmetry("left-right"), {TRANSPOSE}),
    (phyvae.MapSymmetry("up-down"), {NOISE, TRANSPOSE}),
    (phyvae.MapSymmetry("half-turn"), {NOISE}),
    # The corner is another one in a mirrored map.
    (OnSquare(phyvae.MapSymmetry("quarter-turn")), {NOISE, MIRROR}),
    (phyvae.OnChannels(phyvae.EdgeLoss(), [0]), {ORDER, TRANSPOSE}),
    (phyvae.Scheduled(phyvae.Curvature(), phyvae.LinearBeta(0.5, 1.0, epochs=3)), set()),
    (
        phyvae.OnChannels(phyvae.EdgeLoss(), [1, 0])
        + 0.3 * phyvae.Scheduled(phyvae.Maximize(phyvae.BoundCharge()) * 2.0, 0.5),
        {FLAT, MIRROR, ORDER},
    ),
]
LOSSES = [loss for loss, _ in ITS_OWN]
EXCEPTIONS = dict(ITS_OWN)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_every_physics_loss_obeys_every_law(loss, law):
    complaint = LAWS[law](loss)
    if law in EXCEPTIONS[loss]:
        assert complaint is not None, "it obeys this law; take it from its exceptions"
    else:
        assert complaint is None


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
class TestEveryPhysicsLoss:
    @pytest.mark.parametrize("shape", [(2, 12, 12), (2, 8, 13), (2, 17, 9)])
    def test_any_size_and_aspect_is_accepted(self, loss, shape):
        self.accepts(loss, shape)

    @pytest.mark.parametrize("shape", [(1, 12, 12), (3, 17, 9), (2, 1, 9), (2, 9, 1), (1, 1, 1)])
    def test_other_channels_and_strips_are_accepted_or_refused_in_words(self, loss, shape):
        if shape[1:].count(1) and isinstance(loss, Smoothness):
            pytest.skip("this loss takes a mean over steps, and a strip has none across")
        try:
            self.accepts(loss, shape)
        except ValueError as refusal:
            words = str(refusal)
        else:
            return
        assert re.search(r"maps (are|have)|reaches beyond|lies between|covers every", words)

    def accepts(self, loss, shape):
        maps = torch.rand(shape, requires_grad=True)
        psi = loss(maps)
        psi.backward()
        assert psi >= 0
        assert maps.grad.isfinite().all()

    def test_transposes_do_not_matter(self, loss):
        maps = torch.rand(2, 10, 10, dtype=torch.float64)
        # The components of a vector change places with the axes.
        other = maps.mT if ORDER not in EXCEPTIONS[loss] else maps.mT.flip(0)
        same = torch.allclose(loss(other), loss(maps), rtol=1e-6)
        assert same != (TRANSPOSE in EXCEPTIONS[loss])

    def test_order_of_the_channels_does_not_matter(self, loss):
        maps = torch.rand(2, 10, 12, dtype=torch.float64)
        same = torch.allclose(loss(maps.flip(0)), loss(maps), rtol=1e-6)
        assert same != (ORDER in EXCEPTIONS[loss])

    def test_one_flat_channel_among_others_leaves_the_gradient_finite(self, loss):
        maps = torch.rand(2, 9, 9)
        maps[1] = 0.7
        maps.requires_grad_()
        loss(maps).backward()
        assert maps.grad.isfinite().all()

    def test_a_flat_map_of_single_precision_is_flat(self, loss):
        maps = torch.full((2, 9, 9), 0.1, requires_grad=True)
        psi = loss(maps)
        psi.backward()
        assert maps.grad.isfinite().all()
        if FLAT not in EXCEPTIONS[loss]:
            assert psi == 0

    def test_it_looks_at_no_number_of_the_map_on_the_way(self, loss):
        # On this device there are no numbers to look at; on a GPU, each look waits for it.
        maps = torch.rand(2, 9, 9, device="meta", requires_grad=True)
        mask = torch.ones(9, 9, dtype=torch.bool, device="meta")
        for given in ((maps,), (maps, mask)):
            psi = copy.deepcopy(loss).to("meta")(*given)
            assert psi.shape == ()
            assert psi.device.type == "meta"

    def test_several_maps_at_once_are_the_maps_one_by_one(self, loss):
        if getattr(loss, "sigma_spatial", 0) > 0:
            pytest.skip("the bilateral filter looks at one stack of maps at a time")
        maps = torch.rand(3, 2, 9, 9, dtype=torch.float64)
        mask = torch.rand(9, 9) > 0.2
        each = torch.stack([loss(one, mask) for one in maps])
        torch.testing.assert_close(torch.vmap(lambda one: loss(one, mask))(maps), each)
        gradients = torch.vmap(torch.func.grad(loss))(maps)
        assert gradients.isfinite().all()

    def test_a_mask_of_nothing_costs_a_finite_number(self, loss):
        maps = torch.rand(2, 9, 9, requires_grad=True)
        psi = loss(maps, torch.zeros(9, 9, dtype=torch.bool))
        if psi.requires_grad:
            psi.backward()
            assert maps.grad.isfinite().all()
        assert psi.isfinite()


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
