"""The public `refine`: its laws on spectra, its defaults and its refusals."""

import copy
import itertools

import numpy as np
import pyroved
import pytest
import torch
from torch.testing import assert_close

import phyvae
import white_noise
from noisy_spectra import FAST, LENGTH, OBJECTIVE, WALL, encoders_noise, error, grid_of, refine
from phyvae import PatchGrid, ShiftVAE, TotalVariation
from phyvae.patches.known import Patches
from white_noise import AROUND, LINE, SIZE, STEP, image_of


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
            means = model.posterior(Patches(patches)).mean
        prior = z.double().square().sum(1).mean() / 2
        if likelihood == "encoder":
            reconstruction = torch.zeros(()).double()
            assert_close(z[:, 0], means[:, 0])  # Ψ does not pull at shifts
            noise = encoders_noise(model, grid, samples=FAST["samples"])
            prior = ((z - means)[:, 1:] / noise).double().square().sum(1).mean() / 2
        assert_close(refined.reconstruction[-1], reconstruction, rtol=1e-5, atol=1e-5)
        assert_close(refined.prior[-1], prior, rtol=1e-5, atol=1e-5)
        unit = alone.maps.std((1, 2), keepdim=True, correction=0)
        psi = TotalVariation("none")(refined.maps / unit).double()
        assert_close(refined.psi[-1], psi, rtol=0.05, atol=0.0)  # the unit is that of fewer steps

    def test_neighbours_lower_the_error(self, model, grid, alone, refined):
        encoder = model.latent_maps(grid)
        assert error(refined.maps) < 0.6 * error(alone.maps)
        assert error(refined.maps) < 0.6 * error(encoder)

    def test_the_default_is_total_variation_in_fixed_units(self, model, grid, refined, likelihood):
        """And the same seed gives the same result, with model and random state untouched."""
        before, random = copy.deepcopy(model.state_dict()), torch.get_rng_state()
        same = phyvae.refine(
            model, grid, likelihood=likelihood, batch_size=len(grid), progress=False, **FAST
        )
        assert torch.equal(same.maps, refined.maps)
        assert torch.equal(same.stds, refined.stds)
        assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
        assert all(p.grad is None and p.requires_grad for p in model.parameters())
        assert torch.equal(torch.get_rng_state(), random)

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

    def test_a_clean_map_stays(self, model):
        # By the decoder: this encoder treats clean spectra as the noisy ones that it has seen.
        grid = grid_of(model, noise=1e-3)
        alone, together = (refine(model, grid, strength=s).maps for s in (0.0, 4.0))
        assert error(together) < max(0.05, 1.05 * error(alone))
        assert (together - alone)[0].square().mean().sqrt() < 0.05  # 3 % of the step

    def test_the_maps_depend_little_on_the_seed(self, model, grid, refined, likelihood):
        other = refine(model, grid, likelihood=likelihood, seed=1)
        # The encoder's noise is measured with the seed.
        tolerance = {"decoder": 0.0, "encoder": 0.1 * float(refined.maps.std())}[likelihood]
        assert_close(refined.maps, other.maps, atol=tolerance, rtol=0.0)
        assert not torch.equal(refined.stds, other.stds)

    def test_streaming_leaves_no_seam(self, model, grid, refined, likelihood):
        parts = refine(model, grid, likelihood=likelihood, batch_size=8)
        assert parts.energy.shape == refined.energy.shape
        tolerance = {"decoder": 5e-3, "encoder": 2e-3}[likelihood]  # of values of 0.8
        assert_close(parts.maps, refined.maps, atol=tolerance, rtol=0.0)
        assert_close(parts.stds, refined.stds, atol=1e-2, rtol=0.05)


class TestAround:
    def test_a_sixth_of_the_patch_on_a_raster(self):
        model = white_noise.encoder()
        grid = white_noise.grid_of(image_of())
        given = white_noise.alone(model, grid, around=SIZE // 6)
        assert torch.equal(white_noise.alone(model, grid).maps, given.maps)

    def test_the_patch_alone_on_sites(self):
        model = white_noise.encoder()
        image = image_of()
        raster = white_noise.grid_of(image, step=8)
        grid = PatchGrid.at(image, raster.centers.reshape(-1, 2), SIZE, percentiles=None)
        assert_close(
            white_noise.alone(model, grid).maps, model.latent_maps(grid), rtol=0, atol=1e-5
        )
        asked = white_noise.alone(model, grid, around=2)
        assert_close(
            asked.maps, white_noise.alone(model, raster, around=2).maps, rtol=0, atol=1e-5
        )

    def test_the_patch_alone_without_shifts(self):
        vae = pyroved.models.iVAE((SIZE, SIZE), 2, invariances=None, seed=0)
        grid = white_noise.grid_of(image_of().clip(0, 1))
        maps = phyvae.adapt(vae).latent_maps(grid)
        assert_close(white_noise.alone(vae, grid).maps, maps, rtol=0, atol=1e-5)

    def test_what_is_known_of_a_patch_goes_with_its_windows(self):
        vae = pyroved.models.iVAE((SIZE, SIZE), 2, c_dim=1, invariances=["t"], seed=0)
        model, image = phyvae.adapt(vae), image_of().clip(0, 1).astype(np.float32)
        grid = white_noise.grid_of(image)
        known = torch.linspace(0, 1, len(grid)).reshape(*grid.shape)
        found = white_noise.alone(vae, grid.with_known(known.numpy()), around=AROUND).maps[:, 2, 3]
        y, x = 2 * STEP, 3 * STEP
        windows = torch.stack(
            [
                torch.from_numpy(image[y + dy : y + dy + SIZE, x + dx : x + dx + SIZE])
                for dy, dx in itertools.product(LINE, LINE)
            ]
        )
        with torch.no_grad():
            data = Patches(windows, known[2, 3].expand(len(windows), 1))
            mean = model.posterior(data).mean[:, model.content]
        assert_close(found, mean.mean(0), rtol=0, atol=1e-5)


class TestTotalVariation:
    def test_that_of_one_wall_is_its_length_times_its_height(self):
        wall = torch.zeros(1, 6, 8)
        wall[:, :, 3:] = 2
        assert_close(TotalVariation("none")(wall), torch.tensor(2 * 6 / 48))


class TestRefusals:
    @pytest.mark.parametrize(
        ("settings", "message"),
        [
            ({"strength": -1.0}, "strength=-1"),
            ({"beta": 0.0}, "beta=0"),
            ({"beta": 1.0, "likelihood": "encoder"}, "beta=1.0 weighs the prior against"),
            ({"iterations": 0}, "iterations=0"),
            ({"samples": 1}, "samples=1"),
            ({"batch_size": 0}, "batch_size=0"),
        ],
    )
    def test_a_setting_out_of_its_range(self, model, settings, message):
        with pytest.raises(ValueError, match=message):
            refine(model, grid_of(model), **settings)

    def test_an_unknown_likelihood(self, model, unchecked):
        with pytest.raises(ValueError, match="likelihood='pixels' must be one of"):
            unchecked(phyvae.refine, model, grid_of(model), OBJECTIVE, likelihood="pixels")

    def test_a_loss_in_place_of_an_objective(self, model, unchecked):
        with pytest.raises(TypeError, match="must be a PhysicsObjective"):
            unchecked(phyvae.refine, model, grid_of(model), TotalVariation())

    def test_patches_of_another_size(self, model):
        cube = torch.rand(4, 4, LENGTH + 1)
        with pytest.raises(ValueError, match="patches are"):
            refine(model, PatchGrid.from_spectra(cube))

    def test_an_unknown_scaling(self, unchecked):
        with pytest.raises(ValueError, match="scaling='minmax'"):
            unchecked(TotalVariation, "minmax")

    def test_the_decoder_looks_at_the_patch_alone(self):
        with pytest.raises(ValueError, match=r"around=2 px .* the likelihood is the decoder's"):
            phyvae.refine(
                white_noise.encoder(),
                white_noise.grid_of(image_of()),
                likelihood="decoder",
                around=2,
            )

    def test_spectra_have_no_windows(self):
        cube = np.random.default_rng(0).random((4, 5, 24))
        model = ShiftVAE((24,), 2, seed=0)
        with pytest.raises(ValueError, match=r"around=1 px, but spectra"):
            phyvae.refine(model, PatchGrid.from_spectra(cube), around=1)

    def test_a_distance_below_zero(self):
        with pytest.raises(ValueError, match="around=-1 must be"):
            phyvae.refine(white_noise.encoder(), white_noise.grid_of(image_of()), around=-1)
