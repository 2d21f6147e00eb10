"""Arrays brought to NumPy, whatever holds them: other packages' arrays, tensors, masked arrays."""

from typing import Any, Literal, TypeAlias

import numpy as np
import torch
from torch import Tensor

__all__ = ["as_array", "as_real", "brief"]

Fill: TypeAlias = float | Literal["missing"] | None
_NUMPY_FLOATS = (torch.float16, torch.float32, torch.float64)


def as_array(values: Any, name: str = "values", masked: Fill = None) -> np.ndarray:
    """Bring a tensor of any device, layout and precision, or anything like an array, to NumPy.

    Masked values become `masked`, which is -1 of integers and NaN of others if "missing"; without
    one, they are refused: they are not data. An array of dask, also in a HyperSpy signal, is
    computed first, with its mask.
    """
    if isinstance(values, Tensor):
        return _from_torch(values)
    if isinstance(values, list | tuple) and any(isinstance(part, Tensor) for part in values):
        values = [as_array(part, name, masked) for part in values]
    if isinstance(values, list | tuple) and any(map(np.ma.isMaskedArray, values)):
        values = np.ma.stack(values)
    if not isinstance(values, np.ndarray):
        values = _numbers(values, name)
    if np.ma.is_masked(values):
        if masked is None:
            raise ValueError(
                f"{name} is a masked array without {np.count_nonzero(values.mask)} of its values, "
                f"but every value counts here; fill them, {name}.filled(value), or leave out the "
                f"rows they are in: {name}[~{name}.mask.any(1)]."
            )
        kind = values.dtype.kind
        number = (-1 if kind in "iu" else np.nan) if masked == "missing" else masked
        fill = np.array(number, values.dtype if kind == "f" or number == 0 else None)
        return np.where(values.mask, fill, values.data)
    try:
        return np.asarray(values)
    except ValueError:
        raise ValueError(
            f"{name}={brief(values)} is no array: its rows differ in length."
        ) from None


def _numbers(values: Any, name: str) -> Any:
    """Return the array that an object holds, computed; raise an error if there is not one."""
    kind = type(values).__name__
    is_array = hasattr(values, "dtype") or hasattr(values, "__array_interface__")
    if hasattr(values, "toarray"):
        raise TypeError(f"{name} is a sparse matrix, {kind}; write it out: {name}.toarray().")
    if hasattr(values, "keys") and not is_array:
        keys = ", ".join(map(repr, values))
        raise TypeError(
            f"{name} of type {kind} holds arrays by name; pass one of them, {name}[key]: {keys}."
        )
    if hasattr(values, "close") and not is_array:
        raise TypeError(
            f"{name} of type {kind} is an open file; pass its array, or its path to phyvae.read."
        )
    if hasattr(values, "axes_manager"):  # a HyperSpy signal
        values = values.data
    return values.compute() if callable(getattr(values, "compute", None)) else values


def _from_torch(tensor: Tensor) -> np.ndarray:
    tensor = tensor.detach().cpu()
    if tensor.layout != torch.strided:
        tensor = tensor.to_dense()
    if tensor.is_floating_point() and tensor.dtype not in _NUMPY_FLOATS:
        tensor = tensor.float()  # bfloat16 and shorter ones, which NumPy has not
    return np.asarray(tensor.resolve_conj().resolve_neg().numpy())


def as_real(values: Any, name: str, cure: str = "", *, masked: Fill = None) -> np.ndarray:
    """Bring values to an array of real numbers, bools and integers among them; see `as_array`.

    Floats longer than float64 become float64, infinite if they are too large. The cure, which ends
    the error, is that of complex numbers.
    """
    array = as_array(values, name, masked)
    if array.dtype.names:
        first, *others = array.dtype.names
        raise TypeError(
            f"{name} has the fields {', '.join(map(repr, (first, *others)))} in each element; "
            f"pass one of them: {name}[{first!r}]."
        )
    if array.dtype == object and array.ndim == 0:
        raise TypeError(f"{name}={brief(values)} must be an array of real numbers.")
    if array.dtype == object:
        raise TypeError(
            f"{name} has dtype object, but must be real; if it holds numbers: "
            f"{name}.astype(float)."
        )
    if array.dtype.kind not in "buif":
        raise TypeError(
            f"{name} has dtype {array.dtype}, but must be real"
            f"{cure if array.dtype.kind == 'c' else ' numbers'}."
        )
    if array.dtype.kind == "f" and array.itemsize > 8:
        with np.errstate(over="ignore"):
            array = array.astype(np.float64)
    return array


def brief(value: object) -> str:
    """Return a value as an error message shows it: short, whatever it is."""
    if isinstance(value, Tensor | np.ndarray):
        return f"<{type(value).__name__} of shape {tuple(value.shape)}>"
    text = repr(value)
    is_short = len(text) <= 60 and "\n" not in text and " object at 0x" not in text
    return text if is_short else f"<{type(value).__name__}>"
