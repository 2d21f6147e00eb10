"""The encoder of `ShiftVAE`, against pyroVED's."""

import numpy as np
import pytest
import torch
from torch import nn
from torch.testing import assert_close

from phyvae import PatchGrid, ShiftVAE
from phyvae.models import sliding
from phyvae.patches.known import Patches

IMAGE = np.random.default_rng(0).random((80, 90))
SMALL = {"hidden_dim_e": (10, 7), "hidden_dim_d": (6,)}


class TestPosterior:
    @pytest.mark.parametrize("activation", ["tanh", "gelu"])
    def test_is_the_networks_output_in_any_type(self, activation):
        model = ShiftVAE((8, 8), activation=activation, **SMALL)
        patches = Patches(torch.rand(20, 8, 8))
        mean, std = model.encoder_z(patches.pixels)
        for dtype in (None, torch.float32):
            posterior = model.posterior(patches, dtype)
            assert_close(posterior.mean, mean)
            assert_close(posterior.std, std)
        half = model.posterior(patches, torch.bfloat16)
        assert half.mean.dtype == torch.float32
        assert_close(half.mean, mean, rtol=0.05, atol=0.02)

    def test_patches_of_another_size_are_refused(self):
        with pytest.raises(ValueError, match=r"\(8, 9\), but this model was made for \(8, 8\)"):
            ShiftVAE((8, 8)).neg_elbo(torch.rand(2, 8, 9))

    def test_a_transposed_view_of_patches_is_taken(self):
        model, patches = ShiftVAE((8, 8), **SMALL), torch.rand(3, 8, 8)
        found = model.posterior(Patches(patches.mT)).mean
        assert_close(found, model.posterior(Patches(patches.mT.contiguous())).mean)


class TestEncode:
    def test_patches_may_be_flat_or_have_channels_or_rows_and_columns(self):
        grid = PatchGrid(np.random.default_rng(0).random((30, 34)), 8, 6)
        model, patches = ShiftVAE((8, 8)), grid.patches.reshape(-1, 8, 8)
        expected = model.encode(patches)[0]
        for given in (patches.flatten(1), patches[:, None], grid.patches):
            assert_close(model.encode(given)[0], expected)

    @pytest.mark.parametrize("batch_size", [1, 7, 1000])
    def test_the_batch_size_does_not_matter(self, batch_size):
        model, patches = ShiftVAE((8, 8), **SMALL), torch.rand(20, 8, 8)
        assert_close(model.encode(patches, batch_size=batch_size), model.encode(patches))

    def test_other_arrays_are_refused(self, unchecked):
        model = ShiftVAE((8, 8), **SMALL)
        with pytest.raises(TypeError, match=r"patches=.* must be a tensor"):
            unchecked(ShiftVAE.encode, model, np.zeros((2, 8, 8)))
        with pytest.raises(TypeError, match="complex64, but must be real"):
            unchecked(ShiftVAE.encode, model, torch.zeros(2, 8, 8, dtype=torch.complex64))


class TestSliding:
    def test_patches_are_gathered_only_where_it_does_not_pay(self, monkeypatch):
        def refuse(grid, index):
            raise AssertionError("gathered")

        monkeypatch.setattr(PatchGrid, "gather", refuse)
        ShiftVAE((24, 24)).latent_maps(PatchGrid(IMAGE, 24, 1))
        with pytest.raises(AssertionError, match="gathered"):
            ShiftVAE((24, 24)).latent_maps(PatchGrid(IMAGE, 24, 12))

    def test_an_encoder_of_another_kind_is_asked_itself(self):
        class Encoder(nn.Module):
            def forward(self, patches):
                mean = patches.mean((1, 2))[:, None].expand(-1, 4)
                return mean, torch.ones_like(mean)

        grid, model = PatchGrid(IMAGE, 24, 1), ShiftVAE((24, 24))
        assert sliding.pays(grid)
        model.encoder_z = Encoder()
        assert_close(model.latent_maps(grid)[0], grid.patches.mean((2, 3)))

    def test_a_posterior_of_ones_own_is_asked_itself(self):
        class Mine(ShiftVAE):
            def posterior(self, patches):
                return super().posterior(patches.showing(0 * patches.pixels))

        maps = Mine((24, 24)).latent_maps(PatchGrid(IMAGE, 24, 1))
        assert_close(maps, maps[:, :1, :1].expand_as(maps))
