"""Steps of Adam whose rate falls to zero."""

import torch
from torch import nn
from torch.testing import assert_close

from phyvae.alignment.adam_steps import adam_steps


def weights_after(steps):
    layer, calls = nn.Linear(1, 1, bias=False), []
    weights = []
    for descend in adam_steps(layer, steps, 0.1, lambda: calls.append(1)):
        weights.append(float(layer.weight.detach()))
        descend(layer.weight.sum())
    return torch.tensor([*weights, float(layer.weight.detach())]), len(calls)


def test_the_rate_falls_to_zero_over_the_second_half():
    weights, calls = weights_after(10)
    assert calls == 10
    # Of a constant gradient, a step of Adam is as long as the rate.
    rates = 0.1 * torch.tensor([min(1.0, 2 * (1 - i / 10)) for i in range(10)])
    assert_close(-weights.diff(), rates, rtol=0, atol=1e-4)


def test_without_steps_nothing_happens():
    assert weights_after(0)[1] == 0
