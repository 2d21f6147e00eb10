from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pytest
import torch
from jaxtyping import Float

from phyvae.saving.contents import Mismatch
from phyvae.saving.structures import check_fields, packed, unpacked


@dataclass(frozen=True, eq=False)
class Part:
    values: Float[np.ndarray, "n n"]
    pair: tuple[float, float] | None = None
    names: tuple[str, ...] = ()


class Reason(NamedTuple):
    value: object
    why: str


def again(value):
    tensors = {}
    return unpacked(packed(value, tensors), tensors, [Part, Reason])


class TestRoundTrip:
    @pytest.mark.parametrize(
        "value",
        [
            *(None, True, 3, 0.1, "text", float("inf"), [1, [2.5]], (1, (2, "a")), ()),
            {"a": {"tuple": (1,)}, "float": 2},
            Reason((3, 4), "given"),
        ],
        ids=repr,
    )
    def test_values_come_back_as_they_were(self, value):
        assert again(value) == value
        assert type(again(value)) is type(value)

    def test_nan_does(self):
        assert np.isnan(again(float("nan")))

    @pytest.mark.parametrize(
        "dtype", ["bool", "uint8", "int64", "float32", "float64", "uint16", ">f4", "<i2", "uint64"]
    )
    def test_arrays_keep_their_bits_and_dtype(self, dtype):
        array = np.random.default_rng(0).normal(0, 50, (3, 4)).astype(dtype)[:, ::2]
        back = again(array)
        assert back.dtype == array.dtype
        np.testing.assert_array_equal(back, array)

    def test_the_same_tensor_may_be_held_twice(self):
        one = torch.rand(2, 3)
        first, second = again((one, one.T))
        assert torch.equal(first, one)
        assert torch.equal(second, one.T)

    def test_dataclasses_are_made_of_their_fields(self):
        back = again(Part(np.eye(2), (1, 2.5), ("a",)))
        np.testing.assert_array_equal(back.values, np.eye(2))
        assert (back.pair, back.names) == ((1, 2.5), ("a",))


class TestRefusals:
    @pytest.mark.parametrize(
        "value",
        [object(), {1: 2}, np.array([None]), b"bytes", 1j],
        ids=lambda value: type(value).__name__,
    )
    def test_what_json_cannot_hold_is_not_stored(self, value):
        with pytest.raises(TypeError, match="cannot be stored"):
            packed([value], {})

    def test_no_other_class_is_made(self):
        with pytest.raises(Mismatch, match="holds a Popen"):
            unpacked({"Popen": {"args": "true"}}, {}, [Part])

    @pytest.mark.parametrize(
        "parts",
        [
            {"values": np.zeros((2, 3))},
            {"values": np.eye(2, dtype=int)},
            {"values": np.eye(2), "pair": (1.0, 2.0, 3.0)},
            {"values": np.eye(2), "pair": (1.0, True)},
            {"values": np.eye(2), "names": ("a", 1)},
        ],
        ids=repr,
    )
    def test_fields_of_another_type_or_shape(self, parts):
        with pytest.raises(Mismatch, match="of its Part is no"):
            check_fields(Part, parts)

    def test_an_array_of_objects(self):
        forged = {"array": {"name": "x", "dtype": "|O", "shape": [1]}}
        with pytest.raises(Mismatch, match=r"array of \|O"):
            unpacked(forged, {"x": torch.zeros(8, dtype=torch.uint8)}, [])
