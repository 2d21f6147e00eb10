"""Panels have the shapes asked for, even gaps, and lie in the figure without overlap."""

import itertools

import pytest

from figures import inches
from phyvae.plotting.placing import Group, placed

GROUPS = [Group(6, 0.8, 4), Group(3, 3.0, 4), Group(20, 1.0, 8, right=0.15), Group(5, 0.25, 2)]


@pytest.mark.parametrize("width", [3.4, 7.0])
def test_panels_have_their_shape_and_do_not_overlap(width):
    fig, groups = placed(GROUPS, width)
    assert [len(axes) for axes in groups] == [6, 3, 20, 5]
    for group, axes in zip(GROUPS, groups, strict=True):
        for ax in axes:
            left, bottom, right, top = inches(ax)
            assert (top - bottom) / (right - left) == pytest.approx(group.aspect)
            assert left >= 0
            assert bottom >= 0
            assert right + group.right <= width + 1e-6
            assert top <= fig.get_figheight()
    boxes = [inches(ax) for axes in groups for ax in axes]
    for one, two in itertools.combinations(boxes, 2):
        apart = one[2] <= two[0] or two[2] <= one[0] or one[3] <= two[1] or two[3] <= one[1]
        assert apart


def test_gaps_are_even_and_no_band_is_empty():
    fig, (first, tall, *_) = placed(GROUPS, 7.0)
    lefts = [inches(ax)[0] for ax in tall]
    assert lefts[2] - lefts[1] == pytest.approx(lefts[1] - lefts[0])
    assert inches(first[-1])[1] - inches(tall[0])[3] < 0.5
    assert fig.get_figheight() - inches(first[0])[3] < 0.4
