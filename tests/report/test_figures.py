"""Figures of a page share one source of cells."""

from dataclasses import replace

import numpy as np
import pytest

import pages
from phyvae.report.figures import figures_of


def sources(page):
    return {one for root in figures_of(page) for one in root.select({"name": "cells"})}


def test_all_figures_share_one_source_of_cells():
    (source,) = sources(pages.contents())
    assert source.data["z1"].tolist() == pages.contents().cells.maps[0].tolist()


def test_maps_move_with_the_image():
    image, _, *maps = figures_of(pages.contents())
    ranges = {id(one.x_range) for one in (image.children[0], *maps)}
    assert len(ranges) == 1


def test_a_patch_at_the_rim_is_cut_within_the_image():
    """Of an image that was made smaller, corners may be rounded beyond it."""
    page = pages.contents(image=pages.contents().image[:49])
    (source,) = sources(page)
    assert source.data["top"].max() == 49 - pages.SIZE[0]


@pytest.mark.parametrize("shape", [(69, 23), (23, 69)])
def test_a_narrow_patch_has_room_for_its_title_and_keeps_its_shape(shape):
    page = pages.contents()
    patches = replace(page.patches, shape=shape)
    for patch in (
        figures_of(replace(page, patches=patches, scale=(0.1, 0.1)))[1].children[1].children
    ):
        assert patch.frame_width >= 180
        one = patch.frame_width / (patch.x_range.end - patch.x_range.start)
        other = patch.frame_height / (patch.y_range.start - patch.y_range.end)
        assert abs(one / other - 1) < 0.01
        assert patch.x_range.start + patch.x_range.end == shape[1]


def test_what_was_left_out_is_hatched_under_the_domains():
    page = pages.contents()
    plain = figures_of(page)[0].children[0]
    image = figures_of(replace(page, hatching=np.ones_like(page.image)))[0].children[0]
    assert plain.select_one({"name": "hatching"}) is None
    names = [one.name for one in image.renderers]
    assert names.index("hatching") < names.index("outlines")


def test_twenty_domains_have_twenty_colours():
    page = pages.contents()
    labels = {20: np.arange(page.cells.maps.shape[1]) % 20}
    cells = replace(
        page.cells, labels=labels, walls=dict.fromkeys(range(1, 21), page.cells.walls[1])
    )
    image = figures_of(replace(page, cells=cells, number=20))[0].children[0]
    colours = image.select_one({"name": "outlines"}).glyph.fill_color["transform"]
    assert (colours.low, colours.high, len({*colours.palette})) == (-0.5, 19.5, 20)


def test_pixels_that_are_not_square_keep_their_shape():
    figure = figures_of(pages.contents())[0].children[0]
    height, width = (n * side for n, side in zip((52, 72), (0.1, 0.05), strict=True))
    assert abs(figure.frame_height / figure.frame_width - height / width) < 0.01
