"""Packages that not everyone needs: imported at use, with an error that names the cure."""

from importlib import import_module
from typing import Any

__all__ = ["extra", "imported"]


def extra(name: str) -> str:
    """Return the command that installs an extra of phyvae, which is on no index of packages."""
    return f'python -m pip install ".[{name}]", in a clone of phyvae'


def imported(module: str, purpose: str, command: str = extra("io")) -> Any:
    """Import a module, or raise an ImportError with the command that installs it."""
    try:
        return import_module(module)
    except ImportError:
        package = module.partition(".")[0]
        raise ImportError(f"{purpose} takes the package {package}: {command}") from None
