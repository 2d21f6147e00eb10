"""A sweep against each of its settings trained alone."""

import threading
import time

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import (
    EdgeLoss,
    FourierLoss,
    LinearBeta,
    PhysicsObjective,
    Setting,
    ShiftVAE,
    sweep,
)
from phyvae.compute import processes
from phyvae.compute.threads import in_threads
from phyvae.pipeline.settings import named_settings
from phyvae.training.loop import run_epoch
from small import small_grid

CORES = torch.get_num_threads()

SETTINGS = {
    "plain": None,
    "plain, seed 1": Setting(seed=1),
    "SL1": PhysicsObjective(EdgeLoss(), w=0.1),
    "SL1, w = 0": PhysicsObjective(EdgeLoss(), w=0.0),
    "SL2 on one": PhysicsObjective(FourierLoss(), channels=[1], strength=1.0),
    "product": PhysicsObjective(EdgeLoss(), coupling="product"),
    "SL1, seed 1": Setting(PhysicsObjective(EdgeLoss()), seed=1),
    "SL1, own beta": Setting(PhysicsObjective(EdgeLoss()), beta=LinearBeta(0.0, 1.0, 3)),
    "published": PhysicsObjective(EdgeLoss(), coupling="published"),
}


def model(seed):
    return ShiftVAE((8, 8), hidden_dim_e=(32,), hidden_dim_d=(32, 16), seed=seed)


def of_size(size):
    return lambda seed: ShiftVAE((size, size), hidden_dim_e=(16,), hidden_dim_d=(16,), seed=seed)


def swept(settings=SETTINGS, grid=None, epochs=3, model=model, **options):
    common = {"batch_size": 25, "pixels": 0.5, "sites": 60, "precision": "float32"}
    grid = small_grid() if grid is None else grid
    keywords = {"beta": 0.1, "progress": False} | common | options
    return sweep(grid, settings, epochs, model=model, **keywords)


def alone(name, grid=None, epochs=3, **options):
    """Train a setting by itself, as `swept` does."""
    setting = SETTINGS[name]
    setting = setting if isinstance(setting, Setting) else Setting(setting)
    common = {"batch_size": 25, "pixels": 0.5, "sites": 60, "precision": "float32"}
    trainer = phyvae.PhysicsTrainer(
        model(setting.seed), setting.objective, seed=setting.seed, **(common | options)
    )
    beta = 0.1 if setting.beta is None else setting.beta
    trainer.fit(small_grid() if grid is None else grid, epochs, beta=beta, progress=False)
    return trainer


def without_seconds(history):
    return {k: v for k, v in vars(history).items() if k != "seconds"}


@pytest.fixture(scope="module")
def found():
    return swept()


class TestIsAsIfAlone:
    @pytest.mark.parametrize("name", SETTINGS)
    def test_weights_and_history(self, found, name):
        trainer, one = alone(name), found.trainers[name]
        assert_close(dict(one.model.state_dict()), dict(trainer.model.state_dict()),
                     rtol=1e-3, atol=2e-5)  # fmt: skip
        for key, values in without_seconds(trainer.history).items():
            np.testing.assert_allclose(getattr(one.history, key), values, rtol=1e-4, atol=1e-6)

    def test_trainers_go_on_as_if_alone(self):
        found = swept({name: SETTINGS[name] for name in ("SL1", "SL1, w = 0")}, epochs=2)
        one = found.trainers["SL1"]
        one.fit(small_grid(), 1, beta=0.1, progress=False)
        assert one.epochs_done == 3
        assert_close(dict(one.model.state_dict()), dict(alone("SL1").model.state_dict()),
                     rtol=1e-3, atol=2e-5)  # fmt: skip
        assert one.optimizer.state[next(one.model.parameters())]["step"] == 3 * 7


class TestStarts:
    def test_a_start_is_made_once_for_each_seed(self):
        seeds = []

        def counted(seed):
            seeds.append(seed)
            return model(seed)

        found = swept(model=counted, epochs=1)
        assert sorted(seeds) == [0, 1]
        weights = [one.decoder.out.weight for one in found.models.values()]
        assert len({w.data_ptr() for w in weights}) == len(weights)

    def test_models_of_several_shapes(self):
        def shaped(seed):
            return ShiftVAE((8, 8), latent_dim=1 + seed, hidden_dim_e=(8,), hidden_dim_d=(8,))

        found = swept({str(k): Setting(PhysicsObjective(EdgeLoss()), seed=k) for k in (0, 1)},
                      model=shaped, epochs=1)  # fmt: skip
        assert [len(maps) for maps in found.maps.values()] == [1, 2]

    def test_a_loss_with_a_state_is_each_ones_own(self):
        class Counting(phyvae.PhysicsLoss):
            def __init__(self):
                super().__init__()
                self.register_buffer("calls", torch.zeros(()))

            def forward(self, maps, mask=None):
                self.calls += 1
                return maps.square().mean()

        objective = PhysicsObjective(Counting())
        found = swept({"a": objective, "b": objective}, epochs=1, steps_per_epoch=3)
        assert [t.objective.physics.calls for t in found.trainers.values()] == [3, 3]
        assert objective.physics.calls == 0


class TestThreads:
    def test_as_many_settings_at_a_time_as_cores(self, monkeypatch):
        cores, seen = torch.get_num_threads(), []
        epoch = run_epoch

        def noted(*arguments):
            seen.append((threading.get_ident(), torch.get_num_threads()))
            return epoch(*arguments)

        monkeypatch.setattr("phyvae.training.trainer.run_epoch", noted)
        torch.set_num_threads(2)
        try:
            swept({"a": None, "b": None, "c": None}, epochs=1)
            assert torch.get_num_threads() == 2
        finally:
            torch.set_num_threads(cores)
        assert len(seen) == 3
        assert {count for _, count in seen} == {1}
        assert threading.get_ident() not in {thread for thread, _ in seen}

    def test_the_bits_are_those_of_one_core(self):
        found = swept({name: SETTINGS[name] for name in ("SL1", "plain")})
        cores = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            trainer = alone("SL1")
        finally:
            torch.set_num_threads(cores)
        assert_close(dict(found.models["SL1"].state_dict()), dict(trainer.model.state_dict()),
                     rtol=0, atol=0)  # fmt: skip

    def test_an_error_of_one_ends_the_sweep(self):
        with pytest.raises(ZeroDivisionError):
            swept({"bad": PhysicsObjective(lambda maps: 1 / 0), "plain": None}, epochs=1)
        assert torch.get_num_threads() == CORES

    def test_after_an_error_the_rest_is_left(self):
        begun = []

        def work(item):
            begun.append(item)
            time.sleep(0.1)
            if item == 0:
                raise KeyboardInterrupt

        torch.set_num_threads(2)
        try:
            with pytest.raises(KeyboardInterrupt):
                in_threads(work, range(20))
            assert torch.get_num_threads() == 2
        finally:
            torch.set_num_threads(CORES)
        assert len(begun) < 6


class BreaksDown(phyvae.PhysicsLoss):
    """Becomes NaN after some steps."""

    def __init__(self, after):
        super().__init__()
        self.left = after

    def forward(self, maps, mask=None):
        self.left -= 1
        return maps.square().mean() * (1 if self.left >= 0 else float("nan"))


class TestStopped:
    def test_the_others_go_on(self):
        settings = {
            "bad": PhysicsObjective(BreaksDown(10)),
            "SL1": SETTINGS["SL1"],
            "product": SETTINGS["product"],
        }
        with pytest.warns(phyvae.StoppedSettingWarning, match="'bad' stopped: The loss became"):
            found = swept(settings)
        assert list(found.stopped) == ["bad"]
        assert [t.epochs_done for t in found.trainers.values()] == [1, 3, 3]
        assert "| bad (stopped) |" in found.table()
        assert_close(dict(found.models["SL1"].state_dict()), dict(alone("SL1").model.state_dict()),
                     rtol=1e-3, atol=2e-5)  # fmt: skip
        assert all(torch.isfinite(p).all() for p in found.models["bad"].parameters())

    def test_one_that_trains_alone(self):
        with pytest.warns(phyvae.StoppedSettingWarning, match="'bad' stopped"):
            found = swept({"bad": PhysicsObjective(BreaksDown(0)), "plain": None}, epochs=1)
        assert [t.epochs_done for t in found.trainers.values()] == [0, 1]

    def test_a_negative_loss_is_refused(self):
        objective = PhysicsObjective(lambda maps: maps.mean() - 10)
        with pytest.raises(ValueError, match=r"must be >= 0") as caught:
            swept({"bad": objective, "plain": None}, epochs=1)
        assert caught.value.__notes__ == ["It was setting 'bad' of the sweep."]

    def test_domains_need_a_number(self, found):
        with pytest.raises(ValueError, match="classes=None: pass the number of domains, or truth"):
            found.labels()


class TestResult:
    def test_table(self, found):
        lines = found.table().splitlines()
        assert lines[0].startswith("| setting | −ELBO (nats/patch) | KL (nats/patch) | Ψ SL1 |")
        assert len(lines) == 2 + len(SETTINGS)
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
        assert len(axes) == 1 + len(SETTINGS)
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
        assert repr(found).startswith("Sweep('plain': 3 epochs, 'plain, seed 1': 3 epochs")

    def test_maps_that_say_nothing_are_reported_together(self):
        match = r"maps of 2 of 2 settings carry no signal yet.*'a' \(\d.*'b' \(\d"
        with pytest.warns(phyvae.CollapsedMapsWarning, match=match) as caught:
            swept({"a": None, "b": PhysicsObjective(EdgeLoss())}, epochs=1)
        assert len(caught) == 1

    def test_seconds_add_up(self, found):
        assert all(h.seconds.min() > 0 for h in found.histories.values())


class TestRefusals:
    @pytest.mark.parametrize(
        ("arguments", "error", "match"),
        [
            ({"settings": {}}, ValueError, "settings is empty"),
            ({"settings": {"a": Setting(seed=-1)}}, ValueError, r"seed of settings\['a'\]"),
            ({"settings": {"a": Setting(beta=-1.0)}}, ValueError, r"beta of settings\['a'\]=-1.0"),
            ({"settings": {" ": None}}, TypeError, "settings has the name ' '"),
            ({"model": ShiftVAE}, TypeError, "must be a function of a seed"),
            ({"epochs": 0}, ValueError, "epochs=0"),
            ({"steps_per_epoch": 0}, ValueError, "steps_per_epoch=0"),
            ({"model": model(0)}, TypeError, "must be a function of a seed"),
            ({"model": lambda seed: None}, TypeError, "returned an object of type NoneType"),
            ({"model": lambda seed: ShiftVAE((9, 9))}, ValueError, "the grid's patches"),
            ({"lr": 0.0}, ValueError, "lr=0.0"),
            ({"pixels": 2.0}, ValueError, "pixels=2.0"),
            ({"beta": lambda epoch: 1.0 - epoch}, ValueError, "beta=-1.0 at epoch 2"),
            ({"seed": 1}, TypeError, "seed belongs to Setting"),
            (
                {"learning_rate": 0.1},
                TypeError,
                "learning_rate is no keyword.*are lr, warmup, batch_size",
            ),
        ],
    )
    def test_before_any_training(self, arguments, error, match, monkeypatch):
        made, start = [], arguments.get("model", model)

        def noted(seed):
            made.append(seed)
            return start(seed)

        monkeypatch.setattr(
            "phyvae.training.trainer.run_epoch", lambda *_: pytest.fail("it trained")
        )
        own = "model" in arguments
        with pytest.raises(error, match=match):
            swept(**({} if own else {"model": noted}) | arguments)
        assert not made  # a start may take long

    def test_several_processes(self, monkeypatch):
        monkeypatch.setattr(processes, "world_size", lambda: 2)
        with pytest.raises(RuntimeError, match="one of 2; give each its own settings"):
            swept()

    @pytest.mark.parametrize(
        ("settings", "match"),
        [([None], "must map names to settings"), ({"a": EdgeLoss()}, r"settings\['a'\]=EdgeLoss")],
    )
    def test_what_is_no_setting(self, settings, match):
        with pytest.raises(TypeError, match=match):
            named_settings(settings)


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
