"""Refinement, on spectra that the model's own decoder drew: so the true latents are known."""

import copy
import math

import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, PhysicsObjective, ShiftVAE, TotalVariation
from phyvae.patches.known import Patches

SHAPE, LENGTH, NOISE, WALL = (10, 14), 24, 0.3, 6
OBJECTIVE = PhysicsObjective(TotalVariation("none"))
FAST = {"strength": 4.0, "samples": 2, "iterations": 3}


@pytest.fixture(scope="module")
def model():
    """Return a model whose random decoder stays, and whose encoder has learnt to invert it."""
    model = ShiftVAE(
        (LENGTH,), 2, sampler_d="gaussian", decoder_sig=NOISE, sigmoid_d=False, seed=0,
        hidden_dim_e=(64,), hidden_dim_d=(32, 32), coordinate_scale=3.0,
    )  # fmt: skip
    with torch.no_grad():
        model.decoder.coord_latent.fc_latent.weight.mul_(2)
        model.decoder.out.weight.mul_(6)
    generator = torch.Generator().manual_seed(0)
    optimizer = torch.optim.Adam(model.encoder_z.parameters(), lr=3e-3)
    for _ in range(300):
        z = torch.randn(256, 3, generator=generator)
        clean = model.decode(z[:, 1:], shift=z[:, :1])
        spectra = clean + NOISE * torch.randn(clean.shape, generator=generator)
        optimizer.zero_grad()
        (model.posterior(Patches(spectra)).mean - z).square().mean().backward()
        optimizer.step()
    model.zero_grad()
    return model


def truth():
    """Return content with one wall in the first channel, shape (2, rows, cols)."""
    maps = torch.zeros(2, *SHAPE)
    maps[0] = -0.8
    maps[0, :, WALL:] = 0.8
    return maps


def grid_of(model, noise=NOISE, seed=1):
    generator = torch.Generator().manual_seed(seed)
    shift = 0.5 * torch.randn(len(truth()[0].flatten()), 1, generator=torch.Generator())
    clean = model.decode(truth().flatten(1).T, shift=shift)
    cube = clean + noise * torch.randn(clean.shape, generator=generator)
    return PatchGrid.from_spectra(cube.reshape(*SHAPE, LENGTH), percentiles=None)


def refine(model, grid, objective=OBJECTIVE, likelihood="decoder", **settings):
    settings = FAST | {"likelihood": likelihood} | settings
    return phyvae.refine(model, grid, objective, progress=False, **settings)


def encoders_noise(model, grid, samples, seed=0):
    """Return how far noise of random signs moves the encoder's content: RMS over patches."""
    patches = grid.patches.reshape(-1, LENGTH)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        clean = model.pixel_means(model.posterior(Patches(patches)).mean)
        answers = []
        for _ in range(samples):
            coins = torch.randint(0, 2, grid.image.shape, generator=generator, dtype=torch.int8)
            sign = (2 * coins - 1).reshape(patches.shape)
            answers.append(model.posterior(Patches(clean + sign * (patches - clean))).mean)
        return torch.stack(answers).var(0).mean(0).sqrt()[1:]


def widths(model):
    """Return the encoder's own mean variance of each map."""
    return model.latent_stds(grid_of(model)).square().mean((1, 2))


def share(maps, noise):
    """Return the share of noise-free variance, for each map."""
    between = maps.var((1, 2), correction=0)
    return between / (between + noise)


def error(maps):
    """Return the RMS error; an offset of a whole map is no error."""
    return float((maps - truth()).flatten(1).std(1).square().mean().sqrt())


@pytest.fixture(scope="module", params=["encoder", "decoder"])
def likelihood(request):
    """Return whose word counts for a patch."""
    return request.param


@pytest.fixture(scope="module")
def refined(model, likelihood):
    """Return the usual case, refined once."""
    return refine(model, grid_of(model), likelihood=likelihood)


@pytest.fixture(scope="module")
def alone(model, likelihood):
    """Return the usual case without Ψ."""
    return refine(model, grid_of(model), likelihood=likelihood, strength=0.0)


class TestLaws:
    def test_the_energy_falls_and_is_the_sum_of_its_parts(self, refined, likelihood):
        assert len(refined.energy) == 2 if likelihood == "encoder" else len(refined.energy) > 2
        assert (refined.energy.diff() < 0).all()
        total = refined.reconstruction + refined.prior + refined.weight * refined.psi
        assert_close(refined.energy, total)

    def test_the_last_energy_is_that_of_the_returned_maps(self, model, refined, alone, likelihood):
        grid = grid_of(model)
        shift = (refined.shifts.flatten(1) / model.shift_scale[:, None]).T
        z = torch.cat([shift, refined.maps.flatten(1).T], 1)
        patches = grid.patches.reshape(-1, LENGTH)
        with torch.no_grad():
            reconstruction = model.reconstruction(patches, z).double().mean()
            said = model.posterior(Patches(patches))
        prior = z.double().square().sum(1).mean() / 2
        if likelihood == "encoder":
            reconstruction = torch.zeros(()).double()
            assert_close(z[:, 0], said.mean[:, 0])  # Ψ does not pull at shifts
            noise = encoders_noise(model, grid, samples=FAST["samples"])
            prior = ((z - said.mean)[:, 1:] / noise).double().square().sum(1).mean() / 2
        assert_close(refined.reconstruction[-1], reconstruction, rtol=1e-5, atol=1e-5)
        assert_close(refined.prior[-1], prior, rtol=1e-5, atol=1e-5)
        unit = alone.maps.std((1, 2), keepdim=True, correction=0)
        psi = TotalVariation("none")(refined.maps / unit).double()
        assert_close(refined.psi[-1], psi, rtol=0.05, atol=0.0)  # the unit is that of fewer steps

    def test_neighbours_lower_the_error(self, model, alone, refined):
        encoder = model.latent_maps(grid_of(model))
        assert error(refined.maps) < 0.6 * error(alone.maps)
        assert error(refined.maps) < 0.6 * error(encoder)

    def test_the_default_is_total_variation_in_fixed_units(self, model, refined, likelihood):
        same = phyvae.refine(
            model, grid_of(model), likelihood=likelihood, progress=False, **FAST
        )  # fmt: skip
        assert torch.equal(same.maps, refined.maps)

    def test_a_wall_stays_sharp_and_in_its_place(self, refined):
        maps = refined.maps
        steps = maps[0].diff(dim=1)
        assert (steps.argmax(1) - (WALL - 1)).abs().max() <= 1
        assert float(steps.amax(1).mean()) > 0.7 * 1.6  # of the true step

    def test_fixed_units_invent_no_domains_in_a_flat_channel(self, alone, refined):
        # Each side by itself: this encoder is biased, and sees the wall in both channels.
        for side in (slice(None, WALL), slice(WALL, None)):
            one, other = (found.maps[1, :, side] for found in (refined, alone))
            assert one.std() < 0.1 * other.std()

    def test_without_physics_a_map_says_as_much_as_the_encoder(self, model, alone):
        assert_close(alone.signal, share(alone.maps, widths(model)), rtol=0.03, atol=0)

    def test_neighbours_make_a_map_say_more(self, alone, refined):
        assert 1 - refined.signal[0] < 0.3 * (1 - alone.signal[0])

    def test_a_map_that_has_collapsed_still_says_next_to_nothing(self, model, likelihood):
        collapsed = copy.deepcopy(model)
        with torch.no_grad():  # the encoder says that it does not know the second latent
            collapsed.encoder_z.fc12.bias[model.content][1] = 30.0
        found = refine(collapsed, grid_of(model), likelihood=likelihood)
        assert found.signal[1] < 0.1 < 0.9 < found.signal[0]

    def test_a_clean_map_stays(self, model):
        # The decoder's word: this encoder says of clean spectra what it has learnt of noisy ones.
        grid = grid_of(model, noise=1e-3)
        alone, together = (refine(model, grid, strength=s).maps for s in (0.0, 4.0))
        assert error(together) < max(0.05, 1.05 * error(alone))
        assert (together - alone)[0].square().mean().sqrt() < 0.05  # 3 % of the step

    def test_the_model_is_untouched(self, model, likelihood):
        before = copy.deepcopy(model.state_dict())
        random = torch.get_rng_state()
        refine(model, grid_of(model), likelihood=likelihood)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(p.grad is None and p.requires_grad for p in model.parameters())
        assert torch.equal(torch.get_rng_state(), random)

    def test_the_same_seed_gives_the_same_result(self, model, refined, likelihood):
        grid = grid_of(model)
        same, other = (refine(model, grid, likelihood=likelihood, seed=seed) for seed in (0, 1))
        assert torch.equal(refined.maps, same.maps)
        assert torch.equal(refined.stds, same.stds)
        # The encoder's noise is measured with the seed.
        tolerance = {"decoder": 0.0, "encoder": 0.1 * float(refined.maps.std())}[likelihood]
        assert_close(refined.maps, other.maps, atol=tolerance, rtol=0.0)
        assert not torch.equal(refined.stds, other.stds)

    def test_streaming_leaves_no_seam(self, model, likelihood):
        grid = grid_of(model)
        whole, parts = (
            refine(model, grid, likelihood=likelihood, batch_size=n) for n in (len(grid), 8)
        )
        assert parts.energy.shape == whole.energy.shape
        tolerance = {"decoder": 5e-3, "encoder": 2e-3}[likelihood]  # of values of 0.8
        assert_close(parts.maps, whole.maps, atol=tolerance, rtol=0.0)
        assert_close(parts.stds, whole.stds, atol=1e-2, rtol=0.05)

    def test_flat_physics_changes_nothing(self, model, likelihood):
        grid = grid_of(model)
        flat, none = PhysicsObjective(lambda maps: 0 * maps.sum()), PhysicsObjective()
        one, other = (refine(model, grid, o, likelihood=likelihood).maps for o in (flat, none))
        assert torch.equal(one, other)

    def test_only_the_chosen_channel_is_smoothed(self, model, alone, likelihood):
        objective = PhysicsObjective(TotalVariation("none"), channels=[1])
        chosen = refine(model, grid_of(model), objective, likelihood=likelihood)
        variation = TotalVariation("none")
        assert variation(chosen.maps[1:]) < 0.7 * variation(alone.maps[1:])
        assert variation(chosen.maps[:1]) > 0.7 * variation(alone.maps[:1])


class TestValues:
    @pytest.mark.parametrize(
        "settings",
        [
            {"sampler_d": "bernoulli"},
            {"sampler_d": "gaussian"},
            {"sampler_d": "gaussian", "sigmoid_d": False},
        ],
        ids=str,
    )
    def test_without_physics_it_is_the_most_probable_latent_of_each_patch(self, settings):
        model = ShiftVAE((6, 7), 2, seed=1, hidden_dim_d=(16, 16), **settings).double()
        image = torch.rand(24, 28, generator=torch.Generator().manual_seed(0))
        grid = PatchGrid(image, size=(6, 7))
        refined = refine(model, grid, strength=0.0, beta=0.7, iterations=30)
        patches = grid.patches.reshape(-1, 6, 7).double()
        z = model.posterior(Patches(patches)).mean.detach().requires_grad_()
        optimizer = torch.optim.LBFGS([z], max_iter=500, tolerance_grad=1e-9)

        def energy():
            optimizer.zero_grad()
            value = (model.reconstruction(patches, z) + 0.35 * z.square().sum(1)).sum()
            value.backward(inputs=[z])
            return value

        optimizer.step(energy)
        expected = energy().detach() / len(grid)
        assert_close(refined.energy[-1], expected, atol=2e-3, rtol=0.0)
        maps = z.detach()[:, 2:].T.reshape(-1, *grid.shape)
        assert_close(refined.maps, maps, atol=0.1, rtol=0.0)

    def test_without_physics_the_encoder_has_said_it_all(self, model):
        grid = grid_of(model)
        refined = refine(model, grid, strength=0.0, likelihood="encoder")
        assert torch.equal(refined.maps, model.latent_maps(grid))
        assert torch.equal(refined.shifts, model.shifts(grid))

    def test_signal_is_the_models_with_the_noise_that_neighbours_have_left(self, model):
        grid = grid_of(model)
        found = refine(model, grid, likelihood="encoder")
        before = encoders_noise(model, grid, samples=FAST["samples"]).square()
        left = found.stds.square().mean((1, 2)) / before
        expected = share(found.maps, widths(model) * left)
        assert_close(found.signal, expected, rtol=1e-4, atol=1e-5)

    def test_a_quadratic_loss_has_the_minimum_of_a_linear_system(self, model):
        """The encoder's energy with Dirichlet's is quadratic: solved by NumPy."""
        grid = grid_of(model)
        loss = phyvae.DirichletEnergy("none")
        refined = refine(
            model, grid, PhysicsObjective(loss), likelihood="encoder", iterations=10, strength=1.0
        )
        mean = (
            model.posterior(Patches(grid.patches.reshape(-1, LENGTH)))
            .mean.detach()
            .double()[:, 1:]
        )
        noise = encoders_noise(model, grid, samples=FAST["samples"]).double()
        rows, cols = SHAPE
        for k in range(2):
            unit = mean[:, k].std(correction=0)

            def psi(values, k=k, unit=unit):
                maps = torch.zeros(2, *SHAPE, dtype=torch.float64)
                maps[k] = (values / unit).reshape(SHAPE)
                return loss(maps)

            bend = torch.autograd.functional.hessian(psi, torch.zeros(rows * cols).double())
            weight = refined.weight * rows * cols
            system = torch.eye(rows * cols).double() / noise[k] ** 2 + weight * bend
            # The mean of a map makes no step, so where it lies does not matter.
            expected = torch.linalg.solve(system, mean[:, k] / noise[k] ** 2).reshape(SHAPE)
            assert_close(refined.maps[k].double(), expected, atol=2e-3 * float(unit), rtol=0.0)

    # With Ψ, whole regions move together, and the weight of Ψ with the noise: less is known.
    @pytest.mark.parametrize(("strength", "factor"), [(0.0, 1.3), (4.0, 2.5)])
    def test_the_standard_deviations_are_the_spread_over_noise(
        self, model, strength, factor, likelihood
    ):
        noises = [grid_of(model, seed=seed) for seed in range(20, 28)]
        settings = {"strength": strength, "likelihood": likelihood}
        maps = torch.stack([refine(model, grid, **settings).maps for grid in noises])
        spread = maps.std(0).square().mean((1, 2)).sqrt()
        stated = refine(model, noises[0], samples=12, **settings).stds
        stated = stated.square().mean((1, 2)).sqrt()
        assert ((stated / spread).log().abs() < math.log(factor)).all(), (stated, spread)

    def test_the_total_variation_of_one_wall_is_its_length_times_its_height(self):
        wall = torch.zeros(1, 6, 8)
        wall[:, :, 3:] = 2
        assert_close(TotalVariation("none")(wall), torch.tensor(2 * 6 / 48))


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"strength": -1.0}, "strength=-1"),
            ({"beta": 0.0}, "beta=0"),
            ({"beta": 1.0, "likelihood": "encoder"}, "beta=1.0 weighs the prior beside"),
            ({"iterations": 0}, "iterations=0"),
            ({"samples": 1}, "samples=1"),
            ({"batch_size": 0}, "batch_size=0"),
        ],
    )
    def test_a_setting_out_of_its_range(self, model, settings, message):
        with pytest.raises(ValueError, match=message):
            refine(model, grid_of(model), **settings)

    def test_an_unknown_likelihood(self, model, unchecked):
        with pytest.raises(ValueError, match="likelihood='pixels' is unknown"):
            unchecked(phyvae.refine, model, grid_of(model), OBJECTIVE, likelihood="pixels")

    def test_a_loss_without_gradient(self, model):
        objective = PhysicsObjective(TotalVariation(), coupling="published")
        with pytest.raises(ValueError, match="without gradient"):
            refine(model, grid_of(model), objective)

    def test_a_loss_in_place_of_an_objective(self, model, unchecked):
        with pytest.raises(TypeError, match="must be a PhysicsObjective"):
            unchecked(phyvae.refine, model, grid_of(model), TotalVariation())

    def test_patches_of_another_size(self, model):
        cube = torch.rand(4, 4, LENGTH + 1)
        with pytest.raises(ValueError, match="patches are"):
            refine(model, PatchGrid.from_spectra(cube))

    def test_a_model_with_broken_weights(self, model):
        broken = copy.deepcopy(model)
        with torch.no_grad():
            broken.decoder.out.bias.fill_(torch.nan)
        with pytest.raises(ValueError, match=r"energy is not finite \(reconstruction nan"):
            refine(broken, grid_of(model), iterations=1, samples=2)

    def test_an_unknown_scaling(self, unchecked):
        with pytest.raises(ValueError, match="scaling='minmax'"):
            unchecked(TotalVariation, "minmax")
