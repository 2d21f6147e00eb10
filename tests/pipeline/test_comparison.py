import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch

import phyvae
from phyvae import EdgeLoss, ShiftVAE
from small import small_grid
from sweeps import SETTINGS, swept

NAMES = ("plain", "SL1", "SL2 on one")


@pytest.fixture(scope="module")
def found():
    return swept({name: SETTINGS[name] for name in NAMES}, epochs=2)


def of_size(size):
    return lambda seed: ShiftVAE((size, size), hidden_dim_e=(16,), hidden_dim_d=(16,), seed=seed)


class TestResult:
    def test_table(self, found):
        lines = found.table().splitlines()
        assert lines[0].startswith("| setting | −ELBO (nats/patch) | KL (nats/patch) | Ψ SL1 |")
        assert len(lines) == 2 + len(NAMES)
        trainer = found.trainers["SL1"]
        neg_elbo = float(trainer.evaluate(found.grid).neg_elbo)
        assert any(line.startswith(f"| SL1 | {neg_elbo:.2f} |") for line in lines)

    def test_table_with_truth(self, found):
        truth = np.zeros(found.grid.shape, dtype=int)
        truth[:, truth.shape[1] // 2 :] = 1
        head, _, row, *_ = found.table(truth=truth).splitlines()
        columns = [cell.strip() for cell in head.strip("|").split("|")]
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        labels = found.labels(truth=truth)["plain"]
        assert cells[columns.index("ARI")] == f"{phyvae.adjusted_rand_index(labels, truth):.3f}"
        assert cells[columns.index("walls (map px)")] == f"{phyvae.boundary_length(labels):.0f}"

    def test_plot(self, found):
        fig, axes = found.plot(classes=2)
        assert len(axes) == 1 + len(NAMES)
        assert axes[1][0].get_ylabel().startswith("plain")
        assert found.plot()[1].shape[1] == 2  # no domains without a number of them
        assert fig is not None
        plt.close("all")

    def test_what_is_measured_is_of_now(self):
        found = swept({"SL1": SETTINGS["SL1"]}, epochs=1)
        before = found.measures()["SL1"]
        found.trainers["SL1"].fit(small_grid(), 2, beta=0.1, progress=False)
        after = found.measures()["SL1"]
        assert torch.equal(found.maps["SL1"], found.models["SL1"].latent_maps(found.grid))
        assert all(after[key] != before[key] for key in ("−ELBO (nats/patch)", "Ψ SL1", "Ψ SL2"))

    def test_names_do_not_break_the_table(self):
        found = swept({"|z|\nof two": None}, epochs=1)
        assert found.table().splitlines()[2].startswith(r"| \|z\| of two |")

    def test_repr(self, found):
        assert repr(found).startswith("Sweep('plain': 2 epochs, 'SL1': 2 epochs, 'SL2 on one'")

    def test_seconds_add_up(self, found):
        assert all(h.seconds.min() > 0 for h in found.histories.values())

    def test_domains_need_a_number(self, found):
        with pytest.raises(ValueError, match="classes=None: pass the number of domains, or truth"):
            found.labels()


def test_walls_and_energies_of_sites_without_a_lattice_are_those_of_their_graph():
    phantom = phyvae.phantoms.bfo(shape=(160, 160), seed=0)
    grid = phyvae.PatchGrid.at(phantom.image, phantom.sites, size=16, lattice=False)
    found = swept({"SL1": SETTINGS["SL1"]}, grid, 1, model=of_size(16))
    truth = grid.sample(phantom.domains)
    measures = found.measures(truth=truth)["SL1"]
    psi = EdgeLoss().on_graph(found.maps["SL1"][:, 0], grid.graph)
    assert measures["Ψ SL1"] == pytest.approx(float(psi))
    assert "Ψ SL2" not in measures
    walls = phyvae.boundary_length(found.labels(truth=truth)["SL1"], graph=grid.graph)
    assert measures["walls (map px)"] == pytest.approx(walls / grid.graph.spacing)
    assert "Ψ SL1" in found.table(truth=truth)


def test_energies_of_maps_with_empty_cells_are_those_of_the_others():
    phantom = phyvae.phantoms.bfo(shape=(160, 160), seed=0)
    grid = phyvae.PatchGrid.at(phantom.image, phantom.sites[1:], size=16)
    found = swept({"SL1": SETTINGS["SL1"]}, grid, 1, model=of_size(16))
    psi = EdgeLoss()(found.maps["SL1"], grid.mask)
    assert found.measures()["SL1"]["Ψ SL1"] == pytest.approx(float(psi))
