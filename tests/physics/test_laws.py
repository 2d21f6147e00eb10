"""The laws that every physics loss obeys; a new loss is added to the list and is tested."""

import copy

import pytest
import torch

import phyvae
from phyvae.testing import LAWS, check_physics_loss


class Smoothness(phyvae.PhysicsLoss):
    def forward(self, maps, mask=None):
        z = phyvae.standardise(maps, mask)
        return z.diff(dim=-1).square().mean() + z.diff(dim=-2).square().mean()


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
# Those that do not take every number of channels.
TWO, SEVERAL = {2}, {2, 3}

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
    (phyvae.GinzburgLandau(3.0, TRIANGLE), {ORDER}),
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
    (phyvae.Relation(difference), {FLAT, ORDER}),
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
    (OnSquare(phyvae.MapSymmetry("quarter-turn")), {MIRROR}),
    (phyvae.OnChannels(phyvae.EdgeLoss(), [0]), {ORDER}),
    (phyvae.Scheduled(phyvae.Curvature(), phyvae.LinearBeta(0.5, 1.0, epochs=3)), set()),
    (
        phyvae.OnChannels(phyvae.EdgeLoss(), [1, 0])
        + 0.3 * phyvae.Scheduled(phyvae.Maximize(phyvae.BoundCharge()) * 2, 0.5),
        {FLAT, NOISE, MIRROR, ORDER},
    ),
]
LOSSES = [loss for loss, _ in ITS_OWN]
EXCEPTIONS = {repr(loss): broken for loss, broken in ITS_OWN}


def channels(loss):
    """How many channels a loss takes; None is any number."""
    name = repr(loss)
    if "BoundCharge" in name or "Vorticity" in name or "wells=((1.0, 0.0)" in name:
        return TWO
    several = ("ClassOccupancy", "Decorrelation", "Exclusiveness", "group")
    return SEVERAL if any(part in name for part in several) else {1, 2, 3}


def smallest(loss):
    """How many cells a side a loss needs."""
    name = repr(loss)
    if any(part in name for part in ("Curvature", "BoundCharge", "Vorticity", "quarter")):
        return 3
    wide = ("Smoothness", "MapSymmetry", "0.25", "(0, 2)", "(1, 2)")
    return 3 if any(part in name for part in wide) else 1


def test_no_two_losses_of_the_list_have_one_name():
    assert len(EXCEPTIONS) == len(LOSSES)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_every_physics_loss_obeys_every_law(loss, law):
    complaint = LAWS[law](loss)
    if law in EXCEPTIONS[repr(loss)]:
        assert complaint is not None, "it obeys this law; take it from its exceptions"
    else:
        assert complaint is None


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
class TestEveryPhysicsLoss:
    @pytest.mark.parametrize("shape", [(1, 12, 12), (2, 8, 13), (3, 17, 9), (1, 1, 9), (2, 9, 1)])
    def test_any_size_and_aspect_is_accepted_or_refused(self, loss, shape):
        maps = torch.rand(shape, requires_grad=True)
        if shape[0] not in channels(loss) or min(shape[1:]) < smallest(loss):
            if isinstance(loss, Smoothness):
                pytest.skip("this loss takes a mean over steps, and a strip has none across")
            if repr(loss).endswith(
                ("[0])", "'left-right')", "(0, 2), alike=True, pixel_size=None)")
            ):
                return  # a strip in the other direction is fine
            with pytest.raises(ValueError, match=r"maps (are|have)|reaches beyond|lies between"):
                loss(maps)
            return
        psi = loss(maps)
        psi.backward()
        assert psi >= 0
        assert maps.grad.isfinite().all()

    def test_transposes_do_not_matter(self, loss):
        maps = torch.rand(2, 10, 10, dtype=torch.float64)
        other = maps.mT
        if "BoundCharge" in repr(loss) or "Vorticity" in repr(loss):
            other = other.flip(0)  # of a vector field, the components change places, too
        if "OnChannels" in repr(loss) and "BoundCharge" in repr(loss):
            pytest.skip("one of its terms sees a vector, the other one does not")
        same = torch.allclose(loss(other), loss(maps), rtol=1e-6)
        assert same != (TRANSPOSE in EXCEPTIONS[repr(loss)])

    def test_order_of_the_channels_does_not_matter(self, loss):
        count = max(channels(loss))
        maps = torch.rand(count, 10, 12, dtype=torch.float64)
        same = torch.allclose(loss(maps.roll(1, 0)), loss(maps), rtol=1e-6)
        if channels(loss) == TWO and not repr(loss).startswith("GinzburgLandau"):
            maps = torch.stack([maps[0], maps[0].roll(3, 1)])
        assert same != (ORDER in EXCEPTIONS[repr(loss)])

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
        if FLAT not in EXCEPTIONS[repr(loss)]:
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
