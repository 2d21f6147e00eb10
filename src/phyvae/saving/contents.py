"""Parts of a sealed file: versions, weights by name, and errors with the file's name."""

import contextlib
import functools
import os
from collections.abc import Iterator
from importlib.metadata import version

from torch import Tensor, nn

from .plain import differences
from .sealed import CheckpointError

__all__ = ["AnyPath", "Mismatch", "check_weights", "part_of", "refusing", "versions"]

AnyPath = str | os.PathLike[str]
"""A path as users give it."""


class Mismatch(ValueError):
    """The contents of a file do not fit; the error that users see adds the file's name."""


@functools.cache
def versions() -> dict[str, str]:
    """Return the versions of phyvae and the packages that the contents depend on."""
    return {name: version(name) for name in ("phyvae", "torch", "pyro-ppl", "pyroved")}


def part_of(tensors: dict[str, Tensor], prefix: str = "") -> dict[str, Tensor]:
    """Return the tensors whose name has this prefix, without it; without a prefix, the weights."""
    if not prefix:
        return {name: tensor for name, tensor in tensors.items() if "/" not in name}
    return {k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)}


def check_weights(module: nn.Module, tensors: dict[str, Tensor], prefix: str = "") -> None:
    """Raise an error unless the tensors have the names, shapes and types of the module's."""
    here, there = (
        {name: (tuple(tensor.shape), str(tensor.dtype)) for name, tensor in tensors.items()}
        for tensors in (module.state_dict(), part_of(tensors, prefix))
    )
    unlike = list(differences(here, there))
    if unlike:
        raise Mismatch(f"its {prefix or 'weights'} are other ones: {'; '.join(unlike)}.")


@contextlib.contextmanager
def refusing(path: AnyPath) -> Iterator[None]:
    """Turn any error with the contents of a sealed file into a `CheckpointError`."""
    try:
        yield
    except CheckpointError:
        raise
    except Mismatch as error:
        raise CheckpointError(f"{os.fspath(path)!r} cannot be loaded: {error}") from None
    except Exception as error:
        raise CheckpointError(
            f"{os.fspath(path)!r} has unexpected contents: {type(error).__name__}: {error}"
        ) from error
