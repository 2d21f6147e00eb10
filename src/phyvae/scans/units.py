"""Units of the axes of recordings: lengths in nm, and what other units measure."""

import re
import unicodedata

__all__ = ["nanometres", "quantity", "stated"]

_METRE = {"pm": 1e-3, "nm": 1.0, "um": 1e3, "mm": 1e6, "cm": 1e7, "m": 1e9, "inch": 2.54e7}
_WORDS = {"pico": "p", "nano": "n", "micro": "u", "milli": "m", "centi": "c", "": ""}
_LENGTHS = (
    _METRE
    | {prefix + word: _METRE[short + "m"] for prefix, short in _WORDS.items() for word in
       ("meter", "meters", "metre", "metres")}
    | dict.fromkeys(("å", "a", "angstrom", "angstroms", "ångström", "ångstrom"), 0.1)
    | {"micron": 1e3, "microns": 1e3, "in": 2.54e7}
)  # fmt: skip
_SPECTRAL = {"ev", "kev", "mev", "v", "mv", "hz", "khz", "mhz", "ghz", "1/cm", "cm-1", "cm^-1"}
_FRAME = {"s", "ms", "us", "ns", "min", "h", "k", "°c", "frame", "frames", "slice", "slices"}
_NONE = {"", "px", "pixel", "pixels", "none", "<undefined>", "unknown", "a.u.", "arb"}
_ANGLES = {"rad", "mrad", "urad", "deg", "°"}


def _plain(unit: str) -> str:
    """Return a unit in lower case, with one code point for each sign."""
    text = unicodedata.normalize("NFKC", unit.replace("\\u00B5", "µ").replace("\\u00b5", "µ"))
    return text.strip().lower().replace("μ", "u").replace("−", "-").strip("()[]")


def stated(unit: str) -> str:
    """Return a unit, "" if it stands for none."""
    return "" if _plain(unit) in _NONE else unit


def nanometres(unit: str) -> float | None:
    """Return the length of a unit, nm; ``None`` if it is no unit of length."""
    return _LENGTHS.get(_plain(unit))


def quantity(unit: str) -> str:
    """Return the quantity of a unit: length, reciprocal, spectral, frame; "" if unknown."""
    text = _plain(unit)
    if text in _SPECTRAL:
        return "spectral"
    if text in _FRAME:
        return "frame"
    reciprocal = re.fullmatch(r"1\s*/\s*\(?(.+)|(.+?)\s*(?:\*\*|\^)?\s*\(?-1\)?", text)
    if text in _ANGLES or (reciprocal and (reciprocal[1] or reciprocal[2]) in _LENGTHS):
        return "reciprocal"
    return "length" if text in _LENGTHS else ""
