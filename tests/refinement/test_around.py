"""Windows around a patch, which the encoder is asked about when maps are refined."""

import itertools

import numpy as np
import pyroved
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, ShiftVAE
from phyvae.patches.known import Patches

SIZE, STEP, AROUND = 12, 4, 4
LINE = (-4, -2, 0, 2, 4)
FAST = {"samples": 2, "iterations": 1, "progress": False}


@pytest.fixture(scope="module")
def model():
    return ShiftVAE((SIZE, SIZE), 2, seed=0)


def image_of(seed=0, side=44, noise=0.1):
    return 0.5 + noise * np.random.default_rng(seed).normal(size=(side, side)).clip(-4, 4)


def grid_of(image, **settings):
    return PatchGrid(image, **{"size": SIZE, "step": STEP, "percentiles": None} | settings)


def alone(model, grid, **settings):
    """Return the maps that Ψ is then put to."""
    return phyvae.refine(model, grid, strength=0.0, **FAST | settings)


class TestLaws:
    def test_content_is_the_mean_of_the_maps_of_the_image_moved(self, model):
        """Grids that begin some pixels further on, of images cut there, are the oracle."""
        image, inner = image_of(), slice(1, -1)
        found = alone(model, grid_of(image), around=AROUND).maps[:, inner, inner]
        moved = [
            model.latent_maps(grid_of(image[STEP + dy : 40 + dy, STEP + dx : 40 + dx]))
            for dy, dx in itertools.product(LINE, LINE)
        ]
        assert_close(found, torch.stack(moved).mean(0), rtol=0, atol=1e-5)

    def test_at_the_border_the_nearest_window_takes_the_place(self, model):
        image = image_of().astype(np.float32)
        found = alone(model, grid_of(image), around=AROUND).maps[:, 0, 0]
        corners = itertools.product(*[[max(0, d) for d in LINE]] * 2)
        windows = torch.stack(
            [torch.from_numpy(image[y : y + SIZE, x : x + SIZE]) for y, x in corners]
        )
        with torch.no_grad():
            said = model.posterior(Patches(windows)).mean[:, model.content]
        assert_close(found, said.mean(0), rtol=0, atol=1e-5)

    def test_the_shift_is_that_of_the_patch_itself(self, model):
        grid = grid_of(image_of())
        found = alone(model, grid, around=AROUND)
        assert_close(found.shifts, model.shifts(grid), rtol=0, atol=1e-5)
        assert not torch.allclose(found.maps, model.latent_maps(grid), atol=1e-3)

    def test_a_constant_image_has_the_map_of_one_patch(self, model):
        image = np.full((44, 44), 0.3)
        image[0, 0] += 1e-6  # an image that is all one value is refused
        grid = grid_of(image)
        assert_close(
            alone(model, grid, around=AROUND).maps, model.latent_maps(grid), rtol=0, atol=1e-4
        )

    def test_an_image_turned_by_half_has_the_map_turned_by_half(self, model):
        """Of an encoder of patches turned by half: windows on both sides count alike."""
        image = image_of()
        turned = alone(model, grid_of(image[::-1, ::-1].copy()), around=AROUND)
        encoder = ShiftVAE((SIZE, SIZE), 2, seed=0)
        encoder.load_state_dict(model.state_dict())
        with torch.no_grad():
            first = encoder.encoder_z.fc_layers[0].weight
            first.copy_(first.flip(1))
        found = alone(encoder, grid_of(image), around=AROUND)
        assert_close(turned.maps.flip(1, 2), found.maps, rtol=0, atol=1e-5)

    @pytest.mark.parametrize("around", [0, 1, AROUND])
    def test_batches_change_nothing(self, model, around):
        grid = grid_of(image_of())
        one, many = (
            phyvae.refine(model, grid, around=around, batch_size=n, **FAST) for n in (7, 256)
        )
        assert_close(one.maps, many.maps, rtol=0, atol=2e-3)
        assert_close(one.stds, many.stds, rtol=0.02, atol=1e-3)

    def test_windows_share_their_noise(self, model):
        """A mean is less noisy than one window, and noisier than were they strangers."""
        grid = grid_of(image_of())
        one, mean = (
            alone(model, grid, around=a, samples=16).stds.square().mean() for a in (0, AROUND)
        )
        assert one / len(LINE) ** 2 < mean < one

    def test_standard_deviations_are_the_spread_over_noise(self, model):
        drawn = ShiftVAE((SIZE, SIZE), 2, seed=0)
        with torch.no_grad():  # a decoder that knows the image without noise, which is 0.5
            drawn.decoder.out.weight.zero_()
            drawn.decoder.out.bias.zero_()
        grids = [grid_of(image_of(seed)) for seed in range(24)]
        spread = torch.stack([alone(drawn, grid, around=AROUND).maps for grid in grids]).std(0)
        stds = alone(drawn, grids[0], around=AROUND, samples=24).stds
        ratio = stds.square().mean((1, 2)).sqrt() / spread.square().mean((1, 2)).sqrt()
        assert_close(ratio, torch.ones(2), rtol=0, atol=0.15)


class TestDefault:
    def test_a_sixth_of_the_patch_on_a_raster(self, model):
        grid = grid_of(image_of())
        given = alone(model, grid, around=SIZE // 6)
        assert torch.equal(alone(model, grid).maps, given.maps)

    def test_the_patch_alone_on_sites(self, model):
        image = image_of()
        raster = grid_of(image, step=8)
        grid = PatchGrid.at(image, raster.centers.reshape(-1, 2), SIZE, percentiles=None)
        assert_close(alone(model, grid).maps, model.latent_maps(grid), rtol=0, atol=1e-5)
        asked = alone(model, grid, around=2)
        assert_close(asked.maps, alone(model, raster, around=2).maps, rtol=0, atol=1e-5)

    def test_the_patch_alone_without_shifts(self):
        vae = pyroved.models.iVAE((SIZE, SIZE), 2, invariances=None, seed=0)
        grid = grid_of(image_of().clip(0, 1))
        maps = phyvae.adapt(vae).latent_maps(grid)
        assert_close(alone(vae, grid).maps, maps, rtol=0, atol=1e-5)

    def test_what_is_known_of_a_patch_goes_with_its_windows(self):
        vae = pyroved.models.iVAE((SIZE, SIZE), 2, c_dim=1, invariances=["t"], seed=0)
        model, image = phyvae.adapt(vae), image_of().clip(0, 1).astype(np.float32)
        grid = grid_of(image)
        known = torch.linspace(0, 1, len(grid)).reshape(*grid.shape)
        found = alone(vae, grid.with_known(known.numpy()), around=AROUND).maps[:, 2, 3]
        y, x = 2 * STEP, 3 * STEP
        windows = torch.stack(
            [
                torch.from_numpy(image[y + dy : y + dy + SIZE, x + dx : x + dx + SIZE])
                for dy, dx in itertools.product(LINE, LINE)
            ]
        )
        with torch.no_grad():
            data = Patches(windows, known[2, 3].expand(len(windows), 1))
            said = model.posterior(data).mean[:, model.content]
        assert_close(found, said.mean(0), rtol=0, atol=1e-5)


class TestRefusals:
    def test_the_decoder_looks_at_the_patch_alone(self, model):
        with pytest.raises(ValueError, match=r"around=2 px .* the decoder tells the latents"):
            phyvae.refine(model, grid_of(image_of()), likelihood="decoder", around=2)

    def test_spectra_have_no_windows(self):
        cube = np.random.default_rng(0).random((4, 5, 24))
        model = ShiftVAE((24,), 2, seed=0)
        with pytest.raises(ValueError, match=r"around=1 px, but spectra"):
            phyvae.refine(model, PatchGrid.from_spectra(cube), around=1)

    def test_a_distance_below_zero(self, model):
        with pytest.raises(ValueError, match="around=-1 must be"):
            phyvae.refine(model, grid_of(image_of()), around=-1)
