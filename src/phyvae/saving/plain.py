"""Values as JSON gives them back, and the differences between two of them."""

import math
from collections.abc import Callable, Iterator
from numbers import Integral, Real
from typing import Any

from torch import nn

__all__ = ["differences", "plain"]


def plain(value: Any, describe: Callable[[Any], Any] | None = None) -> Any:
    """Return the value as JSON gives it back.

    value: None, a string, a number, or a list of these.
    describe: Called with what JSON has no form for; ``None`` refuses it.

    Raises TypeError if JSON cannot hold it.
    """
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, Integral):
        return int(value)
    if isinstance(value, Real):
        return float(value) if math.isfinite(value) else repr(float(value))
    if isinstance(value, list | tuple | nn.ModuleList):
        return [plain(item, describe) for item in value]
    if describe is None:
        raise TypeError(f"{value!r} of type {type(value).__name__} does not go into JSON.")
    return describe(value)


def differences(
    here: Any, there: Any, name: str = "", *, where: str = "in the file"
) -> Iterator[str]:
    """Yield the differences between two JSON values, in words; `where` names the place of `there`.

    Keys of the first come first, in their order.
    """
    if isinstance(here, dict) and isinstance(there, dict):
        for key in [*here, *(key for key in there if key not in here)]:
            inner = f"{name}.{key}" if name else key
            yield from differences(here.get(key), there.get(key), inner, where=where)
    elif here != there:
        yield f"{name} is {here!r} here, but {there!r} {where}"
