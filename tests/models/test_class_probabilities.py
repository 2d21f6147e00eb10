"""Class probabilities as latents, and the loss of pixels given a class."""

import torch
from torch.distributions import OneHotCategorical
from torch.testing import assert_close

from phyvae.models.class_probabilities import (
    class_names,
    class_posterior,
    pixel_losses,
    unit_vector,
)
from pyroved_models import IMAGE, adapted


def test_the_deviation_is_that_of_the_class():
    p = torch.softmax(torch.randn(6, 3), dim=1).requires_grad_()
    posterior = class_posterior(p)
    assert posterior.mean is p
    assert_close(posterior.std, OneHotCategorical(probs=p.detach()).variance.sqrt())
    assert not posterior.std.requires_grad


def test_signal_is_one_for_certain_classes_and_zero_for_open_ones():
    certain, undecided = torch.eye(2).repeat(3, 1), torch.full((6, 2), 0.5)
    assert_close(class_posterior(certain).signal(), torch.ones(2))
    assert not class_posterior(undecided).signal().any()


def test_names():
    assert class_names(2) == ["P(class 0)", "P(class 1)"]


def test_pixel_losses_are_those_of_the_decoded_class():
    model = adapted("joint")
    patches = IMAGE.data(torch.arange(4), model.like)
    z = torch.randn(4, 2)
    found = pixel_losses(model, patches, z, unit_vector(1, 3, z))
    mean = model.decode(z, known=1).flatten(1)
    expected = torch.nn.functional.binary_cross_entropy(mean, patches.flat, reduction="none")
    assert_close(found, expected, rtol=1e-4, atol=1e-5)
