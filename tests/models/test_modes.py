"""Evaluation mode for a block of code."""

import pytest
import torch
from torch import nn

from phyvae.models import at_rest


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
