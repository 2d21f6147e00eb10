"""Minimum of a quadratic energy with Ψ, against linear systems."""

import pytest
import torch
from torch.testing import assert_close

from phyvae.refinement.quadratic import EXACT, ROUGH, quadratic_minimum

COUNT = 6


@pytest.fixture(scope="module")
def system():
    generator = torch.Generator().manual_seed(0)
    gradient = torch.randn(COUNT, 2, generator=generator, dtype=torch.float64)
    root = torch.randn(COUNT, 2, 2, generator=generator, dtype=torch.float64)
    return gradient, root @ root.mT + torch.eye(2).double()


def psi(step):
    """Return the Dirichlet energy of rows one after another."""
    return step.diff(dim=0).square().sum()


def test_without_physics_each_patch_is_a_linear_system(system):
    gradient, curvature = system
    found = quadratic_minimum(gradient, curvature, torch.zeros(COUNT), psi, 0.0, ROUGH)
    assert_close(found, -torch.linalg.solve(curvature, gradient))


def test_damping_raises_the_diagonal(system):
    gradient, curvature = system
    damping = torch.arange(COUNT).double()
    found = quadratic_minimum(gradient, curvature, damping, psi, 0.0, ROUGH)
    diagonal = torch.diag_embed(curvature.diagonal(dim1=1, dim2=2))
    damped = curvature + damping[:, None, None] * diagonal
    assert_close(found, -torch.linalg.solve(damped, gradient))


def test_with_a_quadratic_loss_all_patches_are_one_linear_system(system):
    gradient, curvature = system
    weight = 0.3
    bend = torch.autograd.functional.hessian(psi, torch.zeros(COUNT, 2).double())
    bend = bend.reshape(2 * COUNT, 2 * COUNT)
    whole = torch.block_diag(*curvature) + weight * COUNT * bend
    expected = -torch.linalg.solve(whole, gradient.flatten()).reshape(COUNT, 2)
    exact, rough = (
        quadratic_minimum(gradient, curvature, torch.zeros(COUNT).double(), psi, weight, adam)
        for adam in (EXACT, ROUGH)
    )
    assert_close(exact, expected, rtol=0, atol=1e-3)
    assert_close(rough, expected, rtol=0, atol=1e-2)
