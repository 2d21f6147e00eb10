"""Maps of shifts and angles: where and how the decoded content lies in each patch."""

import numpy as np
import pytest
import torch
from pyroved.models import iVAE
from torch.testing import assert_close

from phyvae import PatchGrid, ShiftVAE, adapt
from phyvae.models.pose import px_per_shift
from pyroved_models import IMAGE, SIZE, SMALL, ivae, made


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
