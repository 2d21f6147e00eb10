import matplotlib.pyplot as plt
import numpy as np
import pytest

from phyvae.plotting.panels import (
    COLOURS,
    add_colourbar,
    colour_of,
    finished,
    label_colours,
    label_outer,
    latent_name,
    new_panels,
    show_image,
    show_row,
)


def test_each_label_has_its_colour_and_a_tick():
    colours, low, high, ticks = label_colours(np.array([0, 2, 2]))
    assert (low, high, list(ticks)) == (-0.5, 2.5, [0, 1, 2])
    rgb = [tuple(round(255 * c) for c in colours((k - low) / (high - low))[:3]) for k in range(3)]
    assert ["#{:02X}{:02X}{:02X}".format(*c) for c in rgb] == list(COLOURS[:3])


def test_no_two_labels_have_one_colour():
    colours, *_ = label_colours(np.arange(20))
    seen = np.array([colours(k)[:3] for k in range(20)])
    apart = np.linalg.norm(seen[:, None] - seen, axis=-1) + 9 * np.eye(20)
    assert apart.min() > 0.2
    assert len({colour_of(k) for k in range(1000)}) == 1000


def test_no_label_is_no_error():
    assert label_colours(np.array([], dtype=int))[3] == range(1)


def test_rows_go_down_and_pixels_are_square_whatever_the_users_style():
    _, axes = new_panels(1, 1, 3.4)
    with plt.rc_context({"image.origin": "lower", "image.aspect": "auto"}):
        shown = show_image(axes[0, 0], np.zeros((2, 3)))
    assert shown.origin == "upper"
    assert axes[0, 0].get_aspect() == 1


def test_the_outer_panels_alone_have_labels_and_the_page_is_trimmed():
    fig, axes = new_panels(2, 2, 5.0)
    for row in axes:
        show_row(row, np.random.default_rng(0).random((1, 4, 5)), np.eye(4, 5, dtype=int),
                 (-0.5, 4.5, 3.5, -0.5))  # fmt: skip
    label_outer(axes, "nm")
    finished(fig)
    assert [ax.get_xlabel() for ax in axes.flat] == ["", "", "x (nm)", "x (nm)"]
    assert [ax.get_ylabel() for ax in axes.flat] == ["y (nm)", "", "y (nm)", ""]
    assert fig.get_figheight() < 9.5
    assert axes[0, 0].get_title() == latent_name(0)


def test_a_colourbar_is_as_high_as_its_panel():
    _, axes = new_panels(1, 1, 3.4)
    bar = add_colourbar(axes[0, 0], show_image(axes[0, 0], np.eye(3)))
    bar.ax.figure.draw_without_rendering()
    panel, cax = axes[0, 0].get_window_extent(), bar.ax.get_window_extent()
    assert cax.height == pytest.approx(panel.height, rel=1e-3)
