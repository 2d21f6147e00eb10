from typing import ClassVar

import pytest
import torch
from torch import nn

import phyvae
from phyvae import CheckpointError
from phyvae.saving.contents import Mismatch, check_weights, part_of, refusing, versions


def test_versions_are_of_all_that_the_contents_depend_on():
    assert versions().keys() == {"phyvae", "torch", "pyro-ppl", "pyroved"}
    assert versions()["phyvae"] == phyvae.__version__


class TestPartOf:
    tensors: ClassVar = {"a.weight": 1, "optimizer/a.weight/step": 2, "objective/calls": 3}

    def test_without_a_prefix_it_is_the_weights(self, unchecked):
        assert unchecked(part_of, self.tensors) == {"a.weight": 1}

    def test_a_prefix_is_left_out_of_the_names(self, unchecked):
        assert unchecked(part_of, self.tensors, "optimizer/") == {"a.weight/step": 2}
        assert unchecked(part_of, self.tensors, "none/") == {}


class TestCheckWeights:
    def test_those_of_the_module_pass_whatever_their_values(self):
        module, other = nn.Linear(3, 2), nn.Linear(3, 2)
        check_weights(module, other.state_dict())
        named = {f"objective/{name}": value for name, value in other.state_dict().items()}
        check_weights(module, named, "objective/")

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            (
                {"weight": torch.zeros(2, 4)},
                r"weight is \(\(2, 3\), 'torch.float32'\) here, but \(\(2",
            ),
            (
                {"bias": torch.zeros(2).double()},
                r"bias is .* but \(\(2,\), 'torch.float64'\) in the",
            ),
            ({"more": torch.zeros(1)}, r"more is None here"),
        ],
    )
    def test_other_shapes_types_or_names_are_refused_by_name(self, change, named):
        module = nn.Linear(3, 2)
        with pytest.raises(Mismatch, match=f"its weights are other ones: {named}"):
            check_weights(module, module.state_dict() | change)

    def test_a_missing_one_is_refused(self):
        with pytest.raises(
            Mismatch, match=r"its objective/ are other ones: weight is .* but None"
        ):
            check_weights(nn.Linear(3, 2, bias=False), {"weight": torch.zeros(2, 3)}, "objective/")


class TestRefusing:
    def test_a_mismatch_gets_the_name_of_the_file(self):
        with (
            pytest.raises(CheckpointError, match=r"^'run' cannot be loaded: other weights$"),
            refusing("run"),
        ):
            raise Mismatch("other weights")

    @pytest.mark.parametrize("error", [KeyError("model"), IndexError(3), TypeError("no")])
    def test_any_other_error_too(self, error):
        match = rf"'run' has unexpected contents: {type(error).__name__}: "
        with pytest.raises(CheckpointError, match=match) as caught, refusing("run"):
            raise error
        assert caught.value.__cause__ is error

    def test_an_error_with_the_name_stays_as_it_is(self):
        own = CheckpointError("mine")
        with pytest.raises(CheckpointError, match=r"^mine$") as caught, refusing("run"):
            raise own
        assert caught.value is own

    def test_without_an_error_nothing_happens(self):
        with refusing("run"):
            done = True
        assert done
