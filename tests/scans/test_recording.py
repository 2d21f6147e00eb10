"""Axes of recordings: what they are, and their steps in nm."""

import numpy as np
import pytest

from phyvae.scans.recording import Axis, nanometres, plain, quantity, stated


@pytest.mark.parametrize(
    ("axis", "kind"),
    [
        (Axis("Energy loss", "eV"), "spectral"),
        (Axis("wavelength", "nm"), "spectral"),
        (Axis("wavenumber", "1/cm"), "spectral"),
        (Axis("time", ""), "frame"),
        (Axis("z", "nm"), "frame"),
        (Axis("y", "1/nm"), "reciprocal"),
        (Axis("kx", "mrad"), "reciprocal"),
        (Axis("Width", ""), "length"),
        (Axis("", "pm"), "length"),
        (Axis("q", ""), ""),
    ],
    ids=lambda value: value if isinstance(value, str) else value.name,
)
def test_kind_is_by_name_or_else_by_unit(axis, kind):
    assert axis.kind == kind


class TestStep:
    def test_it_is_in_nm(self):
        assert Axis("x", "pm", 8.17).step() == (pytest.approx(0.00817), "")
        assert Axis("x", "nm", values=np.array([3.0, 2.5, 2.0])).step() == (0.5, "")

    @pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
    def test_a_scale_that_is_no_length_is_no_calibration(self, scale):
        size, why = Axis("x", "nm", scale).step()
        assert size is None
        assert "is no length" in why

    @pytest.mark.parametrize(
        ("axis", "why"),
        [
            (Axis("x", "", 1.0), "step 1 has no unit"),
            (Axis("x", "px", 1.0), "step 1 has no unit"),
            (Axis("x"), ""),
            (Axis("x", "", 0.3), "step 0.3 has no unit"),
            (Axis("x", "furlong", 1.0), "step 1 has unit 'furlong'"),
            (Axis("x", "nm", values=np.array([0.0, 1.0, 3.0])), "axis 'x' has uneven steps"),
            (Axis("x", "nm", values=np.array([0.0, np.nan])), "axis 'x' has uneven steps"),
            (Axis("x", "nm", values=np.array([1.0, 1.0])), "step 0 is no length"),
        ],
        ids=lambda value: repr(value) if isinstance(value, str) else "",
    )
    def test_without_a_unit_there_is_none(self, axis, why):
        assert axis.step() == (None, why)


def test_values_at_each_index():
    np.testing.assert_array_equal(Axis("E", "eV", 2.0, 300.0).at(3), [300, 302, 304])
    assert Axis("E").at(3) is None
    assert plain(np.zeros((2, 3))).axes[1].kind == ""


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
