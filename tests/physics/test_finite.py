"""Roots and quotients where their argument is 0."""

import pytest
import torch

from phyvae.physics.finite import length, ratio, root


def test_value_and_gradient_are_finite_at_zero_and_exact_elsewhere():
    x = torch.tensor([0.0, 4.0], dtype=torch.float64, requires_grad=True)
    for found, values, slopes in (
        (root(x), [0.0, 2.0], [0.0, 0.25]),
        (length(torch.stack([x, x]), dim=0), [0.0, 32**0.5], [0.0, 2**0.5]),
        (ratio(8 * x, x.square()), [0.0, 2.0], [8.0, -0.5]),
    ):
        (gradient,) = torch.autograd.grad(found.sum(), x)
        assert found.tolist() == pytest.approx(values)
        assert gradient.tolist() == pytest.approx(slopes)


def test_what_is_no_number_stays_so():
    nan = torch.tensor(torch.nan)
    assert root(nan).isnan()
    assert ratio(nan, nan).isnan()
