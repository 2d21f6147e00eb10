"""The decoder, trained with the encoder as it is."""

import copy

import torch

import phyvae
from lattices import SHIFT_ONLY, small_model
from phyvae import align
from phyvae.alignment.decoder_start import train_decoder


def test_the_decoder_is_trained_with_the_encoder_as_it_is(grid, aligned):
    first = aligned[0]
    second, calls = copy.deepcopy(first), []
    generator = torch.Generator().manual_seed(0)
    train_decoder(second, grid.windows, 200, 2e-3, generator, lambda: calls.append(1))
    assert len(calls) == 200
    for name, value in first.encoder_z.state_dict().items():
        assert torch.equal(value, second.encoder_z.state_dict()[name])
    costs = [phyvae.PhysicsTrainer(m).evaluate(grid, beta=0.1) for m in (first, second)]
    assert float(costs[1].reconstruction) < float(costs[0].reconstruction) - 1


def test_without_steps_for_it_align_leaves_the_decoder_alone(grid, aligned):
    untrained = small_model(grid).decoder.state_dict()
    for name, value in aligned[0].decoder.state_dict().items():
        assert torch.equal(value, untrained[name])


def test_the_encoder_of_align_does_not_depend_on_the_decoders_steps(grid):
    models = small_model(grid), small_model(grid)
    for model, steps in zip(models, (0, 5), strict=True):
        align(model, grid, steps=5, **SHIFT_ONLY | {"decoder_steps": steps})
    for one, two in zip(*(model.encoder_z.parameters() for model in models), strict=True):
        assert torch.equal(one, two)
