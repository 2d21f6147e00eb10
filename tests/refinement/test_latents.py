"""Refinement of latents: channels, flat physics, and the signal of the refined maps."""

import copy

import torch
from torch.testing import assert_close

from noisy_spectra import FAST, encoders_noise, grid_of, refine, share, widths
from phyvae import PhysicsObjective, TotalVariation


class TestPhysics:
    def test_flat_physics_changes_nothing(self, model, grid, likelihood):
        flat, none = PhysicsObjective(lambda maps: 0 * maps.sum()), PhysicsObjective()
        one, other = (refine(model, grid, o, likelihood=likelihood).maps for o in (flat, none))
        assert torch.equal(one, other)

    def test_only_the_chosen_channel_is_smoothed(self, model, alone, likelihood):
        objective = PhysicsObjective(TotalVariation("none"), channels=[1])
        chosen = refine(model, grid_of(model), objective, likelihood=likelihood)
        variation = TotalVariation("none")
        assert variation(chosen.maps[1:]) < 0.7 * variation(alone.maps[1:])
        assert variation(chosen.maps[:1]) > 0.7 * variation(alone.maps[:1])


class TestSignal:
    def test_without_physics_it_is_that_of_the_encoder(self, model, alone):
        assert_close(alone.signal, share(alone.maps, widths(model)), rtol=0.03, atol=0)

    def test_neighbours_raise_it(self, alone, refined):
        assert 1 - refined.signal[0] < 0.3 * (1 - alone.signal[0])

    def test_a_map_that_has_collapsed_still_has_next_to_none(self, model, likelihood):
        collapsed = copy.deepcopy(model)
        with torch.no_grad():  # the encoder does not know the second latent
            collapsed.encoder_z.fc12.bias[model.content][1] = 30.0
        found = refine(collapsed, grid_of(model), likelihood=likelihood)
        assert found.signal[1] < 0.1 < 0.9 < found.signal[0]

    def test_it_is_the_models_with_the_noise_that_neighbours_have_left(self, model):
        grid = grid_of(model)
        found = refine(model, grid, likelihood="encoder")
        before = encoders_noise(model, grid, samples=FAST["samples"]).square()
        left = found.stds.square().mean((1, 2)) / before
        expected = share(found.maps, widths(model) * left)
        assert_close(found.signal, expected, rtol=1e-4, atol=1e-5)
