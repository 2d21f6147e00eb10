"""Settings of a run as a TOML file: every choice with its reason, and those to be read back."""

import json
import tomllib
from collections.abc import Mapping
from typing import Any

from .._checks import brief
from ..saving.contents import AnyPath
from .choices import Choice

__all__ = ["READ_BACK", "read_settings", "settings_text"]

READ_BACK = ("classes", "size", "step", "flatten", "w", "strength", "train", "seed")
"""Arguments of `find_domains` that a file can give."""


def settings_text(settings: Mapping[str, Choice], title: str, *, answered: bool = True) -> str:
    """Return the text of a settings file.

    settings: Choices by name. Those of `READ_BACK` stand under ``[settings]``, others under
        ``[others]``.
    title: What was analysed.
    answered: Whether there is an answer. Without one, sizes are those of a first look, and are
        comments: read back, they would count as given.
    """
    mine = [name for name in READ_BACK if name in settings]
    others = [name for name in settings if name not in READ_BACK]
    first = () if answered else ("classes", "size", "step", "flatten")
    lines = [f"# {_in_a_line(title)}", "", "[settings]"]
    lines += [("# " if name in first else "") + _line(name, settings[name]) for name in mine]
    lines += ["", "[others]  # not read back", *(_line(name, settings[name]) for name in others)]
    return "\n".join(lines) + "\n"


def read_settings(path: AnyPath) -> dict[str, Any]:
    """Return the arguments of `find_domains` that a settings file gives.

    Raises OSError if the file cannot be opened; ValueError if it is no TOML, has no table
    ``[settings]`` or others than that and ``[others]``, or gives a setting that is not one of
    `READ_BACK`.
    """
    try:
        with open(path, "rb") as file:
            tables = tomllib.load(file)
    except OSError as error:
        raise type(error)(f"{path} cannot be opened: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: no TOML file: {error}") from None
    outside = sorted(tables.keys() - {"settings", "others"})
    if outside:
        raise ValueError(
            f"{path} has {brief(outside)} outside of [settings]; write that line above."
        )
    given = tables.get("settings")
    if not isinstance(given, dict):
        raise ValueError(f"{path} has no table [settings]; it takes {', '.join(READ_BACK)}.")
    if not given.keys() <= set(READ_BACK):
        unknown = sorted(given.keys() - set(READ_BACK))
        raise ValueError(f"{path}: [settings] takes {', '.join(READ_BACK)}, not {brief(unknown)}.")
    return {name: tuple(v) if isinstance(v, list) else v for name, v in given.items()}


def _line(name: str, choice: Choice) -> str:
    value = choice.value
    if isinstance(value, tuple | list):
        text = f"[{', '.join(map(_value, value))}]"
    else:
        text = _value(value)
    return f"{name} = {text}  # {_in_a_line(choice.reason)}"


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int | float):
        return repr(value)
    return json.dumps(str(value), ensure_ascii=False).replace("\x7f", "\\u007f")


def _in_a_line(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
