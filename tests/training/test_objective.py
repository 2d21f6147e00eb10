import numpy as np
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import EdgeLoss, FourierLoss, PhysicsObjective, ShiftVAE
from phyvae.models.options import Decoding
from phyvae.patches.known import Patches
from phyvae.patches.layout import Layout
from phyvae.training.batches import Batch
from phyvae.training.objective import balanced, force_of

SHAPE, CELLS = (5, 6), 30
SITES, DECODED = 20, 6


def setting(sampler="bernoulli", latent_dim=2):
    """Return a model, a tile of patches and a batch within it, in float64."""
    generator = torch.Generator().manual_seed(0)
    model = ShiftVAE((7, 8), latent_dim, sampler_d=sampler, seed=1).double()
    tile = torch.rand(CELLS, 7, 8, dtype=torch.float64, generator=generator)
    return model, tile, torch.randperm(CELLS, generator=generator)[:9]


def noise_source():
    return torch.Generator().manual_seed(4)


def gradients(model):
    return {name: p.grad.clone() for name, p in model.named_parameters()}


def batch_of(tile, decoded, sites=None):
    decoding = Decoding(generator=noise_source())
    return Batch(Patches(tile), Layout(SHAPE), decoded, sites, decoding)


def run(objective, model, tile, batch, beta=0.7):
    """Run one backward pass; return the parts and the gradient of every parameter."""
    model.zero_grad()
    parts = objective.backward(model, batch_of(tile, batch), beta)
    return parts, gradients(model)


def direct_terms(model, tile, batch, beta=0.7, *, whole_tile=True):
    """Return −ELBO, its floor and the latent maps in one graph, with the same noise."""
    posterior = model.posterior(Patches(tile if whole_tile else tile[batch]))
    sampled = posterior[batch] if whole_tile else posterior
    latents = sampled.sample(noise_source())
    neg_elbo = model.reconstruction(tile[batch], latents).mean() + beta * sampled.kl().mean()
    shape = SHAPE if whole_tile else (3, 3)
    maps = posterior.mean[:, model.content].T.reshape(-1, *shape)
    return neg_elbo, model.floor(Patches(tile[batch])).mean(), maps


def _rms(values):
    return values.square().mean().sqrt()


def assert_same_gradients(one, other):
    for name in one:
        assert_close(one[name], other[name], msg=lambda m, name=name: f"{name}: {m}")


class TestPlain:
    def test_without_physics_it_is_the_negative_elbo(self):
        model, tile, batch = setting()
        parts, mine = run(PhysicsObjective(), model, tile, batch)
        neg_elbo, _, _ = direct_terms(model, tile, batch)
        assert_close(parts.loss, neg_elbo.detach())
        assert parts.psi == 0
        model.zero_grad()
        neg_elbo.backward()
        assert_same_gradients(mine, gradients(model))


@pytest.mark.parametrize("sampler", ["bernoulli", "gaussian"])
@pytest.mark.parametrize(
    "physics", [EdgeLoss(), FourierLoss(), EdgeLoss() + FourierLoss()], ids=repr
)
@pytest.mark.parametrize("w", [0.0, 0.1, 0.5])
class TestProduct:
    def test_the_gradient_is_autograds_of_the_product(self, physics, sampler, w):
        model, tile, batch = setting(sampler)
        objective = PhysicsObjective(physics, w=w, coupling="product")
        parts, mine = run(objective, model, tile, batch)
        neg_elbo, floor, maps = direct_terms(model, tile, batch)
        loss = (neg_elbo - floor) * (w + physics(maps))
        assert_close(parts.loss, loss.detach())
        model.zero_grad()
        loss.backward()
        assert_same_gradients(mine, gradients(model))

    def test_the_first_factor_is_not_negative(self, physics, sampler, w):
        model, tile, batch = setting(sampler)
        parts, _ = run(PhysicsObjective(physics, w=w, coupling="product"), model, tile, batch)
        assert parts.neg_elbo >= parts.floor


class TestPublished:
    def test_no_gradient_of_the_physics_reaches_the_encoder(self):
        model, tile, batch = setting()
        parts, mine = run(PhysicsObjective(EdgeLoss(), coupling="published"), model, tile, batch)
        neg_elbo, _, _ = direct_terms(model, tile, batch, whole_tile=False)
        model.zero_grad()
        ((0.1 + parts.psi) * neg_elbo).backward()
        assert parts.psi > 0
        assert_same_gradients(mine, gradients(model))

    def test_psi_is_the_papers_number_of_the_batch_as_a_square(self):
        model, tile, batch = setting()
        parts, _ = run(PhysicsObjective(EdgeLoss(), coupling="published"), model, tile, batch)
        _, _, maps = direct_terms(model, tile, batch, whole_tile=False)
        assert float(parts.psi) == pytest.approx(EdgeLoss().published(maps))

    def test_the_loss_is_the_raw_negative_elbo_times_the_number(self):
        model, tile, batch = setting()
        parts, _ = run(PhysicsObjective(EdgeLoss(), coupling="published"), model, tile, batch)
        assert parts.floor == 0
        assert_close(parts.loss, parts.neg_elbo * (0.1 + parts.psi))

    def test_a_plain_callable_is_evaluated_without_gradient(self):
        model, tile, batch = setting()
        objective = PhysicsObjective(lambda maps: maps.square().mean(), coupling="published")
        parts, _ = run(objective, model, tile, batch)
        assert parts.psi > 0

    def test_a_batch_that_is_no_square_is_refused(self):
        model, tile, _ = setting()
        with pytest.raises(ValueError, match=r"10 patches fill none.*square number"):
            run(PhysicsObjective(EdgeLoss(), coupling="published"), model, tile, torch.arange(10))


@pytest.mark.parametrize("physics", [EdgeLoss(), FourierLoss()], ids=repr)
@pytest.mark.parametrize("strength", [0.1, 0.3, 2.0])
class TestBalanced:
    def means_gradient(self, model, objective, tile, batch):
        """Return the gradient that arrives at the latent means of the whole tile."""
        seen = {}
        posterior = model.posterior

        def watched(patches, dtype):
            result = posterior(patches, dtype)
            result.mean.register_hook(lambda g: seen.update(gradient=g))
            return result

        model.posterior = watched
        try:
            run(objective, model, tile, batch)
        finally:
            del model.posterior
        return seen["gradient"]

    @pytest.mark.parametrize("w", [0.0, 0.1, 0.5])
    def test_site_by_site_the_physics_has_the_stated_ratio(self, physics, strength, w):
        model, tile, batch = setting()
        both = PhysicsObjective(physics, strength=strength, w=w)
        alone = PhysicsObjective(physics, strength=0.0, w=w)
        with_physics = self.means_gradient(model, both, tile, batch)
        without = self.means_gradient(model, alone, tile, batch)
        force = CELLS * (with_physics - without)
        first = len(batch) * without[batch]
        rms = force[:, model.content].square().mean().sqrt()
        psi = run(alone, model, tile, batch)[0].psi
        ratio = strength * psi / (w + psi)
        assert_close(rms, ratio * first[:, model.content].square().mean().sqrt())
        assert (force[:, : model.coord] == 0).all()

    def test_a_latent_that_says_nothing_feels_next_to_nothing(self, physics, strength):
        model, tile, batch = setting()
        with torch.no_grad():
            model.encoder_z.fc11.weight[model.coord] *= 1e-3
        objective = PhysicsObjective(physics, strength=strength)
        alone = PhysicsObjective(physics, strength=0.0)
        force = self.means_gradient(model, objective, tile, batch)
        force = (force - self.means_gradient(model, alone, tile, batch))[:, model.content]
        assert _rms(force[:, 0]) < 1e-3 * _rms(force[:, 1])

    def test_the_force_of_each_latent_points_along_the_gradient_of_psi(self, physics, strength):
        model, tile, batch = setting()
        objective = PhysicsObjective(physics, strength=strength)
        alone = PhysicsObjective(physics, strength=0.0)
        force = self.means_gradient(model, objective, tile, batch)
        force = (force - self.means_gradient(model, alone, tile, batch))[:, model.content]
        maps = model.encode(tile)[0][:, model.content].T.reshape(-1, *SHAPE).requires_grad_()
        physics(maps).backward()
        expected = maps.grad.flatten(1).T
        assert_close(torch.cosine_similarity(force, expected, dim=0), torch.ones(2).double())

    def test_the_decoder_learns_from_the_negative_elbo_alone(self, physics, strength):
        model, tile, batch = setting()
        parts, mine = run(PhysicsObjective(physics, strength=strength), model, tile, batch)
        neg_elbo, _, _ = direct_terms(model, tile, batch)
        model.zero_grad()
        ((0.1 + parts.psi) * neg_elbo).backward()
        for name, gradient in gradients(model).items():
            if name.startswith("decoder"):
                assert_close(mine[name], gradient)


@pytest.mark.parametrize("coupling", ["balanced", "product"])
class TestChannels:
    def test_physics_acts_on_the_chosen_latents_only(self, coupling):
        model, tile, _ = setting(latent_dim=3)
        objective = PhysicsObjective(EdgeLoss(), channels=[1], coupling=coupling)
        content = model.encode(tile)[0][:, model.content]
        maps = content.T.reshape(-1, *SHAPE)
        assert_close(objective.psi(content, Layout(SHAPE)), EdgeLoss()(maps[1:2]))

    def test_the_order_of_all_channels_is_the_default(self, coupling):
        maps = torch.rand(2, 6, 6)
        objective = PhysicsObjective(EdgeLoss(), coupling=coupling)
        layout = Layout((6, 6))
        assert_close(objective.psi(layout.values(maps), layout), EdgeLoss()(maps))

    def test_a_channel_that_the_model_lacks_is_refused(self, coupling):
        model, tile, batch = setting()
        with pytest.raises(ValueError, match=r"channels=\(2,\) but the model has 2"):
            run(PhysicsObjective(EdgeLoss(), channels=[2], coupling=coupling), model, tile, batch)


class TestAnyLoss:
    def test_a_bare_callable_serves(self):
        model, tile, batch = setting()

        def smoothness(maps):
            return phyvae.standardise(maps).diff(dim=-1).square().mean()

        parts, mine = run(PhysicsObjective(smoothness, coupling="product"), model, tile, batch)
        assert parts.psi > 0
        assert all(g.isfinite().all() for g in mine.values())

    @pytest.mark.parametrize("coupling", ["balanced", "product"])
    def test_collapsed_maps_leave_the_gradient_finite(self, coupling):
        model, tile, batch = setting()
        with torch.no_grad():
            model.encoder_z.fc11.weight.zero_()
        parts, mine = run(PhysicsObjective(EdgeLoss(), coupling=coupling), model, tile, batch)
        assert parts.psi == 0
        assert all(g.isfinite().all() for g in mine.values())

    def test_a_mask_is_passed_on(self):
        maps, mask = torch.rand(2, 9, 9), torch.rand(9, 9) > 0.1
        (cells,) = torch.nonzero(mask.flatten(), as_tuple=True)
        layout = Layout((9, 9), cells)
        psi = PhysicsObjective(EdgeLoss()).psi(layout.values(maps), layout)
        assert_close(psi, EdgeLoss()(maps, mask))

    def test_a_vector_is_refused(self):
        model, tile, batch = setting()
        objective = PhysicsObjective(lambda maps: maps.mean((1, 2)))
        with pytest.raises(ValueError, match=r"returned shape \(2,\), but .* a scalar"):
            run(objective, model, tile, batch)

    def test_a_number_is_refused(self):
        model, tile, batch = setting()
        with pytest.raises(ValueError, match=r"returned float"):
            run(PhysicsObjective(lambda maps: 0.5), model, tile, batch)

    @pytest.mark.parametrize("coupling", ["balanced", "product"])
    def test_a_loss_without_gradient_is_refused(self, coupling):
        model, tile, batch = setting()
        objective = PhysicsObjective(lambda maps: maps.detach().std(), coupling=coupling)
        with pytest.raises(ValueError, match="without gradient"):
            run(objective, model, tile, batch)


class TestSettings:
    @pytest.mark.parametrize("w", [-0.1, 0.6, float("nan")])
    def test_w_stays_within_the_papers_range(self, w):
        with pytest.raises(ValueError, match=rf"w={w} must lie in \[0, 0.5\]"):
            PhysicsObjective(EdgeLoss(), w=w)

    def test_another_w_is_an_explicit_choice(self):
        assert PhysicsObjective(EdgeLoss(), w=2.0, w_max=2.0).w == 2

    @pytest.mark.parametrize(
        ("settings", "named"),
        [
            ({"coupling": "sum"}, r"coupling='sum' must be one of 'balanced', 'product'"),
            ({"strength": -1.0}, "strength=-1 must be >= 0"),
            ({"channels": []}, r"channels=\[\]"),
            ({"channels": [0, 0]}, r"channels=\[0, 0\]"),
            ({"channels": [-1]}, r"channels=\[-1\]"),
        ],
    )
    def test_bad_settings_are_named(self, settings, named, unchecked):
        with pytest.raises(ValueError, match=named):
            unchecked(PhysicsObjective, EdgeLoss(), **settings)

    @pytest.mark.parametrize("physics", [EdgeLoss, "edges", 0.5])
    def test_what_is_no_loss_is_refused(self, physics, unchecked):
        with pytest.raises(TypeError, match="physics="):
            unchecked(PhysicsObjective, physics)

    def test_a_single_channel_is_refused_with_the_cure(self, unchecked):
        with pytest.raises(TypeError, match=r"channels=1 must be a list of latents: \[1\]"):
            unchecked(PhysicsObjective, EdgeLoss(), channels=1)

    def test_an_unknown_keyword_is_refused(self):
        with pytest.raises(TypeError, match="weight"):
            PhysicsObjective(EdgeLoss(), weight=0.1)

    def test_parts_stack_in_the_order_of_their_fields(self):
        model, tile, batch = setting()
        parts, _ = run(PhysicsObjective(EdgeLoss()), model, tile, batch)
        stacked = parts.stack()
        assert_close(stacked[0], parts.loss)
        assert_close(stacked[1], parts.neg_elbo)
        np.testing.assert_allclose(stacked[-1], 0.7)
        assert_close(parts.loss, (parts.neg_elbo - parts.floor) * (0.1 + parts.psi))
        assert_close(parts.neg_elbo, parts.reconstruction + parts.beta * parts.kl)


class TestSites:
    """Physics trains the encoder through some sites of the tile, or through all."""

    def example(self, coupling, **settings):
        """Return the gradient and the parts as a function of the sites, and all of these."""
        model, tile, _ = setting()
        order = torch.randperm(CELLS, generator=torch.Generator().manual_seed(3))
        objective = PhysicsObjective(EdgeLoss(), coupling=coupling, w=0.3, **settings)

        def through(sites):
            model.zero_grad()
            parts = objective.backward(model, batch_of(tile, order[:9], sites), 0.7)
            return parts, gradients(model)

        return through, order

    @pytest.mark.parametrize("coupling", ["balanced", "product"])
    def test_all_sites_in_another_order_change_nothing(self, coupling):
        through, order = self.example(coupling)
        (parts, plain), (same, found) = through(None), through(order)
        assert_same_gradients(found, plain)
        assert_close(same.stack(), parts.stack())

    def test_psi_is_that_of_the_whole_tile(self):
        through, order = self.example("balanced")
        assert_close(through(order[:12])[0].psi, through(None)[0].psi)

    def test_each_site_counts_as_many_times_as_it_is_left_out(self):
        # With a strength of 0 nothing but the reconstruction is left.
        through, order = self.example("product")
        nothing = self.example("balanced", strength=0.0)[0](None)[1]
        plain, of_batch = through(None)[1], through(order[:9])[1]
        others = order[9:]
        draws = [torch.cat([order[:9], others.roll(-i)[:13]]) for i in range(len(others))]
        found = [through(sites)[1] for sites in draws]
        for name in plain:
            # The force of the batch, which is in each draw, and that of the other sites.
            batch = (of_batch[name] - nothing[name]) * 9 / CELLS
            rest = plain[name] - nothing[name] - batch
            expected = nothing[name] + CELLS / (9 + 13) * (batch + rest * 13 / len(others))
            assert_close(torch.stack([one[name] for one in found]).mean(0), expected)


class TestPsi:
    @pytest.mark.parametrize("physics", [None, EdgeLoss()], ids=["none", "SL1"])
    def test_content_that_is_not_a_row_per_patch_is_refused(self, physics, unchecked):
        objective, maps = PhysicsObjective(physics), torch.rand(2, 6, 6)
        rows = maps.flatten(1).T
        pairs = [(maps, Layout((6, 6))), (rows, Layout((6, 7))), (rows, (6, 6))]
        for content, layout in [*pairs, (rows[0], Layout((1, 2)))]:
            with pytest.raises(ValueError, match=r"content=.* a row of latents for each patch"):
                unchecked(PhysicsObjective.psi, objective, content, layout)


def rms(values):
    return values.square().mean(0).sqrt()


def example(seed=0, z_dim=3):
    """Return a force, a gradient and a signal."""
    generator = torch.Generator().manual_seed(seed)
    settings = {"dtype": torch.float64, "generator": generator}
    scale = torch.tensor([5.0, 0.1, 1.0])[:z_dim]
    force = torch.randn(SITES, z_dim, **settings) * scale
    gradient = torch.randn(DECODED, z_dim, **settings) * scale.flip(0)
    return force, gradient, torch.rand(z_dim, **settings)


class TestBalancedForce:
    @pytest.mark.parametrize("ratio", [0.0, 0.3, 2.0])
    def test_the_rms_of_a_site_is_the_ratio_times_that_of_the_gradient(self, ratio):
        force, gradient, signal = example()
        found = balanced(force, gradient, signal, torch.tensor(ratio).double())
        first, second = DECODED * gradient, SITES * found
        expected = ratio * first.square().mean().sqrt()
        assert_close(second.square().mean().sqrt(), expected)

    def test_latents_share_it_in_proportion_to_their_signal(self):
        force, gradient, signal = example()
        gradient = gradient / rms(gradient)  # each latent's is felt alike
        found = rms(balanced(force, gradient, signal, torch.tensor(0.3).double()))
        assert_close(found / found.sum(), signal / signal.sum())

    def test_and_to_their_own_gradient(self):
        force, gradient, signal = example()
        found = rms(balanced(force, gradient, torch.ones_like(signal), torch.tensor(0.3).double()))
        assert_close(found / found.sum(), rms(gradient) / rms(gradient).sum())

    def test_each_latents_force_keeps_its_direction(self):
        force, gradient, signal = example()
        found = balanced(force, gradient, signal, torch.tensor(0.3).double())
        cosine = torch.cosine_similarity(found, force, dim=0)
        assert_close(cosine, torch.ones(3).double())

    def test_the_size_of_the_force_does_not_matter(self):
        force, gradient, signal = example()
        ratio = torch.tensor(0.3).double()
        one = balanced(force, gradient, signal, ratio)
        assert_close(balanced(1e3 * force, gradient, signal, ratio), one)

    def test_a_latent_without_force_gets_none_and_takes_no_part(self):
        force, gradient, signal = example()
        ratio = torch.tensor(0.3).double()
        force[:, 0] = 0
        found = balanced(force, gradient, signal, ratio)
        assert (found[:, 0] == 0).all()
        assert_close(found[:, 1:], balanced(force[:, 1:], gradient[:, 1:], signal[1:], ratio))

    @pytest.mark.parametrize("zero", ["force", "gradient", "signal", "all"])
    def test_without_any_of_them_the_force_is_zero_and_finite(self, zero):
        values = dict(zip(("force", "gradient", "signal"), example(), strict=True))
        for name in values:
            if zero in (name, "all"):
                values[name] = torch.zeros_like(values[name])
        found = balanced(**values, ratio=torch.tensor(0.3).double())
        assert torch.equal(found, torch.zeros_like(found))


class TestForceOf:
    def test_is_the_gradient_at_the_means(self):
        means = torch.randn(SITES, 2, dtype=torch.float64, requires_grad=True)
        psi = means[:, 1].pow(3).sum()
        expected = torch.stack([torch.zeros(SITES).double(), 3 * means[:, 1].square()], dim=1)
        assert_close(force_of(psi, means, None), expected.detach())
        assert means.grad is None

    def test_a_value_without_gradient_is_refused_with_the_name_of_the_loss(self):
        with pytest.raises(ValueError, match="'my loss' returned a value without gradient"):
            force_of(torch.tensor(1.0), torch.zeros(SITES, 2), "my loss")
