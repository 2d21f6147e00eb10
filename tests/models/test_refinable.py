"""The hooks of `phyvae.refine`, in every adapted model."""

import numpy as np
import pytest
import torch
from pyroved.models import iVAE
from torch.testing import assert_close

import phyvae
from phyvae import PatchGrid, PhysicsObjective, PhysicsTrainer, ShiftVAE, TotalVariation, adapt
from phyvae.models import Posterior, Refinable
from phyvae.models.refinable import px_per_shift
from phyvae.patches.known import Patches
from pyroved_models import EVERY, IMAGE, SIZE, SMALL, adapted, fitted, ivae, made

OBJECTIVE = PhysicsObjective(TotalVariation("none"))
# One of each kind, sampler and network; classes have a refinement of their own, see
# tests/refinement/test_classes.py.
BY_ENCODER = ["rts, gaussian", "t, classes", "convolutions", "encoder-decoder"]
REFINED = [*BY_ENCODER, "vae", "t, continuous", "r, properties", "spectra, t", "regression, t"]


@pytest.mark.parametrize("name", REFINED)
def test_refinement_lowers_the_energy(name):
    model, grid = adapted(name), EVERY[name][1]
    fitted(PhysicsTrainer(model, lr=1e-2, batch_size=20), grid, 3, beta=0.1)
    for likelihood in ("decoder", *(["encoder"] if name in BY_ENCODER else [])):
        found = phyvae.refine(
            model, grid, OBJECTIVE, likelihood=likelihood, iterations=1, samples=2, progress=False
        )
        assert found.maps.shape == model.latent_maps(grid).shape
        assert found.maps.isfinite().all()
        assert found.stds.isfinite().all()
        assert (found.energy.diff() <= 0).all()
        assert found.shifts.shape[0] == len(model.shift_scale)


def test_refinement_is_that_of_a_shift_vae_of_the_same_weights():
    own = ShiftVAE((SIZE, SIZE), dx_prior=0.1, hidden_dim_e=(6, 5), hidden_dim_d=(6, 5))
    fitted(PhysicsTrainer(own, lr=1e-2, warmup=0, batch_size=20), IMAGE, 10, beta=0.1)
    vae = made(ivae(["t"]))
    vae.load_state_dict(own.state_dict())
    one, other = (
        phyvae.refine(model, IMAGE, OBJECTIVE, iterations=1, samples=2, progress=False)
        for model in (own, vae)
    )
    assert_close(other.maps, one.maps, rtol=1e-2, atol=1e-2)
    assert_close(other.shifts, one.shifts, rtol=1e-2, atol=1e-2)
    assert_close(other.energy, one.energy, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("name", ["joint", "semi-supervised", "regression"])
def test_the_encoder_alone_is_refused_where_its_deviations_are_not_its_own(name):
    make, grid = EVERY[name]
    with pytest.raises(ValueError, match='likelihood="encoder", but the encoder of this model'):
        phyvae.refine(made(make), grid, OBJECTIVE, likelihood="encoder", progress=False)


class Linear(phyvae.PatchModel):
    """A model of the five members, which are all that maps need."""

    patch_shape, content = (SIZE, SIZE), slice(0, None)

    def __init__(self):
        super().__init__()
        self.mean = torch.nn.Linear(SIZE * SIZE, 2)

    def posterior(self, patches, dtype=None):
        mean = self.mean(patches.flat)
        return Posterior(mean, torch.ones_like(mean))

    def terms(self, patches, posterior, beta, decoding=None):
        return posterior.mean.square().mean(), posterior.kl().mean()

    def floor(self, patches, pixels=None):
        return torch.zeros(len(patches))


def test_a_model_without_the_hooks_has_maps_and_cannot_be_refined():
    model = Linear()
    assert model.latent_maps(IMAGE).shape == (2, *IMAGE.shape)
    assert model.signal(IMAGE).shape == (2,)
    assert model.classes is None
    with pytest.raises(NotImplementedError, match=r"Linear has latents.*cannot be refined"):
        phyvae.refine(model, IMAGE, progress=False)


def test_defaults_are_a_standard_normal_prior_and_the_patches_themselves():
    class Plain(Linear, Refinable):
        sampler_name = "bernoulli"
        floor = Refinable.floor

    model, patches = Plain(), Patches(torch.rand(3, SIZE, SIZE))
    prior = model.prior(patches, model.posterior(patches))
    assert not prior.mean.any()
    assert (prior.std == 1).all()
    assert torch.equal(model.targets(patches), patches.flat)
    flat = patches.flat
    entropy = torch.distributions.Bernoulli(flat).entropy().sum(-1)
    assert_close(model.floor(patches), entropy)
    with pytest.raises(NotImplementedError, match=r"Plain has latents.*cannot be refined"):
        model.pixel_means(prior.mean, patches)
    with pytest.raises(NotImplementedError, match="Plain has no classes"):
        model.class_losses(patches, prior)


class TestAdapted:
    @pytest.mark.parametrize("invariances", [["t"], ["r", "t"], ["t", "s"], ["r", "t", "s"]])
    @pytest.mark.parametrize("shape", [(SIZE, SIZE), (SIZE, SIZE + 4)])
    def test_shifts_and_angles_are_those_of_the_decoders_coordinates(self, invariances, shape):
        grid = PatchGrid(IMAGE.image, shape, 8, percentiles=None)
        priors = {"sc_prior": 0.3, "dx_prior": 0.4, "dy_prior": 0.2}
        model = adapt(made(lambda: iVAE(shape, 2, invariances, **SMALL, **priors)))
        latents = model.posterior(grid.data(grid.indices, model.like)).mean.detach()
        # The decoder's coordinates are linear in the position of the pixel.
        coordinates = model.coordinates(latents).numpy()
        pixels = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).reshape(-1, 2)
        design = np.column_stack([pixels, np.ones(len(pixels))])
        shifts, turned = model.shifts(grid).flatten(1).T, []
        for at, shift in zip(coordinates, shifts.numpy(), strict=True):
            affine = np.linalg.lstsq(design, at, rcond=None)[0]
            middle = np.linalg.solve(affine[:2].T, -affine[2])
            np.testing.assert_allclose(shift, middle - (np.array(shape) - 1) / 2, atol=1e-3)
            down, right = np.linalg.solve(affine[:2].T, (0.0, -1.0))  # to the right is -1
            turned.append(np.arctan2(-down * (shape[1] - 1), right * (shape[0] - 1)))
        if "r" in invariances:
            angles = model.angles(grid).flatten().numpy()
            assert np.ptp(angles) > 0.05
            np.testing.assert_allclose(np.angle(np.exp(1j * (angles - turned))), 0, atol=1e-4)


class TestShiftVAE:
    @pytest.mark.parametrize("axis", [0, 1])
    def test_shifts_in_pixels_are_where_the_decoded_pattern_moves(self, axis):
        """Decode a spot at a shift; the spot moves by the value of `shifts` for that latent."""
        model = ShiftVAE((41, 61), latent_dim=1, dx_prior=0.2, dy_prior=0.1)
        decode_a_spot(model)
        latent = torch.zeros(1, 2)
        latent[0, axis] = 1.5
        moved = centre_of_mass(model.decode(torch.zeros(1, 1), shift=latent * model.t_prior)[0])
        rest = centre_of_mass(model.decode(torch.zeros(1, 1))[0])
        reported = shift_reported(model, latent)
        assert_close(moved - rest, reported, atol=0.05, rtol=0.01)
        assert abs(float(reported[axis])) > 1

    def test_shifts_of_spectra_are_in_points(self):
        model = ShiftVAE((81,), latent_dim=1, dx_prior=0.2)
        decode_a_spot(model)
        latent = torch.tensor([[1.0]])
        points = torch.arange(81.0)
        shift = latent * model.t_prior
        profiles = [model.decode(torch.zeros(1, 1), shift=s)[0] for s in (shift, 0 * shift)]
        moved, rest = ((p * points).sum() / p.sum() for p in profiles)
        assert_close((moved - rest)[None], shift_reported(model, latent), atol=0.05, rtol=0.01)

    def test_columns(self):
        model = ShiftVAE((SIZE, SIZE))
        assert model.columns == {"shift": slice(0, 2), "content": slice(2, 4)}
        prior = torch.tensor([[0.1, 0.1]])
        assert_close(model.shift_scale, px_per_shift(prior, (SIZE, SIZE)))


def decode_a_spot(model):
    """Make the decoder return exp(-20 r^2) about the origin of its coordinates, nearly."""

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
    """Return `shifts` of a patch that is encoded as `latent`."""

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


def test_models_without_shifts_or_angles_refuse():
    with pytest.raises(ValueError, match=r"has no angles; its latents are shift, content"):
        ShiftVAE((SIZE, SIZE)).angles(IMAGE)
    rotation = adapt(made(ivae(["r"])))
    with pytest.raises(ValueError, match=r"no shifts.*invariances=\['t'\]"):
        rotation.shifts(IMAGE)
    assert len(rotation.shift_scale) == 0
    assert rotation.displacements(torch.zeros(3, 1)).shape == (3, 0)
