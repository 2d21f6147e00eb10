"""Values of known classes as JSON with arrays apart, and back without anything being executed."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from numbers import Integral, Real
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

import numpy as np
import torch
from jaxtyping import jaxtyped
from torch import Tensor

from .contents import Mismatch

__all__ = ["check_fields", "packed", "unpacked"]

_KINDS = "biuf"  # of arrays
_NATIVE = ("bool", "uint8", "int8", "int16", "int32", "int64", "float16", "float32", "float64")


def packed(value: Any, tensors: dict[str, Tensor]) -> Any:
    """Return the value as JSON holds it; arrays and tensors are added to `tensors`.

    What JSON has no form for becomes a dictionary of one key, the name of the form: ``tuple``,
    ``dict``, ``float`` (NaN, infinities), ``tensor``, ``array``, or a class with its fields.

    Raises TypeError if it is, or holds, anything else than such values, numbers, strings, lists,
    dataclasses and named tuples.
    """

    def each(values: Any) -> Any:
        return [packed(one, tensors) for one in values]

    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, Tensor):
        return {"tensor": _kept(value, tensors)}
    if isinstance(value, np.ndarray) and value.dtype.kind in _KINDS:
        return {"array": _array(value, tensors)}
    if is_dataclass(value) and not isinstance(value, type):
        held = {one.name: getattr(value, one.name) for one in fields(value) if one.init}
        return {type(value).__name__: {k: packed(v, tensors) for k, v in held.items()}}
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {type(value).__name__: {k: packed(v, tensors) for k, v in value._asdict().items()}}
    if isinstance(value, tuple):
        return {"tuple": each(value)}
    if isinstance(value, list):
        return each(value)
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return {"dict": {key: packed(one, tensors) for key, one in value.items()}}
    raise TypeError(f"{value!r} of type {type(value).__name__} cannot be stored.")


def unpacked(value: Any, tensors: Mapping[str, Tensor], classes: Sequence[type]) -> Any:
    """Return what `packed` has stored; only the given classes are made, from checked fields.

    Raises Mismatch if a field is not of the type, or the shape, that its class declares.
    """
    if isinstance(value, list):
        return [unpacked(one, tensors, classes) for one in value]
    if not isinstance(value, dict):
        return value
    ((form, held),) = value.items()
    if form == "float":
        return float(held)
    if form == "tensor":
        return tensors[held]
    if form == "array":
        return _unpacked_array(tensors, **held)
    if form == "tuple":
        return tuple(unpacked(held, tensors, classes))
    parts = {key: unpacked(one, tensors, classes) for key, one in held.items()}
    if form == "dict":
        return parts
    made = {one.__name__: one for one in classes}.get(form)
    if made is None:
        raise Mismatch(f"it holds a {form}, which is not one of phyvae's.")
    check_fields(made, parts)
    return made(**parts)


def check_fields(of: type, parts: Mapping[str, Any]) -> None:
    """Raise an error unless the values have the types, and shapes, of the fields of a class."""
    with jaxtyped("context"):  # of which the names of axes bind within a class
        for name, declared in get_type_hints(of).items():
            if name in parts and not _fits(parts[name], declared):
                raise Mismatch(f"{name} of its {of.__name__} is no {declared}.")


def _fits(value: Any, declared: Any) -> bool:
    origin = get_origin(declared)
    if declared is Any:
        return True
    if origin in (Union, UnionType):
        return any(_fits(value, one) for one in get_args(declared))
    if origin is tuple:
        kinds = get_args(declared)
        if not isinstance(value, tuple):
            return False
        kinds = kinds[:1] * len(value) if kinds[1:] == (...,) else kinds
        return len(kinds) == len(value) and all(map(_fits, value, kinds))
    if origin is not None and issubclass(origin, Mapping):
        return isinstance(value, Mapping) and all(
            _fits(one, get_args(declared)[1]) for one in value.values()
        )
    if declared is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, declared if origin is None else origin)


def _kept(tensor: Tensor, tensors: dict[str, Tensor]) -> str:
    # A copy: a file holds no two tensors of one memory.
    name = f"part/{len(tensors)}"
    tensors[name] = tensor.detach().cpu().clone().contiguous()
    return name


def _array(array: np.ndarray, tensors: dict[str, Tensor]) -> dict[str, Any]:
    """Store an array under its own dtype, or, where torch has no such, as bytes."""
    plain = np.ascontiguousarray(array)
    if array.dtype.isnative and array.dtype.name in _NATIVE:
        values = torch.from_numpy(np.array(plain))
    else:
        values = torch.from_numpy(np.frombuffer(plain.tobytes(), np.uint8).copy())
    return {"name": _kept(values, tensors), "dtype": array.dtype.str, "shape": list(array.shape)}


def _unpacked_array(
    tensors: Mapping[str, Tensor], name: str, dtype: str, shape: list[int]
) -> np.ndarray:
    kind = np.dtype(dtype)
    if kind.kind not in _KINDS:
        raise Mismatch(f"it holds an array of {dtype}.")
    values: np.ndarray = tensors[name].numpy()
    if values.dtype != kind:
        values = np.frombuffer(values.tobytes(), kind)
    return values.reshape(shape)
