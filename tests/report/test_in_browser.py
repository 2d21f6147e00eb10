"""A page in a browser: cells are pointed at, lassos drawn, sliders moved."""

import numpy as np
import pytest

import pages
from browsers import Browser
from phyvae.report.page import write_page

pytestmark = pytest.mark.slow

IMAGE, SCATTER = 0, 1  # of the figures, in their order
MAPS = (-2, -1)


@pytest.fixture(scope="module")
def browser():
    found = Browser()
    yield found
    found.driver.quit()


@pytest.fixture
def shown(browser, tmp_path):
    def show(page):
        write_page(tmp_path / "page.html", page)
        browser.open(tmp_path / "page.html")
        return browser

    yield show
    assert browser.errors() == []


def center(page, cell):
    """Return x and y of a cell in the unit of the page."""
    y, x = page.cells.centers[cell] * page.scale
    return x, y


def patch_at(page, cell):
    height, width = page.patches.shape
    top, left = np.array(pages.STEP) * page.cells.index[cell]
    return page.image[top : top + height, left : left + width]


def image_of(source):
    ((shape, values),) = source["image"]
    return np.reshape(values, shape)


@pytest.mark.parametrize("page", [pages.contents(), pages.at_sites()], ids=["raster", "sites"])
def test_a_cell_pointed_at_shows_its_patches_and_its_values(shown, page):
    browser, cell = shown(page), 21
    for figure, place in (
        (IMAGE, center(page, cell)),
        (SCATTER, page.cells.maps[:, cell]),
        (len(page.cells.maps) + 2, center(page, cell)),
    ):
        browser.move(browser.place(IMAGE, *center(page, 40)))
        browser.move(browser.place(figure, *place))
        browser.wait_for_cell(cell)
        np.testing.assert_array_equal(image_of(browser.source("patch")), patch_at(page, cell))
        np.testing.assert_array_equal(image_of(browser.source("decoded")), np.full(pages.SIZE, 21))
        text = browser.text()
        assert "row 2, column 5" in text
        assert "5.00 ± 0.25" in text
        assert "2.00 ± 0.25" in text
        assert {"patch (2, 5)", "decoded (2, 5)"} < {*browser.properties("title.text")}


def test_a_lasso_in_the_scatter_plot_lights_up_the_cells(shown):
    page = pages.contents()
    browser = shown(page)
    one, other = center(page, 17), center(page, 22)
    before = browser.colour(MAPS[0], *one), browser.colour(MAPS[0], *other)
    browser.lasso(SCATTER, (-0.2, 1.5), (1.5, 1.5), (1.5, 4.5), (-0.2, 4.5))
    expected = np.flatnonzero((page.cells.maps[0] <= 1) & (abs(page.cells.maps[1] - 3) < 1.5))
    assert browser.selected() == expected.tolist()
    after = browser.colour(MAPS[0], *one), browser.colour(MAPS[0], *other)
    assert np.abs(after[0] - before[0]).max() < 3
    assert (after[1] > before[1] + 20).any()  # faint
    browser.escape()
    assert browser.selected() == []


def test_a_lasso_in_the_image_and_in_a_map_selects_cells_by_place(shown):
    page = pages.contents()
    browser = shown(page)
    (left, top), (right, bottom) = center(page, 9), center(page, 19)
    around = [
        (left - 0.1, top - 0.2),
        (right + 0.1, top - 0.2),
        (right + 0.1, bottom + 0.2),
        (left - 0.1, bottom + 0.2),
    ]
    for figure in (IMAGE, MAPS[1]):
        browser.lasso(figure, *around)
        assert browser.selected() == [9, 10, 11, 17, 18, 19]
        browser.escape()


def test_the_slider_of_the_number_of_domains_changes_colours_and_walls(shown):
    page = pages.contents()
    browser = shown(page)
    where = center(page, 23)
    two = browser.colour(IMAGE, *where)
    assert browser.source("cells")["domain"] == page.cells.labels[2].tolist()
    browser.slide("number of domains", 1.0)
    assert browser.source("cells")["domain"] == page.cells.labels[6].tolist()
    assert browser.source("walls")["x"][1] == pytest.approx(26 * 0.05)
    assert np.abs(browser.colour(IMAGE, *where) - two).max() > 10


def test_the_slider_of_opacity_uncovers_the_image(shown):
    page = pages.contents()
    browser = shown(page)
    where = center(page, 23)
    assert np.ptp(browser.colour(IMAGE, *where)) > 10
    browser.slide("opacity", 0.0)
    browser.move((5, 5))
    assert np.ptp(browser.colour(IMAGE, *where)) < 2


def test_the_image_is_upright_and_its_axes_have_a_unit(shown):
    page = pages.contents()
    browser = shown(page)
    browser.slide("opacity", 0.0)
    browser.move((5, 5))
    bright = browser.colour(IMAGE, 0.05, 0.1)
    others = [browser.colour(IMAGE, *corner) for corner in ((3.5, 0.1), (0.05, 5), (3.5, 5))]
    assert bright.min() > 230
    assert np.max(others) < 160
    x0, y0 = browser.place(IMAGE, 0, 0)
    x1, y1 = browser.place(IMAGE, 1, 1)
    assert x1 - x0 == pytest.approx(y1 - y0, rel=0.01)
    assert {"x (nm)", "y (nm)"} < {*browser.properties("axis_label")}


def test_spectra_are_curves(shown):
    page = pages.of_spectra()
    browser = shown(page)
    browser.move(browser.place(IMAGE, *center(page, 21)))
    browser.wait_for_cell(21)
    spectrum, decoded = browser.source("spectrum"), browser.source("decoded")
    np.testing.assert_allclose(spectrum["x"], page.patches.axis)
    np.testing.assert_allclose(spectrum["y"], 42 / 255)
    np.testing.assert_allclose(decoded["y"], 21 / 255)


def test_without_an_answer_there_are_patches_but_no_domains(shown):
    page = pages.unanswered()
    browser = shown(page)
    assert browser.count("Slider") == 0
    browser.move(browser.place(IMAGE, *center(page, 21)))
    browser.wait_for_cell(21)
    np.testing.assert_array_equal(image_of(browser.source("patch")), patch_at(page, 21))
    assert np.ptp(browser.colour(IMAGE, *center(page, 45))) < 2
    text = browser.text()
    assert "Cannot be answered, because there is no lattice" in text
    assert "5.00" in text
    assert "NaN" not in text
    assert "domain:" not in text


def test_one_latent_is_shown_with_its_uncertainty(shown):
    page = pages.with_one_latent()
    browser = shown(page)
    browser.lasso(SCATTER, (2.5, 0.2), (4.5, 0.2), (4.5, 0.3), (2.5, 0.3))
    assert browser.selected() == np.flatnonzero(np.isin(page.cells.maps[0], (3, 4))).tolist()


def test_text_is_text(shown):
    text = shown(pages.contents()).text()
    for one in (pages.NAME, "2 domains: as <i>asked</i>", "<u>phantom</u>", "<s>two cells</s>"):
        assert one in text
