"""`PatchModel`: maps of the posterior on any grid, and checks of the grid."""

import json

import numpy as np
import pytest
import torch
from torch.testing import assert_close
from tqdm import tqdm

import phyvae
from phyvae import PatchGrid, PhysicsTrainer, ShiftVAE
from phyvae.models import PatchModel, check_patches, interface
from phyvae.models.interface import described_model
from phyvae.saving import sealed
from pyroved_models import IMAGE as KNOWN
from pyroved_models import SIZE, adapted, classes
from small import small_grid

NOISE = np.random.default_rng(0)


def model_of(shape=(8, 8), **settings):
    return ShiftVAE(shape, **({"hidden_dim_e": (6,), "hidden_dim_d": (6,)} | settings))


class TestMaps:
    def test_a_map_holds_the_content_means_where_the_patches_came_from(self):
        grid, model = small_grid(), model_of(latent_dim=3)
        mean, std = model.encode(grid.patches.reshape(-1, 8, 8))
        maps = model.latent_maps(grid)
        assert maps.shape == (3, *grid.shape)
        assert_close(maps[:, 2, 4], mean[2 * grid.shape[1] + 4, 2:])
        assert_close(model.latent_stds(grid)[:, 2, 4], std[2 * grid.shape[1] + 4, 2:])

    @pytest.mark.parametrize("batch_size", [1, 7, 1000])
    def test_the_batch_size_does_not_matter(self, batch_size):
        grid, model = small_grid(), model_of()
        assert_close(model.latent_maps(grid, batch_size=batch_size), model.latent_maps(grid))
        assert_close(model.signal(grid, batch_size=batch_size), model.signal(grid))

    def test_spectra_have_maps_too(self):
        grid = PatchGrid.from_spectra(NOISE.random((6, 7, 20)))
        model = model_of(grid.patch_shape, latent_dim=1)
        assert model.latent_maps(grid).shape == (1, 6, 7)
        assert model.shifts(grid).shape == (1, 6, 7)

    def test_any_columns_of_the_posterior_have_maps(self):
        grid, model = small_grid(), model_of()
        everything = model.posterior_maps(grid, slice(None))
        assert_close(everything[2:], model.latent_maps(grid))
        pixels = everything[:2] * model.shift_scale[:, None, None]
        assert_close(pixels, model.shifts(grid))

    def test_signal_is_that_of_the_posterior_of_all_patches(self):
        grid, model = small_grid(), model_of()
        posterior = phyvae.Posterior(*model.encode(grid.patches.reshape(-1, 8, 8)))
        assert_close(model.signal(grid), posterior.signal()[model.content])

    @pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
    def test_cuda_gives_the_same_maps(self):
        grid = small_grid()
        on_cpu = ShiftVAE((8, 8), seed=1).latent_maps(grid)
        on_cuda = ShiftVAE((8, 8), seed=1, device="cuda").latent_maps(grid.to("cuda"))
        assert_close(on_cuda, on_cpu, atol=1e-5, rtol=1e-4)


def test_five_members_are_abstract_or_to_be_set():
    assert PatchModel.__abstractmethods__ == {"content", "posterior", "terms", "floor"}
    assert "patch_shape" in PatchModel.__annotations__
    assert not hasattr(PatchModel, "patch_shape")


class TestProgress:
    @pytest.mark.parametrize("step", [1, 4])
    def test_only_a_long_run_shows_a_bar(self, step, capfd, monkeypatch):
        grid = PatchGrid(NOISE.random((40, 40)), 8, step)
        model = model_of()
        model.latent_maps(grid)
        assert capfd.readouterr().err == ""
        bars = []

        def at_once(**options):
            bars.append(tqdm(**options | {"delay": 0}))
            return bars[-1]

        monkeypatch.setattr(interface, "tqdm", at_once)
        monkeypatch.setattr(interface, "silent", lambda progress: not progress)
        model.latent_maps(grid)
        assert bars[0].n == bars[0].total == len(grid)
        assert "encode: 100%" in capfd.readouterr().err
        model.latent_maps(grid, progress=False)
        assert capfd.readouterr().err == ""


class TestCheckPatches:
    def test_an_image_in_place_of_a_grid_is_refused(self, unchecked):
        with pytest.raises(TypeError, match=r"grid=<ndarray.*PatchGrid\(image"):
            unchecked(check_patches, model_of(), np.ones((20, 20)))

    def test_so_are_several_grids(self, unchecked):
        with pytest.raises(TypeError, match="grid is a list of 2, but here must be one"):
            unchecked(check_patches, model_of(), [small_grid(), small_grid()])

    def test_a_grid_of_another_patch_size_is_refused(self):
        grid = PatchGrid(NOISE.random((20, 20)), size=9)
        with pytest.raises(ValueError, match=r"patches are \(9, 9\)"):
            model_of().latent_maps(grid)

    def test_a_bernoulli_decoder_needs_unit_intensities(self):
        grid = PatchGrid(3 * NOISE.random((20, 20)), size=8, percentiles=None)
        with pytest.raises(ValueError, match=r"a Bernoulli decoder needs \[0, 1\]"):
            check_patches(model_of(), grid)
        check_patches(model_of(sampler_d="gaussian", sigmoid_d=False), grid)

    @pytest.mark.parametrize(("low", "high"), [(0.0, 1.01), (-0.01, 1.0), (0.0, 65535.0)])
    def test_a_sigmoid_cannot_match_values_outside_zero_and_one(self, low, high):
        image = np.linspace(low, high, 400).reshape(20, 20)
        grid = PatchGrid(image, size=8, percentiles=None)
        model = model_of(sampler_d="gaussian")
        with pytest.raises(ValueError, match=r"image spans .* sigmoid.*percentiles=\(0, 100\)"):
            check_patches(model, grid)
        with pytest.raises(ValueError, match="sigmoid"):
            model.latent_maps(grid)
        check_patches(model, PatchGrid(image, size=8))
        check_patches(model_of(sampler_d="gaussian", sigmoid_d=False), grid)

    def test_a_shift_vae_makes_no_use_of_known_values(self):
        with pytest.raises(ValueError, match="of which a ShiftVAE makes no use"):
            PhysicsTrainer(model_of((SIZE, SIZE))).step(classes(KNOWN))


def test_a_shift_vae_has_class_type_and_every_setting():
    model = ShiftVAE((6, 5), 3, dx_prior=0.3, hidden_dim_e=(4,), hidden_dim_d=(5, 4)).double()
    record = described_model(model)
    assert (record["class"], record["dtype"]) == ("ShiftVAE", "float64")
    assert record["settings"]["patch_shape"] == [6, 5]
    assert record["settings"]["dy_prior"] == 0.3
    assert record["settings"].keys() == model.settings.keys()
    assert json.loads(json.dumps(record)) == record


def test_an_adapted_model_has_the_class_of_pyroveds():
    record = described_model(adapted("joint, rt"))
    assert record["class"] == "jiVAE"
    assert record["settings"]["invariances"] == ["r", "t"]
    assert record["settings"]["class_weight"] == 1.0


def test_a_file_holds_the_record_and_the_weights(tmp_path):
    model = ShiftVAE((6, 5), hidden_dim_e=(4,), hidden_dim_d=(4,))
    model.save(tmp_path / "model")
    record, tensors = sealed.read(tmp_path / "model")
    assert record["model"] == described_model(model)
    assert tensors.keys() == model.state_dict().keys()
    assert all(torch.equal(tensors[name], value) for name, value in model.state_dict().items())
