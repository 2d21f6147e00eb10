import pytest
import torch

from phyvae.compute.precision import dtype_of, has_bfloat16

CPU = torch.device("cpu")


def test_auto_asks_the_processor(monkeypatch):
    for native, expected in ((True, torch.bfloat16), (False, torch.float32)):
        for question in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
            monkeypatch.setattr(torch.cpu, question, lambda native=native: native, raising=False)
        assert has_bfloat16(CPU) == native
        assert dtype_of("auto", CPU) == expected


def test_a_torch_that_does_not_say_means_float32(monkeypatch):
    for question in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"):
        monkeypatch.delattr(torch.cpu, question, raising=False)
    assert dtype_of("auto", CPU) == torch.float32
    assert dtype_of("auto", torch.device("mps")) == torch.float32


def test_what_is_asked_for_is_given():
    assert dtype_of("float32", CPU) == torch.float32
    assert dtype_of("bfloat16", CPU) == torch.bfloat16


def test_unknown_precision_is_refused(unchecked):
    with pytest.raises(ValueError, match="precision='half' must be one of"):
        unchecked(dtype_of, "half", CPU)
