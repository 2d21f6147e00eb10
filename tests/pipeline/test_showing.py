"""A result is shown as a figure, as a page, and in a notebook."""

from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import phyvae
from phyvae.pipeline import showing
from phyvae.report.page import write_page


@pytest.fixture(scope="module")
def unanswered(found):
    nothing = np.full_like(found.maps, np.nan)
    labels = np.full_like(found.labels, -1)
    return replace(
        found, labels=labels, stds=nothing, shifts=np.full_like(found.shifts, np.nan),
        evidence=None, problem="it is noise",
    )  # fmt: skip


@pytest.fixture
def contents(monkeypatch):
    """Return what a result hands over to the page, with up to three domains to save time."""

    def of(found, most=3):
        monkeypatch.setattr(showing, "_MOST", most)
        kept = []
        monkeypatch.setattr(showing, "write_page", lambda path, page: kept.append(page))
        found.report("page.html")
        return kept[0]

    return of


@pytest.fixture(autouse=True)
def no_figure_is_left():
    plt.close("all")
    yield
    plt.close("all")


class TestReport:
    def test_writes_a_page(self, found, tmp_path):
        found.report(tmp_path / "scan.html")
        assert (tmp_path / "scan.html").read_text(encoding="utf-8").startswith("<!DOCTYPE html>")

    def test_has_the_labels_of_each_number_of_domains(self, found, contents):
        cells = contents(found, most=6).cells
        assert [*cells.labels] == [1, 2, 3, 4, 5, 6]
        np.testing.assert_array_equal(cells.labels[2], found.labels.ravel())
        expected = phyvae.segment(found.maps, 3, signal=found.signal)
        np.testing.assert_array_equal(cells.labels[3], expected.ravel())

    def test_decodes_patches_where_they_lie(self, found, contents):
        inside = np.flatnonzero(found.labels == 0)  # without training, the decoder knows this one
        decoded = contents(found).patches.decoded[inside].reshape(len(inside), -1).astype(float)
        patches = found.grid.gather(torch.from_numpy(inside)).flatten(1).numpy()
        alike = [np.corrcoef(*pair)[0, 1] for pair in zip(decoded, patches, strict=True)]
        others = [np.corrcoef(*pair)[0, 1] for pair in zip(decoded[1:], patches, strict=False)]
        assert np.median(alike) > 0.85
        assert np.median(others) < 0.6

    def test_a_large_result_is_thinned_out(self, found, contents, monkeypatch):
        monkeypatch.setattr(showing, "_CELLS", 300)
        monkeypatch.setattr(showing, "_KEPT", 100 * int(np.prod(found.grid.patch_shape)))
        page = contents(found)
        assert len(page.cells.index) <= 300
        assert len(page.patches.decoded) <= 100
        assert (page.cells.index % 2 == 0).all()
        kept = page.cells.index[page.patches.kept]
        assert (kept % 4 == 0).all()
        near = page.patches.kept[page.patches.nearest]
        assert np.abs(page.cells.index[near] - page.cells.index).max() <= 2
        assert len(page.notes) == 2

    def test_a_large_image_is_shown_smaller(self, found, contents, monkeypatch):
        monkeypatch.setattr("phyvae.pipeline.thinning._PIXELS", found.grid.image.numel() // 4)
        whole, page = np.array(found.grid.image.shape), contents(found)
        assert page.image.shape == tuple(whole // 2)
        assert page.scale == (0.04, 0.04)
        np.testing.assert_allclose(
            (page.cells.centers + 0.5) * 2 - 0.5, found.grid.centers.reshape(-1, 2)
        )
        assert page.patches.shape == page.patches.decoded.shape[1:]

    def test_without_an_answer_there_are_no_domains(self, unanswered, contents):
        page = contents(unanswered)
        assert (page.number, page.cells.labels, page.patches.decoded) == (0, {}, None)
        assert page.maps == "autocorrelation"
        rows = {row["setting"] for row in page.tables["Settings"]}
        assert "size" in rows
        assert not rows & {"train", "physics", "w", "strength", "classes"}

    def test_without_an_answer_the_maps_are_no_latents(self, unanswered):
        _, axes = unanswered.plot()
        names = [f"autocorrelation {k + 1}" for k in range(len(unanswered.maps))]
        assert [ax.get_title() for ax in axes] == ["image", *names]

    def test_has_every_choice_with_its_reason(self, found, contents):
        rows = contents(found).tables["Settings"]
        assert {"size", "seed"} < {row["setting"] for row in rows}
        assert all(row["reason"] for row in rows)

    def test_has_mean_cells_areas_and_walls(self, found, contents):
        page = contents(found)
        assert len(page.figures) == 1
        assert page.tables["Walls"][0]["between"] == "0 and 1"
        assert [row["domain"] for row in page.tables["Domains"]] == [0, 1]
        assert page.tables["Domains"][0]["area (nm²)"] == f"{found.areas[0]:.2f}"

    def test_more_domains_than_on_offer_are_on_offer_too(self, found, contents):
        bands = np.arange(len(found.labels)) * 5 // len(found.labels)
        five = replace(found, labels=np.broadcast_to(bands[:, None], found.labels.shape))
        page = contents(five)
        assert [*page.cells.labels] == [1, 2, 3, 4, 5]
        assert page.number == 5


class TestPlot:
    def test_shows_image_domains_and_maps(self, found):
        fig, axes = found.plot()
        titles = [ax.get_title() for ax in axes]
        maps = [f"$z_{k + 1}$" for k in range(len(found.maps))]
        means = [f"mean cell, domain {k}" for k in (0, 1)]
        assert titles == ["image", "domains", *maps, *means]
        assert fig.get_figwidth() == 7


class TestNotebook:
    def test_shows_figure_answer_doubts_and_settings(self, found):
        shown = replace(found, doubts=("a < b",))._repr_html_()
        assert "data:image/png;base64," in shown
        assert "2 domains" in shown
        assert "a &lt; b" in shown
        assert "<td>seed</td>" in shown
        assert plt.get_fignums() == []

    def test_names_are_text(self, found):
        scan = replace(found.scan, name="<b>x</b>.dm4")
        assert "&lt;b&gt;x&lt;/b&gt;.dm4" in replace(found, scan=scan)._repr_html_()


def of_grid(found, grid, scan):
    """A result on another grid, with random maps and two domains, one left of the other."""
    rng = np.random.default_rng(0)
    shape, axes = grid.shape, len(grid.patch_shape)
    there = np.isfinite(grid.centers).all(-1)
    maps = np.where(there, rng.standard_normal((2, *shape)), np.nan)
    left = np.nan_to_num(grid.centers[..., 1]) < np.nanmedian(grid.centers[..., 1])
    return replace(
        found, scan=scan, grid=grid, model=phyvae.ShiftVAE(grid.patch_shape, 2), maps=maps,
        labels=np.where(there, left.astype(int), -1), stds=np.where(there, 0.1, np.nan * maps),
        shifts=np.where(there, np.zeros((axes, *shape)), np.nan), signal=np.ones(2),
    )  # fmt: skip


NAMES = {
    "V": "bias (V)",
    "nm": "wavelength (nm)",
    "cm⁻¹": "spectral axis (cm⁻¹)",
    "": "spectral axis",
}


class TestSitesAndSpectra:
    @pytest.mark.parametrize("lattice", [True, False])
    def test_sites_have_outlines_of_their_own(self, found, contents, tmp_path, lattice):
        phantom = phyvae.phantoms.bfo((180, 160), seed=0)
        image = phantom.image
        grid = phyvae.PatchGrid.at(image, phantom.sites[:-7], size=12, lattice=lattice)
        result = of_grid(found, grid, phyvae.Scan(image, (0.02, 0.01)))
        page = contents(result)
        assert len(page.cells.outlines) == len(page.cells.centers) == grid.count
        middles = page.cells.outlines.mean(axis=1)
        assert np.abs(middles - page.cells.centers).max() < 1.5
        assert np.isfinite(page.cells.maps).all()
        write_page(tmp_path / "page.html", page)
        _, axes = result.plot()
        assert len(axes) >= 4

    def test_spectra_come_with_their_axis(self, found, contents, tmp_path):
        cube = np.random.default_rng(0).random((6, 9, 20))
        axis = np.linspace(400.0, 420.0, 20)
        scan = phyvae.Scan(cube.mean(-1), cube=cube, axis=axis, axis_unit="eV")
        result = of_grid(found, phyvae.PatchGrid.from_spectra(cube), scan)
        page = contents(result)
        np.testing.assert_array_equal(page.patches.axis, axis)
        assert page.patches.axis_name == "energy (eV)"
        scaled = result.grid.image.reshape(-1, 20).numpy()
        np.testing.assert_allclose(page.patches.spectra / 255, scaled.clip(0, 1), atol=0.5 / 255)
        write_page(tmp_path / "page.html", page)
        assert [*page.figures] == ["Mean spectrum of each domain."]
        for unit, name in NAMES.items():
            other = replace(result, scan=replace(scan, axis_unit=unit))
            assert contents(other).patches.axis_name == name
        without = of_grid(found, result.grid, phyvae.Scan(cube.mean(-1), cube=cube))
        assert contents(without).patches.axis_name == "channel"
        _, axes = result.plot()
        assert [ax.get_title() for ax in axes][-1] == "mean spectra"
        assert axes[-1].get_xlabel() == "energy (eV)"
