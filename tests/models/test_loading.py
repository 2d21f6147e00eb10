"""Models read from files: the same model, or a clear refusal."""

import pytest
import torch
from torch.testing import assert_close

from phyvae import CheckpointError, ShiftVAE, adapt, load_model
from phyvae.models.interface import described_model
from phyvae.models.loading import built_model, load_weights
from phyvae.saving.contents import Mismatch
from pyroved_models import BY_PYRO, INVARIANT, made
from small import small_grid

SMALL = {"hidden_dim_e": (5,), "hidden_dim_d": (4, 3)}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_shift_vae_is_built_from_its_file(tmp_path, dtype):
    model = ShiftVAE((8, 8), 3, dx_prior=0.2, activation="gelu", **SMALL).to(dtype)
    model.save(tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    assert loaded.settings == model.settings
    assert_close(loaded.state_dict(), model.state_dict(), rtol=0, atol=0)
    assert_close(loaded.latent_maps(small_grid()), model.latent_maps(small_grid()))


def test_code_is_not_saved_so_another_model_is_to_be_given(tmp_path):
    make, grid = INVARIANT["rt"]
    model, other = adapt(made(make)), made(make)
    with torch.no_grad():
        next(model.parameters()).add_(1)
    model.save(tmp_path / "model")
    with pytest.raises(CheckpointError, match="it holds a iVAE, and code is not saved"):
        load_model(tmp_path / "model")
    loaded = load_model(tmp_path / "model", model=other)
    assert loaded.vae is other
    assert_close(loaded.latent_maps(grid), model.latent_maps(grid))


@pytest.mark.parametrize(
    "other",
    [
        lambda: ShiftVAE((8, 8), 2, **SMALL, dx_prior=0.4),
        lambda: ShiftVAE((8, 8), 3, **SMALL),
        lambda: ShiftVAE((8, 8), 2, **SMALL).double(),
        lambda: made(BY_PYRO["joint"][0]),
    ],
)
def test_another_model_is_refused_and_left_as_it_was(tmp_path, other):
    ShiftVAE((8, 8), 2, **SMALL, seed=1).save(tmp_path / "model")
    model = other()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with pytest.raises(CheckpointError, match="it holds another model: model"):
        load_model(tmp_path / "model", model=model)
    assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


def test_a_record_cannot_ask_for_more_than_its_weights_take():
    record = described_model(ShiftVAE((8, 8), **SMALL))
    record["settings"]["hidden_dim_e"] = [10**6]
    with pytest.raises(Mismatch, match="its weights are not those of"):
        built_model(record, {"one": torch.zeros(10)})


def test_weights_of_other_names_are_refused():
    model = ShiftVAE((8, 8), **SMALL)
    tensors = dict(model.state_dict())
    tensors["other"] = tensors.pop("decoder.out.bias")
    with pytest.raises(Mismatch):
        load_weights(model, described_model(model), tensors)


def test_a_device_that_is_not_there_is_refused_before_reading(tmp_path):
    with pytest.raises(ValueError, match="device='cuda:99' must be the name of a device"):
        load_model(tmp_path / "missing", device="cuda:99")
