"""What the caller has set in torch changes no result."""

import contextlib

import numpy as np
import pytest
import torch
from torch import nn

import phyvae
from phyvae.compute.own_state import at_rest, own_state

GRID = phyvae.PatchGrid(np.random.default_rng(0).random((40, 44)), 10, 6)


@contextlib.contextmanager
def float64():
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(torch.float32)


STATES = {
    "no_grad": torch.no_grad,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "default device": lambda: torch.device("meta"),
    "default dtype": float64,
    "anomaly mode": torch.autograd.detect_anomaly,
}


def trained(state):
    """Return the numbers of a short run whose calls are made in a state of torch."""
    model = phyvae.ShiftVAE(GRID.patch_shape, hidden_dim_e=(8,), hidden_dim_d=(8,), seed=0)
    physics = phyvae.PhysicsObjective(phyvae.EdgeLoss())
    trainer = phyvae.PhysicsTrainer(model, physics, batch_size=16, precision="float32")
    few = {"steps": 1, "content_steps": 1, "decoder_steps": 1, "progress": False}
    with state:
        phyvae.align(model, GRID, **few)
        trainer.fit(GRID, 1, progress=False)
        refined = phyvae.refine(model, GRID, iterations=1, samples=2, progress=False)
        encoded, _ = model.encode(GRID.patches.flatten(0, 1))
        found = [model.latent_maps(GRID), refined.maps, encoded, model.decode(encoded[:, 2:])]
        return [*found, trainer.evaluate(GRID).neg_elbo, model.signal(GRID)]


@pytest.fixture(scope="module")
def expected():
    return trained(contextlib.nullcontext())


@pytest.mark.parametrize("state", STATES)
@pytest.mark.filterwarnings("ignore")
def test_no_state_of_torch_changes_a_result(state, expected):
    for found, value in zip(trained(STATES[state]()), expected, strict=True):
        assert found.dtype == torch.float32
        torch.testing.assert_close(found, value, rtol=0, atol=0)
    assert torch.is_grad_enabled()
    assert torch.get_default_dtype() == torch.float32


def test_inference_mode_is_refused_where_gradients_are_computed_and_no_obstacle_elsewhere():
    model = phyvae.ShiftVAE(GRID.patch_shape, hidden_dim_e=(8,), hidden_dim_d=(8,))
    with torch.inference_mode():
        with pytest.raises(RuntimeError, match=r"inference_mode\(\) is on.*outside of that block"):
            phyvae.PhysicsTrainer(model).fit(GRID, 1, progress=False)
        maps = model.latent_maps(GRID)
    assert not maps.is_inference()


def test_the_state_before_comes_back_after_an_error():
    @own_state(grad=True)
    def fails():
        assert torch.is_grad_enabled()
        raise ZeroDivisionError

    with torch.no_grad():
        with pytest.raises(ZeroDivisionError):
            fails()
        assert not torch.is_grad_enabled()


def test_batch_normalisation_is_left_unchanged():
    norm = nn.BatchNorm1d(3)
    with at_rest(norm):
        norm(torch.randn(10, 3) + 5)
    assert not norm.running_mean.any()
    assert norm.training


def test_each_module_gets_its_own_mode_back_also_after_an_error():
    net = nn.Sequential(nn.Dropout(), nn.Linear(2, 2)).train()
    net[1].eval()

    def use():
        with at_rest(net):
            assert not any(module.training for module in net.modules())
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        use()
    assert [module.training for module in net.modules()] == [True, True, False]
