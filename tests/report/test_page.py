"""A page is one file that loads nothing and shows text as text."""

import sys
from html.parser import HTMLParser

import numpy as np
import pytest

import pages
from phyvae.report.contents import Cells, Patches
from phyvae.report.page import png_address, write_page


class Parsed(HTMLParser):
    """Addresses that a browser would load, text outside scripts, and tags that stay open."""

    def __init__(self, html):
        super().__init__()
        self.loaded, self.text, self.open = [], "", []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.loaded += [known[key] for key in ("src", "srcset", "data", "action") if key in known]
        self.loaded += [known["href"]] if tag == "link" else []
        if tag not in ("meta", "img", "link", "br", "input"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data


@pytest.fixture
def written(tmp_path):
    def write(page):
        write_page(tmp_path / "page.html", page)
        return (tmp_path / "page.html").read_text(encoding="utf-8")

    return write


@pytest.mark.parametrize(
    "page",
    [pages.contents(), pages.of_spectra(), pages.at_sites(), pages.unanswered()],
    ids=["raster", "spectra", "sites", "unanswered"],
)
def test_loads_nothing_and_is_well_formed(written, page):
    parsed = Parsed(written(page))
    assert parsed.loaded == []
    assert parsed.open == []


def test_text_is_text(written):
    parsed = Parsed(written(pages.contents()))
    for one in (pages.NAME, "2 domains: as <i>asked</i>", "<u>phantom</u>", "<s>two cells</s>"):
        assert one in parsed.text
    assert "10.1088/2632-2153/acf6a9" in parsed.text
    assert "phyvae 0." in parsed.text


def test_pictures_are_in_the_page(written):
    parsed = Parsed(written(pages.contents(figures={"mean cells": b"\x89PNG"})))
    assert parsed.loaded == [png_address(b"\x89PNG")] == ["data:image/png;base64,iVBORw=="]
    assert "mean cells" in parsed.text


def test_the_largest_page_is_below_10_mb(written):
    """As large as `Domains.report` makes them: 1.5 Mpx, 20000 cells, 1.5 Mpx of patches."""
    rng = np.random.default_rng(0)
    n, k, most = 20_000, 2400, 1_500_000
    index = np.stack(np.divmod(np.arange(n), 200), axis=1)
    lines = rng.random((3 * n // 2, 2))  # every cell in five has walls of its own
    cells = Cells(
        index, 10.0 * index, np.array([10.0, 10.0]), rng.random((2, n)), rng.random((2, n)),
        {k: rng.integers(0, k, n) for k in range(1, 7)}, dict.fromkeys(range(1, 7), lines),
    )  # fmt: skip
    decoded = rng.integers(0, 256, (k, 25, most // k // 25)).astype(np.uint8)
    patches = Patches(decoded.shape[1:], rng.integers(0, k, n), np.arange(k), decoded)
    image = rng.integers(0, 256, (1000, 1500)).astype(np.uint8)
    assert len(written(pages.contents(image=image, cells=cells, patches=patches))) < 10e6


def test_without_bokeh_the_error_names_the_extra(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "bokeh.embed", None)
    with pytest.raises(ImportError, match=r'python -m pip install "\.\[report\]", in a clone'):
        write_page(tmp_path / "page.html", pages.contents())
    assert not (tmp_path / "page.html").exists()
