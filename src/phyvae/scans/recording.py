"""A recording: numbers with axes, as a file or an object has them."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

__all__ = ["Axis", "Recording", "nanometres", "plain", "quantity", "stated"]

_NAMES = {
    "length": {"y", "x", "height", "width", "row", "rows", "col", "cols", "column", "columns"},
    "spectral": {
        *("energy", "energy loss", "energy_loss", "eloss", "e", "wavelength", "wavenumber"),
        *("raman shift", "frequency", "bias", "voltage", "v", "spectrum", "spectral", "channel"),
    },
    "frame": {"time", "t", "frame", "frames", "z", "slice", "slices", "stack", "image", "images"},
}
_DOWNWARDS = {"y", "height", "row", "rows"}
_ACROSS = {"x", "width", "col", "cols", "column", "columns"}
_EVEN = 1e-3  # of a step: by so much may steps differ
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


@dataclass(frozen=True, eq=False)
class Axis:
    """One axis of a recording.

    name, unit: As recorded, or "".
    scale: Step from one index to the next, in the unit.
    offset: Value at index 0.
    values: Values at all indices, in place of scale and offset.
    is_signal: Whether it is an axis of what was measured at each position; ``None`` if unknown.
    """

    name: str = ""
    unit: str = ""
    scale: float | None = None
    offset: float = 0.0
    values: np.ndarray | None = None
    is_signal: bool | None = None

    @property
    def kind(self) -> str:
        """length, reciprocal, spectral or frame, by name or else by unit; "" if unknown."""
        name = self.name.strip().lower()
        named = [kind for kind, names in _NAMES.items() if name in names]
        measured = quantity(self.unit)
        if measured == "reciprocal" and named != ["spectral"]:
            return measured
        return named[0] if named else measured

    @property
    def is_downwards(self) -> bool:
        """Whether its name is that of the axis of rows."""
        return self.name.strip().lower() in _DOWNWARDS

    @property
    def is_across(self) -> bool:
        """Whether its name is that of the axis of columns."""
        return self.name.strip().lower() in _ACROSS

    def at(self, count: int) -> np.ndarray | None:
        """Return its values at each index, float64; ``None`` if it has no scale."""
        if self.values is not None:
            return np.asarray(self.values, np.float64)
        return None if self.scale is None else self.offset + self.scale * np.arange(count)

    def step(self) -> tuple[float | None, str]:
        """Return the length of a pixel along it, nm, or ``None`` and why."""
        scale, unit = self.scale, nanometres(self.unit)
        if self.values is not None:
            steps = np.diff(np.asarray(self.values, np.float64))
            scale = float(abs(steps.mean())) if len(steps) else None
            if scale is not None and not np.ptp(steps) <= _EVEN * scale:
                return None, f"axis {self.name!r} has uneven steps"
        if scale is None:
            return None, ""
        if unit is None:
            given = stated(self.unit)
            why = f"step {scale:.4g} has " + (f"unit {given!r}" if given else "no unit")
            return None, why
        usable = np.isfinite(scale) and scale > 0
        return (scale * unit, "") if usable else (None, f"step {scale:g} is no length")


@dataclass(frozen=True, eq=False)
class Recording:
    """One channel of a file, or an object; see `scans_from` for what becomes of it."""

    data: Any
    axes: tuple[Axis, ...]
    channel: str = ""
    metadata: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def plain(data: Any, *notes: str) -> Recording:
    """Return a recording whose axes have no names."""
    return Recording(data, tuple(Axis() for _ in np.shape(data)), notes=notes)


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
