"""Where progress bars are shown."""

import sys

import pytest
from tqdm.notebook import tqdm as in_notebook

from phyvae.compute import progress
from phyvae.compute.progress import silent


class Stream:
    def __init__(self, terminal):
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize(
    ("stream", "wanted"), [(Stream(True), False), (Stream(False), True), (None, True)]
)
def test_bars_are_for_terminals(stream, wanted, monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream)
    assert silent(True) is wanted
    assert silent(False)


def test_a_notebook_has_them_though_its_output_is_no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Stream(False))
    monkeypatch.setattr(progress, "tqdm", in_notebook)
    assert not silent(True)
    assert silent(False)


def test_one_of_several_processes_shows_them(monkeypatch):
    monkeypatch.setattr(sys, "stderr", Stream(True))
    monkeypatch.setattr(progress, "rank", lambda: 1)
    assert silent(True)
