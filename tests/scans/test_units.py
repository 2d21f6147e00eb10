"""Units of length become nanometres; others say what an axis is."""

import pytest

from phyvae.scans.units import nanometres, quantity, stated


@pytest.mark.parametrize(
    ("unit", "length"),
    [
        ("pm", 1e-3), ("nm", 1), ("um", 1e3), ("\u00b5m", 1e3), ("\u03bcm", 1e3), ("mm", 1e6),
        ("\\u00B5m", 1e3), ("cm", 1e7), ("m", 1e9), ("\u00c5", 0.1), ("\u212b", 0.1), ("A", 0.1),
        ("Angstrom", 0.1), ("micron", 1e3), ("nanometre", 1), ("micrometers", 1e3), (" NM ", 1),
        ("px", None), ("", None), ("1/nm", None), ("eV", None), ("furlong", None),
    ],
)  # fmt: skip
def test_lengths(unit, length):
    assert nanometres(unit) == length


@pytest.mark.parametrize(
    ("kind", "units"),
    [
        ("length", ["nm", "\u00b5m", "\u00c5", "m"]),
        ("reciprocal", ["1/nm", "1 / Å", "nm^-1", "nm-1", "nm\u207b\u00b9", "mrad", "1/(nm)"]),
        ("spectral", ["eV", "keV", "V", "cm-1", "1/cm"]),
        ("frame", ["s", "K", "ms"]),
        ("", ["", "px", "counts", "-1", "1/"]),
    ],
)
def test_what_a_unit_measures(kind, units):
    assert [quantity(unit) for unit in units] == [kind] * len(units)


def test_some_units_stand_for_none():
    assert [stated(unit) for unit in ("[]", "pixel", "<undefined>", "nm")] == ["", "", "", "nm"]
