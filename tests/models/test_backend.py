"""pyroVED's models are built without its effects on global state."""

import sys

import pyro
import pytest
import torch

from phyvae import ShiftVAE
from phyvae.models import backend


def test_the_global_random_state_is_left_alone():
    before = torch.get_rng_state()
    model = ShiftVAE((8, 8), seed=5)
    model.encode(torch.rand(3, 8, 8, generator=torch.Generator().manual_seed(0)))
    model.decode(torch.zeros(2, 2))
    model.manifold2d(2)
    assert torch.equal(torch.get_rng_state(), before)


def test_pyros_store_is_left_alone():
    pyro.clear_param_store()
    pyro.param("mine", torch.ones(3))
    model = ShiftVAE((8, 8))
    model.neg_elbo(torch.rand(3, 8, 8)).backward()
    assert list(pyro.get_param_store().keys()) == ["mine"]
    pyro.clear_param_store()


def test_cudnns_flags_are_left_alone():
    flags = torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark
    ShiftVAE((8, 8))
    assert (torch.backends.cudnn.deterministic, torch.backends.cudnn.benchmark) == flags


def test_all_of_it_is_restored_after_an_error():
    before, flags = torch.get_rng_state(), torch.backends.cudnn.benchmark

    def build():
        with backend.no_global_effects():
            torch.manual_seed(3)
            torch.backends.cudnn.benchmark = not flags
            pyro.param("another", torch.ones(1))
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        build()
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.backends.cudnn.benchmark == flags
    assert "another" not in pyro.get_param_store()


def test_a_mismatched_torchvision_is_explained_in_one_sentence(tmp_path, monkeypatch):
    (tmp_path / "torchvision.py").write_text("raise RuntimeError('operator torchvision::nms')")
    monkeypatch.syspath_prepend(tmp_path)
    for name in list(sys.modules):
        if name.partition(".")[0] in ("torchvision", "pyroved"):
            monkeypatch.delitem(sys.modules, name)
    source = backend.__spec__.loader.get_code(backend.__name__)
    with pytest.raises(ImportError, match="install the pair together: python -m pip install"):
        exec(source, {"__name__": "again"})
