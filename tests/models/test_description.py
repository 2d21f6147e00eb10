"""The record of a model in a file."""

import json

import torch

from phyvae import ShiftVAE
from phyvae.models.description import described_model, save_model
from phyvae.saving import sealed
from pyroved_models import adapted


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
    save_model(model, tmp_path / "model")
    record, tensors = sealed.read(tmp_path / "model")
    assert record["model"] == described_model(model)
    assert tensors.keys() == model.state_dict().keys()
    assert all(torch.equal(tensors[name], value) for name, value in model.state_dict().items())
