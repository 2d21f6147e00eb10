"""`Decoding`: each option acts in `terms`, and its default is all pixels in the data's type."""

import dataclasses

import pytest
import torch
from torch.testing import assert_close

from phyvae import ShiftVAE
from phyvae.models.options import Decoding
from phyvae.patches.known import Patches


def terms(decoding: Decoding) -> torch.Tensor:
    model = ShiftVAE((6, 5), hidden_dim_e=(4,), hidden_dim_d=(4,))
    patches = Patches(torch.rand(3, 6, 5, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        return model.terms(patches, model.posterior(patches), 1.0, decoding)[0]


def seeded(seed: int = 1, **options) -> Decoding:
    return Decoding(generator=torch.Generator().manual_seed(seed), **options)


def test_every_option_acts_on_the_reconstruction():
    plain = terms(seeded())
    assert terms(seeded()) == plain
    assert terms(seeded(2)) != plain
    assert terms(seeded(pixels=torch.tensor([0, 3]))) != plain
    half = terms(seeded(dtype=torch.bfloat16))
    assert half != plain
    assert_close(half, plain, rtol=1e-2, atol=0)


def test_the_default_is_everything_from_the_global_generator():
    torch.manual_seed(1)
    found = terms(Decoding())
    torch.manual_seed(1)
    assert found == terms(Decoding(pixels=torch.arange(30), dtype=torch.float32))


def test_it_is_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Decoding().pixels = torch.arange(3)
