"""What goes into the file of a result; that all of it comes back is shown in test_loading."""

from dataclasses import replace

import numpy as np
import pytest
import safetensors.torch

from phyvae import load_domains
from phyvae.pipeline.choices import Choice
from small_domains import small_domains


@pytest.fixture(scope="module")
def found():
    return small_domains()


def test_metadata_without_a_form_are_left_out_and_named(tmp_path, found):
    metadata = {"kV": 200, "stage": {"x": 1.0, "object": object()}, "when": np.datetime64(0, "s")}
    replace(found, scan=replace(found.scan, metadata=metadata)).save(tmp_path / "a")
    scan = load_domains(tmp_path / "a").scan
    assert scan.metadata == {"kV": 200, "stage": {"x": 1.0}}
    assert scan.notes == ("metadata that were not stored: stage.object, when",)


def test_a_setting_without_a_form_is_refused_and_no_file_is_left(tmp_path, found):
    settings = {**found.settings, "x": Choice(object(), "why")}
    with pytest.raises(TypeError, match="cannot be stored"):
        replace(found, settings=settings).save(tmp_path / "a")
    assert [*tmp_path.iterdir()] == []


def test_any_reader_of_safetensors_finds_the_maps(tmp_path, found):
    found.save(tmp_path / "a")
    tensors = safetensors.torch.load_file(tmp_path / "a").values()
    assert any(
        one.shape == found.maps.shape and (one.numpy() == found.maps).all() for one in tensors
    )
