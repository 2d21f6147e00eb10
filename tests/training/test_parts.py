import dataclasses

import torch

from phyvae.training.parts import ObjectiveParts

FIELDS = [field.name for field in dataclasses.fields(ObjectiveParts)]


def parts():
    leaves = (torch.tensor(float(i), requires_grad=True) for i in range(len(FIELDS)))
    return ObjectiveParts(*leaves)


def test_stack_is_in_the_order_of_the_fields():
    assert parts().stack().tolist() == [float(i) for i in range(len(FIELDS))]


def test_detach_gives_the_same_numbers_without_gradient():
    found = parts().detach()
    assert torch.equal(found.stack(), parts().stack().detach())
    assert not any(getattr(found, name).requires_grad for name in FIELDS)
