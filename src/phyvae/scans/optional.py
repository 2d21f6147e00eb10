"""Packages that not everyone needs: imported at use, with an error that names the cure."""

from importlib import import_module
from typing import Any

__all__ = ["EXTRA", "imported"]

EXTRA = 'python -m pip install ".[{}]", in a clone of phyvae'  # which is on no index of packages


def imported(module: str, purpose: str, command: str = EXTRA.format("io")) -> Any:
    """Import a module, or raise an ImportError with the command that installs it."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise ImportError(f"{purpose} takes the package {package}: {command}") from None
