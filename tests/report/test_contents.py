"""Contents of a page are plain, and do not change."""

from dataclasses import FrozenInstanceError

import pytest

import pages


def test_contents_do_not_change():
    with pytest.raises(FrozenInstanceError):
        pages.contents().title = "other"
