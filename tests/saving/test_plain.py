import json

import numpy as np
import pytest
import torch
from torch import nn

from phyvae.saving.plain import differences, plain


class Described:
    """Something that JSON has no form for."""


class TestPlain:
    @pytest.mark.parametrize(
        ("value", "expected"),
        [
            (None, None),
            (True, True),
            ("text", "text"),
            (3, 3),
            (0.5, 0.5),
            (np.int64(3), 3),
            (np.float32(0.5), 0.5),
            (float("inf"), "inf"),
            (float("-inf"), "-inf"),
            ((1, (2.0, None)), [1, [2.0, None]]),
            ([], []),
        ],
    )
    def test_is_what_json_gives_back(self, value, expected):
        found = plain(value)
        assert found == expected
        assert type(found) is type(expected)
        assert json.loads(json.dumps(found, allow_nan=False)) == found

    def test_a_number_that_is_none_is_a_string(self):
        assert plain(float("nan")) == "nan"

    def test_what_json_has_no_form_for_is_described_at_any_depth(self):
        one = Described()
        found = plain(
            [1, (one,), nn.ModuleList([nn.Identity()])],
            lambda value: {"is": str(type(value).__name__)},
        )
        assert found == [1, [{"is": "Described"}], [{"is": "Identity"}]]

    @pytest.mark.parametrize("value", [Described(), {1: 2}, torch.zeros(2), {3}])
    def test_or_refused(self, value):
        with pytest.raises(TypeError, match=f"of type {type(value).__name__} does not go into"):
            plain([value])


class TestDifferences:
    def test_of_equal_values_there_are_none(self):
        value = {"a": {"b": [1, 2], "c": None}, "d": "x"}
        assert list(differences(value, json.loads(json.dumps(value)))) == []

    def test_are_named_by_their_keys_those_of_the_first_value_first(self):
        here = {"z": 1, "a": {"b": [1], "only here": 2}, "same": 0}
        there = {"a": {"b": [2], "only there": 3}, "z": 4, "same": 0}
        assert list(differences(here, there)) == [
            "z is 1 here, but 4 in the file",
            "a.b is [1] here, but [2] in the file",
            "a.only here is 2 here, but None in the file",
            "a.only there is None here, but 3 in the file",
        ]

    def test_name_the_whole_and_the_place_of_the_second(self):
        found = differences({"lr": 1}, {"lr": 2}, "trainer", where="in process 0")
        assert list(found) == ["trainer.lr is 1 here, but 2 in process 0"]

    def test_a_dictionary_against_a_number_is_one_difference(self):
        assert list(differences({"a": 1}, 3, "x")) == ["x is {'a': 1} here, but 3 in the file"]
