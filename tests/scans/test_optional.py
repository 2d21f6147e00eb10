"""Optional packages are imported at use."""

import math

import pytest

from phyvae.scans.optional import imported


def test_a_module_is_imported():
    assert imported("math", "reading") is math


def test_without_it_the_error_names_the_command():
    words = r'reading .xyz files takes the package nowhere: python -m pip install "\.\[io\]", in'
    with pytest.raises(ImportError, match=words):
        imported("nowhere.read", "reading .xyz files")
