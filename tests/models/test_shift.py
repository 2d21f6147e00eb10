import subprocess
import sys

import numpy as np
import pyro
import pytest
import torch
from pyro.infer import Trace_ELBO, TraceMeanField_ELBO
from pyroved.models import iVAE
from torch.testing import assert_close

from phyvae import PatchGrid, ShiftVAE
from phyvae.models import check_patches
from phyvae.models.posterior import Posterior
from phyvae.patches.known import Patches

KINDS = [((12, 9), "bernoulli"), ((12, 9), "gaussian"), ((20,), "bernoulli"), ((20,), "gaussian")]


def patches_of(shape, n=6):
    return torch.rand(n, *shape, dtype=torch.float64)


@pytest.mark.parametrize(("shape", "sampler"), KINDS)
class TestAgainstPyro:
    def pair(self, shape, sampler):
        """Return our model, a pyroVED model with the same weights, and patches, in float64."""
        ours = ShiftVAE(shape, latent_dim=2, dx_prior=0.3, sampler_d=sampler, seed=3).double()
        with pyro.get_param_store().scope():
            theirs = iVAE(
                shape, 2, ["t"], sampler_d=sampler, seed=5, dx_prior=0.3, device="cpu"
            ).double()
        theirs.grid, theirs.t_prior = theirs.grid.double(), theirs.t_prior.double()
        theirs.load_state_dict(ours.state_dict())
        return ours, theirs, patches_of(shape)

    @pytest.mark.parametrize("beta", [0.01, 0.3, 1.0])
    def test_the_negative_elbo_is_pyros(self, shape, sampler, beta):
        ours, theirs, batch = self.pair(shape, sampler)
        with pyro.get_param_store().scope():
            torch.manual_seed(7)
            noise = torch.randn(len(batch), ours.z_dim, dtype=torch.float64)
            torch.manual_seed(7)
            expected = TraceMeanField_ELBO().differentiable_loss(
                theirs.model, theirs.guide, batch, scale_factor=beta
            )
        value = ours.neg_elbo(batch, beta, noise=noise)
        assert_close(value, expected / len(batch), rtol=1e-9, atol=1e-9)
        # The same gradient, too.
        value.backward()
        (expected / len(batch)).backward()
        for (name, mine), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert_close(mine.grad, other.grad, msg=lambda m, name=name: f"{name}: {m}")

    def test_pyros_sampled_kl_has_the_closed_form_as_its_mean(self, shape, sampler):
        ours, theirs, batch = self.pair(shape, sampler)
        with pyro.get_param_store().scope(), torch.no_grad():
            elbo = Trace_ELBO(num_particles=400, vectorize_particles=False)
            expected = elbo.loss(theirs.model, theirs.guide, batch) / len(batch)
            generator = torch.Generator().manual_seed(0)
            values = [ours.neg_elbo(batch, generator=generator) for _ in range(400)]
        values = torch.stack(values)
        spread = 5 * (values.std() / 20 + 0.1)
        assert abs(float(values.mean()) - expected) < spread

    def test_weights_go_both_ways(self, shape, sampler):
        ours, theirs, batch = self.pair(shape, sampler)
        assert list(ours.state_dict()) == list(theirs.state_dict())
        ours.load_state_dict(theirs.state_dict())
        assert_close(ours.encode(batch)[0], theirs.encode(batch)[0])

    def test_the_decoder_is_pyroveds(self, shape, sampler):
        ours, theirs, _ = self.pair(shape, sampler)
        z = torch.randn(5, 2, dtype=torch.float64)
        assert_close(ours.decode(z), theirs.decode(z).reshape(5, *shape))

    def test_the_model_itself_still_trains_with_pyro(self, shape, sampler):
        ours, _, batch = self.pair(shape, sampler)
        with pyro.get_param_store().scope():
            svi = pyro.infer.SVI(
                ours.model, ours.guide, pyro.optim.Adam({"lr": 1e-2}), TraceMeanField_ELBO()
            )
            losses = [svi.step(batch) for _ in range(30)]
        assert np.mean(losses[-5:]) < np.mean(losses[:5])


class TestReconstruction:
    @pytest.mark.parametrize(("shape", "sampler"), KINDS)
    def test_a_share_of_the_pixels_is_unbiased(self, shape, sampler):
        model = ShiftVAE(shape, sampler_d=sampler).double()
        patches, count = patches_of(shape), int(np.prod(shape))
        latents = torch.randn(len(patches), model.z_dim, dtype=torch.float64)
        parts = torch.arange(count).split(count // 4)
        estimates = [model.reconstruction(patches, latents, p).detach() * len(p) for p in parts]
        floors = [model.floor(Patches(patches), p) * len(p) for p in parts]
        expected = model.reconstruction(patches, latents).detach()
        assert_close(sum(estimates) / count, expected)
        assert_close(sum(floors) / count, model.floor(Patches(patches)))

    @pytest.mark.parametrize(("shape", "sampler"), KINDS)
    def test_no_decoder_goes_below_the_floor(self, shape, sampler):
        model = ShiftVAE(shape, sampler_d=sampler).double()
        patches = patches_of(shape)
        latents = torch.randn(len(patches), model.z_dim, dtype=torch.float64)
        assert (model.reconstruction(patches, latents) >= model.floor(Patches(patches))).all()

    def test_the_bernoulli_floor_is_reached_by_the_data_itself(self):
        model = ShiftVAE((6, 5)).double()
        patches = patches_of((6, 5))
        flat = patches.flatten(1)
        expected = torch.nn.functional.binary_cross_entropy(flat, flat, reduction="none").sum(1)
        assert_close(model.floor(Patches(patches)), expected)

    def test_black_and_white_pixels_have_no_floor(self):
        patches = torch.eye(6).expand(2, 6, 6)
        assert (ShiftVAE((6, 6)).floor(Patches(patches)) == 0).all()


class TestPosterior:
    def test_the_kl_divergence_is_torchs(self):
        mean, std = torch.randn(5, 4), torch.rand(5, 4) + 0.1
        normal = torch.distributions.Normal
        expected = torch.distributions.kl_divergence(normal(mean, std), normal(0.0, 1.0)).sum(-1)
        assert_close(Posterior(mean, std).kl(), expected)

    def test_a_leaf_collects_gradient_and_passes_none_on(self):
        source = torch.randn(3, 4, requires_grad=True)
        leaf = Posterior(source * 2, source.exp()).leaf()
        leaf.sample().sum().backward()
        assert leaf.mean.grad is not None
        assert source.grad is None

    def test_the_same_generator_draws_the_same_sample(self):
        posterior = Posterior(torch.randn(3, 4), torch.ones(3, 4))
        a, b = (posterior.sample(torch.Generator().manual_seed(1)) for _ in range(2))
        assert torch.equal(a, b)


class TestMaps:
    def grid(self):
        return PatchGrid(np.random.default_rng(0).random((40, 33)), size=8, step=5)

    def test_a_map_holds_the_content_means_where_the_patches_came_from(self):
        grid, model = self.grid(), ShiftVAE((8, 8), latent_dim=3, seed=1)
        mean, std = model.encode(grid.patches.reshape(-1, 8, 8))
        maps = model.latent_maps(grid)
        assert maps.shape == (3, *grid.shape)
        assert_close(maps[:, 2, 4], mean[2 * grid.shape[1] + 4, 2:])
        assert_close(model.latent_stds(grid)[:, 2, 4], std[2 * grid.shape[1] + 4, 2:])

    @pytest.mark.parametrize("batch_size", [1, 7, 1000])
    def test_the_batch_size_does_not_matter(self, batch_size):
        grid, model = self.grid(), ShiftVAE((8, 8))
        assert_close(model.latent_maps(grid, batch_size=batch_size), model.latent_maps(grid))
        patches = grid.patches.reshape(-1, 8, 8)
        assert_close(model.encode(patches, batch_size=batch_size), model.encode(patches))
        z = torch.randn(20, 2)
        assert_close(model.decode(z, batch_size=batch_size), model.decode(z))

    def test_spectra_have_maps_too(self):
        grid = PatchGrid.from_spectra(np.random.default_rng(0).random((6, 7, 20)))
        model = ShiftVAE(grid.patch_shape, latent_dim=1)
        assert model.latent_maps(grid).shape == (1, 6, 7)
        assert model.shifts(grid).shape == (1, 6, 7)

    @pytest.mark.parametrize("axis", [0, 1])
    def test_shifts_in_pixels_are_where_the_drawn_pattern_moves(self, axis):
        """Decode a spot at a shift; the spot moves by what `shifts` reports for that latent."""
        model = ShiftVAE((41, 61), latent_dim=1, dx_prior=0.2, dy_prior=0.1)
        draw_a_spot(model)
        latent = torch.zeros(1, 2)
        latent[0, axis] = 1.5
        moved = centre_of_mass(model.decode(torch.zeros(1, 1), shift=latent)[0])
        rest = centre_of_mass(model.decode(torch.zeros(1, 1))[0])
        reported = shift_reported(model, latent)
        assert_close(moved - rest, reported, atol=0.05, rtol=0.01)
        assert abs(float(reported[axis])) > 1

    def test_shifts_of_spectra_are_in_points(self):
        model = ShiftVAE((81,), latent_dim=1, dx_prior=0.2)
        draw_a_spot(model)
        latent = torch.tensor([[1.0]])
        points = torch.arange(81.0)
        profiles = [model.decode(torch.zeros(1, 1), shift=s)[0] for s in (latent, 0 * latent)]
        moved, rest = ((p * points).sum() / p.sum() for p in profiles)
        assert_close((moved - rest)[None], shift_reported(model, latent), atol=0.05, rtol=0.01)

    def test_the_manifold_runs_over_the_first_two_latents(self):
        model = ShiftVAE((8, 8), latent_dim=3, seed=2)
        raster = model.manifold2d(3, limits=(-1.0, 1.0, -2.0, 2.0)).reshape(3, 3, 8, 8)
        assert_close(raster[0, 2], model.decode(torch.tensor([[1.0, 2.0, 0.0]]))[0])
        assert_close(raster[2, 0], model.decode(torch.tensor([[-1.0, -2.0, 0.0]]))[0])


def draw_a_spot(model):
    """Make the decoder draw exp(-20 r^2) about the origin of its coordinates, nearly."""

    class Spot(torch.nn.Module):
        def forward(self, hidden):
            # hidden = tanh(coordinates / 100), so it is the coordinates over 100.
            return 6 - 200 * (100 * hidden[..., : len(model.patch_shape)]).square().sum(-1, True)

    coord = model.decoder.coord_latent.fc_coord
    with torch.no_grad():
        coord.weight.zero_()
        coord.bias.zero_()
        for k in range(len(model.patch_shape)):
            coord.weight[k, k] = 0.01
        model.decoder.coord_latent.fc_latent.weight.zero_()
    model.decoder.fc_layers = torch.nn.Identity()
    model.decoder.out = Spot()


def centre_of_mass(image):
    y, x = torch.meshgrid(*(torch.arange(float(n)) for n in image.shape), indexing="ij")
    return torch.stack([(image * y).sum(), (image * x).sum()]) / image.sum()


def shift_reported(model, latent):
    """Return what `shifts` says of a patch that is encoded as `latent`."""

    class Encoder(torch.nn.Module):
        def forward(self, patches):
            mean = torch.zeros(len(patches), model.z_dim)
            mean[:, : model.coord] = latent
            return mean, torch.ones_like(mean)

    model.encoder_z = Encoder()
    if len(model.patch_shape) == 1:
        grid = PatchGrid.from_spectra(np.random.default_rng(0).random((1, 1, *model.patch_shape)))
    else:
        grid = PatchGrid(np.random.default_rng(0).random(model.patch_shape), model.patch_shape)
    return model.shifts(grid)[:, 0, 0]


class TestGlobalState:
    def test_the_global_random_state_is_left_alone(self):
        before = torch.get_rng_state()
        model = ShiftVAE((8, 8), seed=5)
        model.encode(torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)))
        model.decode(torch.zeros(2, 2))
        model.manifold2d(2)
        assert torch.equal(torch.get_rng_state(), before)

    def test_pyros_store_is_left_alone(self):
        pyro.clear_param_store()
        pyro.param("mine", torch.ones(3))
        model = ShiftVAE((8, 8))
        model.neg_elbo(torch.rand(3, 8, 8)).backward()
        assert list(pyro.get_param_store().keys()) == ["mine"]
        pyro.clear_param_store()

    def test_cudnns_flags_are_left_alone(self):
        flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
        ShiftVAE((8, 8))
        assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == flags

    def test_the_seed_decides_the_weights(self):
        a, b, c = (ShiftVAE((8, 8), seed=s).state_dict() for s in (1, 1, 2))
        assert all(torch.equal(a[k], b[k]) for k in a)
        assert not torch.equal(a["encoder_z.fc11.weight"], c["encoder_z.fc11.weight"])

    def test_buffers_follow_the_model(self):
        model = ShiftVAE((8, 8)).double()
        assert model.grid.dtype == model.t_prior.dtype == torch.float64
        assert model.device == torch.device("cpu")

    def test_a_mismatched_torchvision_is_explained_in_one_sentence(self, tmp_path):
        (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms')")
        script = f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import phyvae.models"
        run = subprocess.run(
            [sys.executable, "-c", script], capture_output=True, text=True, check=False
        )
        assert "install the pair together: python -m pip install" in run.stderr.splitlines()[-1]


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "named"),
        [
            ({"patch_shape": (8,) * 3}, r"patch_shape=\(8, 8, 8\)"),
            ({"patch_shape": (1, 8)}, r"patch_shape=\(1, 8\)"),
            ({"latent_dim": 0}, "latent_dim=0"),
            ({"dx_prior": 0.0}, "dx_prior=0 must"),
            ({"dy_prior": float("nan")}, "dy_prior=nan"),
            ({"decoder_sig": -1.0}, "decoder_sig=-1 must"),
            ({"coordinate_scale": 0.0}, "coordinate_scale=0 must"),
            ({"sampler_d": "poisson"}, "sampler_d='poisson'"),
            ({"activation": "sine"}, "activation='sine'"),
            ({"sigmoid_d": False}, "sigmoid_d=False"),
        ],
    )
    def test_bad_settings_are_named(self, arguments, named, unchecked):
        with pytest.raises(ValueError, match=named):
            unchecked(ShiftVAE, **({"patch_shape": (8, 8)} | arguments))

    def test_a_patch_shape_that_is_no_shape_is_refused(self, unchecked):
        with pytest.raises(TypeError, match=r"patch_shape=24 must be .* grid.patch_shape"):
            unchecked(ShiftVAE, 24)

    def test_an_image_in_place_of_a_grid_is_refused(self, unchecked):
        with pytest.raises(TypeError, match=r"grid is of type ndarray.*PatchGrid\(image"):
            unchecked(check_patches, ShiftVAE((8, 8)), np.ones((20, 20)))

    def test_an_unknown_keyword_is_refused(self):
        with pytest.raises(TypeError, match="latent_dims"):
            ShiftVAE((8, 8), latent_dims=2)

    def test_patches_of_another_size_are_refused(self):
        with pytest.raises(ValueError, match=r"\(8, 9\), but this model was made for \(8, 8\)"):
            ShiftVAE((8, 8)).neg_elbo(torch.rand(2, 8, 9))

    def test_a_grid_of_another_patch_size_is_refused(self):
        grid = PatchGrid(np.random.default_rng(0).random((20, 20)), size=9)
        with pytest.raises(ValueError, match=r"patches are \(9, 9\)"):
            ShiftVAE((8, 8)).latent_maps(grid)

    def test_a_bernoulli_decoder_needs_unit_intensities(self):
        image = 3 * np.random.default_rng(0).random((20, 20))
        grid = PatchGrid(image, size=8, percentiles=None)
        with pytest.raises(ValueError, match=r"a Bernoulli decoder needs \[0, 1\]"):
            check_patches(ShiftVAE((8, 8)), grid)
        check_patches(ShiftVAE((8, 8), sampler_d="gaussian", sigmoid_d=False), grid)

    @pytest.mark.parametrize(("low", "high"), [(0.0, 1.01), (-0.01, 1.0), (0.0, 65535.0)])
    def test_a_sigmoid_cannot_match_what_lies_outside_zero_and_one(self, low, high):
        image = np.linspace(low, high, 400).reshape(20, 20)
        grid = PatchGrid(image, size=8, percentiles=None)
        model = ShiftVAE((8, 8), sampler_d="gaussian")
        with pytest.raises(ValueError, match=r"image spans .* sigmoid.*percentiles=\(0, 100\)"):
            check_patches(model, grid)
        with pytest.raises(ValueError, match="sigmoid"):
            model.latent_maps(grid)
        check_patches(model, PatchGrid(image, size=8))
        check_patches(ShiftVAE((8, 8), sampler_d="gaussian", sigmoid_d=False), grid)

    def test_latents_of_a_wrong_shape_are_refused(self, unchecked):
        model = ShiftVAE((8, 8))
        with pytest.raises(ValueError, match=r"z has shape \(2, 4\)"):
            model.decode(torch.zeros(2, 4))
        with pytest.raises(ValueError, match=r"shift has shape \(2, 1\)"):
            model.decode(torch.zeros(2, 2), shift=torch.zeros(2, 1))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
def test_cuda_gives_the_same_maps():
    grid = PatchGrid(np.random.default_rng(0).random((40, 33)), size=8, step=5)
    on_cpu = ShiftVAE((8, 8), seed=1).latent_maps(grid)
    on_cuda = ShiftVAE((8, 8), seed=1, device="cuda").latent_maps(grid.to("cuda"))
    assert_close(on_cuda, on_cpu, atol=1e-5, rtol=1e-4)
