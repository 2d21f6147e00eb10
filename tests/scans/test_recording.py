"""Axes of recordings: what they are, and their steps in nm."""

import numpy as np
import pytest

from phyvae.scans.recording import Axis, plain


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
            (Axis("x", "", 1.0), ""),
            (Axis("x", "px", 1.0), ""),
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
