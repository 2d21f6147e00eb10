import ast
import inspect
import json
import os
import pickle
import random
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch

import phyvae
from phyvae import (
    CheckpointError,
    EdgeLoss,
    FourierLoss,
    LinearBeta,
    Maximize,
    PatchGrid,
    PhysicsObjective,
    PhysicsTrainer,
    ShiftVAE,
    TotalVariation,
    load_model,
    load_trainer,
)
from phyvae.saving import sealed
from phyvae.training import recipes


def small_grid(seed=0):
    return PatchGrid(np.random.default_rng(seed).random((30, 34)), 6, 4)


def small_model(**settings):
    sizes = {"hidden_dim_e": (8,), "hidden_dim_d": (9,), "dx_prior": 0.3, "seed": 3}
    return ShiftVAE((6, 6), **(sizes | settings))


def small_trainer(objective=None, *, model=None, **settings):
    model = small_model() if model is None else model
    objective = PhysicsObjective(EdgeLoss()) if objective is None else objective
    return PhysicsTrainer(model, objective, **({"batch_size": 10, "pixels": 0.5} | settings))


def fit(trainer, epochs, grid=None, **settings):
    grid = small_grid() if grid is None else grid
    return trainer.fit(grid, epochs, **({"beta": 0.3, "progress": False} | settings))


def state(trainer):
    """Everything that decides how a trainer goes on."""
    tensors = {**trainer.model.state_dict(), **trainer.objective.state_dict()}
    optimizer = trainer.optimizer.state_dict()
    for index, values in optimizer["state"].items():
        tensors |= {f"{index} {name}": value for name, value in values.items()}
    groups = [{k: v for k, v in g.items() if k != "params"} for g in optimizer["param_groups"]]
    rows = [row[:-1] for row in trainer.state.rows]  # the seconds differ
    return tensors, groups, rows, trainer.settings, trainer.epochs_done


def assert_same_state(one, other):
    (tensors, *rest), (tensors_, *rest_) = state(one), state(other)
    assert tensors.keys() == tensors_.keys()
    for name in tensors:
        assert tensors[name].dtype == tensors_[name].dtype
        assert torch.equal(tensors[name], tensors_[name]), name
    assert rest == rest_


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.phyvae"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The bytes of a trainer's file."""
    path = tmp_path_factory.mktemp("saved") / "run.phyvae"
    trainer = small_trainer(PhysicsObjective(EdgeLoss() + 0.5 * Maximize(FourierLoss())))
    fit(trainer, 2, checkpoint=path)
    return path.read_bytes()


class Rough(phyvae.PhysicsLoss):
    """A user's loss with a setting, and a state: how often it was asked."""

    def __init__(self, power=2.0):
        super().__init__()
        self.power = power
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, maps, mask=None):
        if torch.is_grad_enabled():
            self.calls += 1
        step = phyvae.standardise(maps).diff(dim=-1).abs().pow(self.power)
        return step.mean() / (1 + 0.01 * self.calls)


OBJECTIVES = [
    PhysicsObjective(),
    PhysicsObjective(EdgeLoss(), w=0.25, channels=[1], strength=0.2),
    PhysicsObjective(EdgeLoss(0.5, 1.0, scaling="minmax", reduction="sum"), coupling="product"),
    PhysicsObjective(FourierLoss(0.5, scaling="none"), w=0.7, w_max=0.9),
    PhysicsObjective(TotalVariation("none"), w=0.0),
    PhysicsObjective(Maximize(EdgeLoss()), channels=(0,)),
    PhysicsObjective(EdgeLoss() + 0.5 * FourierLoss() + 2.0 * Maximize(EdgeLoss())),
    PhysicsObjective(EdgeLoss(), coupling="published"),
    PhysicsObjective(phyvae.InterfaceEnergy(1.2, 30.0, folds=4) + phyvae.DirichletEnergy()),
    PhysicsObjective(phyvae.GinzburgLandau(3.0, [(0, 0), (1, 0), (0, 1)], pixel_size=2.0)),
    PhysicsObjective(phyvae.GinzburgLandau() + phyvae.Curvature(2.0, pixel_size=1.5)),
    PhysicsObjective(phyvae.PeriodicOrder([(0, 0.25)], tolerance=0.2, punish="at")),
    PhysicsObjective(phyvae.PeriodicOrder(ring=0.1, pixel_size=2.0)),
    PhysicsObjective(phyvae.Sparsity("group") + phyvae.ClassOccupancy("cells", temperature=0.7)),
    PhysicsObjective(phyvae.AreaFractions((0.3, 0.7)) + phyvae.MapSymmetry("half-turn")),
    PhysicsObjective(phyvae.Decorrelation() + phyvae.Exclusiveness()),
    PhysicsObjective(phyvae.BoundCharge() + Maximize(phyvae.Vorticity())),
    PhysicsObjective(phyvae.Autocorrelation(2.0) + phyvae.Autocorrelation((0, -1), alike=False)),
    PhysicsObjective(phyvae.OnChannels(phyvae.Scheduled(EdgeLoss(), 0.5), [1])),
    PhysicsObjective(phyvae.Scheduled(EdgeLoss(), phyvae.LinearBeta(0.0, 1.0, epochs=4))),
]


class TestRoundTrip:
    @pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: repr(objective)[17:50])
    def test_a_loaded_trainer_is_the_saved_one_and_goes_on_alike(self, path, objective):
        trainer = small_trainer(objective, batch_size=9, tile=5, seed=4, lr=3e-3)
        fit(trainer, 2)
        trainer.save(path)
        loaded = load_trainer(path)
        assert repr(loaded.objective) == repr(trainer.objective)
        assert_same_state(loaded, trainer)
        for either in (loaded, trainer):
            fit(either, 2)
        assert_same_state(loaded, trainer)

    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
    def test_a_loaded_model_is_the_saved_one(self, path, dtype):
        model = small_model(latent_dim=3, sampler_d="gaussian", sigmoid_d=False).to(dtype)
        model.save(path)
        loaded = load_model(path)
        assert loaded.settings == model.settings
        grid = small_grid()
        assert torch.equal(loaded.latent_maps(grid), model.latent_maps(grid))
        z = torch.randn(4, 3)
        assert torch.equal(loaded.decode(z), model.decode(z))
        assert loaded.grid.dtype == dtype

    def test_a_model_of_spectra_too(self, path):
        ShiftVAE((20,), hidden_dim_e=[8, 7], hidden_dim_d=[6], activation="gelu").save(path)
        assert load_model(path).settings["hidden_dim_e"] == (8, 7)

    def test_load_model_takes_the_model_of_a_trainer(self, path):
        trainer = small_trainer()
        fit(trainer, 1)
        trainer.save(path)
        weights = load_model(path).state_dict()
        assert all(torch.equal(weights[k], v) for k, v in trainer.model.state_dict().items())

    def test_any_reader_of_safetensors_finds_the_weights(self, path):
        model = small_model()
        model.save(path)
        other = small_model(seed=9)
        other.load_state_dict(safetensors.torch.load_file(path))
        assert torch.equal(other.decoder.out.weight, model.decoder.out.weight)

    def test_an_untrained_trainer_too(self, path):
        trainer = small_trainer()
        trainer.save(path)
        assert_same_state(load_trainer(path), trainer)

    def test_a_changed_learning_rate_is_kept(self, path):
        def slower(trainer, epoch):
            trainer.optimizer.param_groups[0]["lr"] = 1e-3 / epoch

        once, first = small_trainer(), small_trainer()
        fit(once, 4, callbacks=[slower])
        fit(first, 2, callbacks=[slower], checkpoint=path)
        second = load_trainer(path)
        fit(second, 2, callbacks=[slower])
        assert_same_state(once, second)

    def test_amsgrad_too(self, path):
        trainer = small_trainer()
        settings = {"lr": 2e-3, "fused": True, "amsgrad": True}
        trainer.optimizer = torch.optim.Adam(trainer.model.parameters(), **settings)
        fit(trainer, 2)
        trainer.save(path)
        loaded = load_trainer(path)
        for either in (trainer, loaded):
            fit(either, 1)
        assert_same_state(loaded, trainer)

    def test_the_file_tells_what_wrote_it(self, path):
        small_trainer().save(path)
        record, _ = sealed.read(path)
        assert record["versions"].keys() == {"phyvae", "torch", "pyro-ppl", "pyroved"}
        assert record["versions"]["phyvae"] == phyvae.__version__

    def test_saving_changes_nothing(self, path):
        a, b = small_trainer(), small_trainer()
        fit(a, 2, checkpoint=path)
        fit(b, 2)
        assert_same_state(a, b)

    def test_every_setting_of_a_constructor_is_saved(self):
        def names(cls, *others):
            return set(inspect.signature(cls).parameters) - set(others)

        trainer = small_trainer()
        assert trainer.settings.keys() == names(PhysicsTrainer, "model", "objective", "device")
        assert trainer.model.settings.keys() == names(ShiftVAE, "device")
        described = recipes.describe_objective(trainer.objective)
        assert described.keys() == names(PhysicsObjective)


class TestOwnLoss:
    def test_its_code_is_asked_for(self, path):
        trainer = small_trainer(PhysicsObjective(EdgeLoss() + 2.0 * Rough()))
        trainer.save(path)
        with pytest.raises(CheckpointError, match=r"trained with Rough, .* code is not saved"):
            load_trainer(path)

    def test_with_it_training_goes_on_alike_its_own_state_included(self, path):
        once = small_trainer(PhysicsObjective(Rough()))
        fit(once, 4)
        first = small_trainer(PhysicsObjective(Rough()))
        fit(first, 2, checkpoint=path)
        second = load_trainer(path, objective=PhysicsObjective(Rough()))
        fit(second, 2)
        assert_same_state(once, second)
        assert second.objective.physics.calls > first.objective.physics.calls > 0

    def test_another_one_is_refused(self, path):
        small_trainer(PhysicsObjective(Rough())).save(path)
        with pytest.raises(CheckpointError, match=r"power is 3\.0 here, but 2\.0 in the file"):
            load_trainer(path, objective=PhysicsObjective(Rough(3.0)))
        with pytest.raises(CheckpointError, match=r"loss is 'EdgeLoss' here, but None in the"):
            load_trainer(path, objective=PhysicsObjective(EdgeLoss()))

    def test_a_function_is_known_by_its_name(self, path):
        def rough(maps):
            return maps.diff(dim=-1).square().mean()

        def smooth(maps):
            return maps.square().mean()

        small_trainer(PhysicsObjective(rough)).save(path)
        load_trainer(path, objective=PhysicsObjective(rough))
        with pytest.raises(CheckpointError, match=r"\.smooth' here, but '.*\.rough' in the file"):
            load_trainer(path, objective=PhysicsObjective(smooth))

    def test_a_class_that_borrows_the_name_of_one_of_ours_is_not_taken_for_it(self, path):
        class EdgeLoss(Rough):
            pass

        small_trainer(PhysicsObjective(EdgeLoss())).save(path)
        with pytest.raises(CheckpointError, match=r"EdgeLoss, which is not a loss of phyvae's"):
            load_trainer(path)

    def test_a_model_of_ones_own_is_resumed_but_not_built(self, path):
        class MyVAE(ShiftVAE):
            pass

        model = {"hidden_dim_e": (8,), "hidden_dim_d": (8,)}
        fit(small_trainer(model=MyVAE((6, 6), **model)), 1, checkpoint=path)
        for load in (load_model, load_trainer):
            with pytest.raises(CheckpointError, match="MyVAE, and code is not saved"):
                load(path)
        again = small_trainer(model=MyVAE((6, 6), **model))
        fit(again, 2, resume=path)
        assert again.epochs_done == 2
        loaded = load_trainer(path, model=MyVAE((6, 6), **model))
        fit(loaded, 1)
        assert_same_state(loaded, again)
        with pytest.raises(CheckpointError, match=r"class is 'ShiftVAE' here, but '.*MyVAE'"):
            load_model(path, model=ShiftVAE((6, 6), **model))


class TestFit:
    def test_a_resumed_run_ends_as_one_that_was_not_stopped(self, path):
        beta = LinearBeta(0.1, 1.0, epochs=5)
        once, first, second = small_trainer(), small_trainer(), small_trainer()
        fit(once, 5, beta=beta)
        fit(first, 2, beta=beta, checkpoint=path)
        history = fit(second, 5, beta=beta, resume=path)
        assert_same_state(once, second)
        np.testing.assert_array_equal(history.epoch, [1, 2, 3, 4, 5])
        np.testing.assert_array_equal(history.loss, once.history.loss)

    def test_the_same_call_begins_goes_on_and_is_done(self, path):
        for _ in range(3):
            trainer = small_trainer()
            fit(trainer, 3, checkpoint=path, resume=path)
            assert trainer.epochs_done == load_trainer(path).epochs_done == 3

    def test_it_saves_every_so_many_epochs_and_at_the_end(self, path):
        saves = []

        def look(trainer, epoch):
            saves.append(load_trainer(path).epochs_done if path.exists() else 0)

        fit(small_trainer(), 7, checkpoint=path, every=3, callbacks=[look])
        assert saves == [0, 0, 0, 3, 3, 3, 6]
        assert load_trainer(path).epochs_done == 7

    @pytest.mark.parametrize("way", ["save", "load and save", "step", "sweep"])
    def test_a_file_knows_its_patches_however_it_was_saved(self, path, way):
        if way == "sweep":
            trainer = phyvae.sweep(
                small_grid(), {"a": None}, 1, model=lambda seed: small_model(), progress=False
            ).trainers["a"]
        else:
            trainer = small_trainer()
            if way == "step":
                trainer.step(small_grid())
            else:
                fit(trainer, 1)
        trainer.save(path)
        if way == "load and save":
            load_trainer(path).save(path)
        again = load_trainer(path)
        with pytest.raises(CheckpointError, match="the grid's pixels are others"):
            again.fit(small_grid(1), 2, resume=path, progress=False)
        beta = 1.0 if way in ("step", "sweep") else 0.3
        again.fit(small_grid(), 2, beta=beta, resume=path, progress=False)
        assert again.epochs_done == 2

    def test_resuming_goes_back_to_the_file(self, path):
        trainer, other = small_trainer(), small_trainer()
        fit(trainer, 2, checkpoint=path)
        fit(trainer, 1, beta=2.0)  # an epoch that is thrown away
        fit(trainer, 4, resume=path)
        fit(other, 4)
        assert_same_state(trainer, other)

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"lr": 0.5}, r"trainer\.lr is 0\.5 here, but 0\.002 in the file"),
            ({"batch_size": 3}, r"trainer\.batch_size is 3 here, but 10 in the file"),
            ({"tile": 3}, r"trainer\.tile is 3 here, but 64"),
            ({"pixels": 0.25}, r"trainer\.pixels is 0\.25 here, but 0\.5"),
            ({"seed": 1}, r"trainer\.seed is 1 here, but 0"),
            ({"model": {"seed": 1}}, r"model\.settings\.seed is 1 here, but 3"),
            ({"model": {"hidden_dim_e": (7,)}}, r"hidden_dim_e is \[7\] here, but \[8\]"),
            ({"model": {"dx_prior": 0.2}}, r"dx_prior is 0\.2 here, but 0\.3"),
            ({"model": "double"}, r"model\.dtype is 'float64' here, but 'float32'"),
            ({"objective": PhysicsObjective(EdgeLoss(), w=0.2)}, r"objective\.w is 0\.2 here"),
            ({"objective": PhysicsObjective(FourierLoss())}, r"loss is 'FourierLoss' here"),
            ({"objective": PhysicsObjective(EdgeLoss(1.0))}, r"sigma_color is 1\.0 here"),
            ({"fit": {"beta": 0.2}}, r"beta at epoch 0 is 0\.2 here, but 0\.3 in the file"),
            ({"fit": {"steps_per_epoch": 2}}, r"steps_per_epoch is 2 here, but None"),
            ({"fit": {"grid": small_grid(1)}}, "the grid's pixels are others than in the file"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_a_file_of_another_run_is_refused_by_name(self, path, change, named):
        fit(small_trainer(), 1, checkpoint=path)
        change = dict(change)
        call, model = change.pop("fit", {}), change.pop("model", {})
        model = small_model().double() if model == "double" else small_model(**model)
        trainer = small_trainer(**({"objective": None} | change), model=model)
        before = state(trainer)[0]["decoder.out.weight"].clone()
        with pytest.raises(CheckpointError, match=named):
            fit(trainer, 2, resume=path, **call)
        assert torch.equal(state(trainer)[0]["decoder.out.weight"], before)
        assert trainer.epochs_done == 0

    def test_fewer_epochs_than_the_file_has_are_refused(self, path):
        fit(small_trainer(), 2, checkpoint=path)
        with pytest.raises(CheckpointError, match=r"epochs=1, but .*run\.phyvae' has 2 already"):
            fit(small_trainer(), 1, resume=path)
        trainer, new = small_trainer(), path.with_name("new")
        fit(trainer, 2)
        with pytest.raises(ValueError, match="epochs=1, but the trainer has 2 already"):
            fit(trainer, 1, checkpoint=new, resume=new)

    def test_an_error_of_the_schedule_is_its_own(self, path):
        fit(small_trainer(), 1, checkpoint=path)
        with pytest.raises(ValueError, match=r"beta=-1\.0 at epoch 1") as error:
            fit(small_trainer(), 2, resume=path, beta=lambda epoch: 0.3 if epoch < 1 else -1.0)
        assert not isinstance(error.value, CheckpointError)

    def test_a_model_alone_cannot_be_resumed(self, path):
        small_model().save(path)
        for load in (load_trainer, lambda path: fit(small_trainer(), 1, resume=path)):
            with pytest.raises(CheckpointError, match=r"without the state .*load_model\(path\)"):
                load(path)

    def test_a_missing_file_is_refused_unless_the_run_is_to_be_saved_there(self, path):
        with pytest.raises(FileNotFoundError, match=r"resume='.*run\.phyvae' does not exist"):
            fit(small_trainer(), 1, resume=path)
        with pytest.raises(FileNotFoundError, match="the same path as checkpoint and resume"):
            fit(small_trainer(), 1, resume=path, checkpoint=path.with_name("other"))

    def test_a_new_run_does_not_replace_an_old_one(self, path):
        fit(small_trainer(), 1, checkpoint=path)
        before = path.read_bytes()
        with pytest.raises(FileExistsError, match=r"exists, and this trainer has not begun"):
            fit(small_trainer(), 1, checkpoint=path)
        assert path.read_bytes() == before

    @pytest.mark.parametrize(
        ("settings", "error", "named"),
        [
            ({"every": 2}, ValueError, "every=2 .*needs checkpoint=path"),
            ({"every": 0, "checkpoint": "x"}, ValueError, "every=0 must be at least 1"),
            ({"checkpoint": "no/such/folder"}, FileNotFoundError, "folder does not exist"),
            ({"checkpoint": "."}, IsADirectoryError, "is a folder"),
        ],
    )
    def test_bad_arguments_are_named_before_work_starts(
        self, tmp_path, monkeypatch, settings, error, named
    ):
        monkeypatch.chdir(tmp_path)
        trainer = small_trainer()
        with pytest.raises(error, match=named):
            fit(trainer, 1, **settings)
        assert trainer.epochs_done == 0

    def test_what_cannot_be_saved_is_refused_before_work_starts(self, path):
        trainer = small_trainer()
        trainer.optimizer = torch.optim.SGD(trainer.model.parameters(), lr=0.1)
        with pytest.raises(TypeError, match="optimizer is SGD, but a checkpoint holds Adam's"):
            fit(trainer, 1, checkpoint=path)
        assert trainer.epochs_done == 0

    def test_a_callback_that_raises_leaves_the_last_save(self, path):
        def fail(trainer, epoch):
            if epoch == 3:
                raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            fit(small_trainer(), 5, checkpoint=path, callbacks=[fail])
        assert load_trainer(path).epochs_done == 2


def holey_grid(**settings):
    """Sites of a lattice, two of which are missing, on noise."""
    lattice = np.stack(np.meshgrid(*[np.arange(5, 45, 6)] * 2, indexing="ij"), -1).reshape(-1, 2)
    sites = np.delete(lattice, [9, 24], axis=0) if settings.get("lattice", True) else lattice
    return PatchGrid.at(np.random.default_rng(0).random((48, 48)), sites, 6, **settings)


class TestEveryKindOfGrid:
    @pytest.mark.parametrize(
        ("make", "loss"),
        [
            (holey_grid, EdgeLoss()),
            (lambda: holey_grid(subpixel=True), TotalVariation()),
            (lambda: holey_grid(lattice=False), TotalVariation()),
            (lambda: [small_grid(), small_grid(1)], EdgeLoss()),
            (lambda: [small_grid(), holey_grid()], TotalVariation()),
        ],
        ids=["holes", "subpixel", "graph", "two grids", "a raster and holes"],
    )
    def test_a_resumed_run_ends_as_one_that_was_not_stopped(self, path, make, loss):
        once, first, second = (small_trainer(PhysicsObjective(loss), tile=5) for _ in range(3))
        fit(once, 4, make())
        fit(first, 2, make(), checkpoint=path)
        fit(second, 4, make(), resume=path)
        assert_same_state(once, second)
        assert_same_state(load_trainer(path), first)

    def test_another_mask_is_another_run(self, path):
        fit(small_trainer(), 1, holey_grid(), checkpoint=path)
        grid = holey_grid()
        grid.mask = grid.mask.clone()
        grid.mask[0, 0] = False
        with pytest.raises(CheckpointError, match="pixels are others"):
            fit(small_trainer(), 2, grid, resume=path)

    def test_so_are_grids_in_another_order(self, path):
        grids = [small_grid(), small_grid(1)]
        fit(small_trainer(), 1, grids, checkpoint=path)
        with pytest.raises(CheckpointError, match="belongs to another run: grid is"):
            fit(small_trainer(), 2, grids[::-1], resume=path)


class TestWriting:
    def test_the_bytes_are_on_the_disk_before_they_take_the_name(self, path, monkeypatch):
        calls = []
        fsync, replace = os.fsync, Path.replace
        monkeypatch.setattr(os, "fsync", lambda fd: (calls.append("fsync"), fsync(fd)))
        monkeypatch.setattr(
            Path, "replace", lambda self, to: (calls.append("replace"), replace(self, to))
        )
        small_model().save(path)
        assert calls == ["fsync", "replace", "fsync"]

    @pytest.mark.parametrize("at", ["fsync", "replace"])
    def test_a_save_that_fails_leaves_the_former_file_and_nothing_else(
        self, path, monkeypatch, at
    ):
        small_model().save(path)
        before = path.read_bytes()

        def full(*_):
            raise OSError(28, "No space left on device")

        monkeypatch.setattr({"fsync": os, "replace": Path}[at], at, full)
        with pytest.raises(OSError, match="No space left"):
            small_model(seed=8).save(path)
        assert path.read_bytes() == before
        assert list(path.parent.iterdir()) == [path]

    def test_a_link_keeps_pointing_at_the_file(self, path):
        link = path.with_name("latest")
        small_model().save(path)
        link.symlink_to(path)
        small_model(latent_dim=3).save(link)
        assert link.is_symlink()
        assert load_model(path).latent_dim == 3

    @pytest.mark.parametrize("kills", [5, pytest.param(50, marks=pytest.mark.slow)])
    def test_killed_runs_go_on_and_end_alike(self, kills):
        script = Path(__file__).parents[1] / "killed_runs.py"
        run = subprocess.run(
            [sys.executable, "-W", "ignore", script, str(kills)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert run.returncode == 0, run.stderr
        seen = json.loads(run.stdout)
        assert seen["kills"] == kills
        assert seen["in_a_save"] > 0


class Trap:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f"touch {self.path}",)


def reseal(data, change):
    """Return a sealed file with changed contents and a right SHA-256: what a forger would do."""
    length = int.from_bytes(data[:8], "little")
    record = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["phyvae"])
    tensors = safetensors.torch.load(data)
    change(record, tensors)
    return sealed.seal(record, tensors)


class TestBadFiles:
    def refused(self, path, data, named=None, load=load_trainer):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=named):
            load(path)

    def test_no_corrupted_file_is_loaded_and_none_crashes(self, path, saved):
        draw = random.Random(0)
        length = int.from_bytes(saved[:8], "little")

        def flip(data, at):
            data[at] ^= 1 << draw.randrange(8)
            return data

        def splice(data, inserted):
            at = draw.randrange(len(data))
            data[at : at + draw.randrange(1, 99)] = inserted
            return data

        kinds = [
            lambda data: flip(data, draw.randrange(8)),
            lambda data: flip(data, draw.randrange(8, 8 + length)),
            lambda data: flip(data, draw.randrange(len(data))),
            lambda data: data[: draw.randrange(len(data))],
            lambda data: data[: draw.randrange(8 + length)],
            lambda data: data + draw.randbytes(draw.randrange(1, 99)),
            lambda data: splice(data, b""),
            lambda data: splice(data, draw.randbytes(draw.randrange(99))),
            lambda data: splice(data, bytes(draw.randrange(1, 99))),
            lambda data: bytearray(draw.randbytes(draw.randrange(2000))),
            lambda data: data[:8] + draw.randbytes(len(data) - 8),
        ]
        refused = 0
        while refused < 2200:
            data = kinds[refused % len(kinds)](bytearray(saved))
            if data == saved:
                continue
            self.refused(path, data, load=(load_trainer, load_model)[refused % 2])
            refused += 1

    def test_a_forged_record_is_refused_or_built_and_never_crashes(self, path, saved):
        draw = random.Random(1)
        values = [None, -1, 0, 2, 10**15, 1e308, 0.5, "x", "", [], [1], {}, True, [10**9], "Trap"]

        def leaves(node, keys=()):
            items = node.items() if isinstance(node, dict) else enumerate(node)
            for key, value in items:
                yield (*keys, key)
                if isinstance(value, dict | list):
                    yield from leaves(value, (*keys, key))

        places = list(leaves(json.loads(json.dumps(sealed_record(saved)))))
        refused = 0
        for _ in range(200):
            *keys, last = draw.choice(places)

            def change(record, tensors, keys=keys, last=last):
                for key in keys:
                    record = record[key]
                if draw.random() < 0.2:
                    del record[last]
                else:
                    record[last] = draw.choice(values)

            path.write_bytes(reseal(saved, change))
            try:
                load_trainer(path)
            except CheckpointError:
                refused += 1
        assert refused > 100

    @pytest.mark.parametrize(
        "change",
        [
            lambda r, t: t.pop("decoder.out.weight"),
            lambda r, t: t.update(more=torch.zeros(3)),
            lambda r, t: t.update({"objective/more": torch.zeros(3)}),
            lambda r, t: t.update({"decoder.out.bias": torch.zeros(2)}),
            lambda r, t: t.update({"decoder.out.bias": torch.zeros(1, dtype=torch.float64)}),
            lambda r, t: t.pop("optimizer/decoder.out.bias/exp_avg"),
            lambda r, t: t.update({"optimizer/decoder.out.bias/exp_avg": torch.zeros(2)}),
            lambda r, t: t.update({"optimizer/decoder.out.bias/step": torch.zeros(2)}),
            lambda r, t: t.update({"optimizer/decoder.out.bias/more": torch.zeros(1)}),
            lambda r, t: t.update({"optimizer/no.such/exp_avg": torch.zeros(1)}),
            lambda r, t: r["optimizer"][0].update(surprise=True),
            lambda r, t: r["optimizer"][0].update(betas=[0.9]),
            lambda r, t: r["optimizer"][0].update(lr="fast"),
            lambda r, t: r["optimizer"][0]["params"].reverse(),
            lambda r, t: r["history"]["psi"].pop(),
            lambda r, t: r["history"]["epoch"].reverse(),
            lambda r, t: r["history"].update(more=[0, 0]),
            lambda r, t: r["objective"]["physics"].update(loss="Trap"),
            lambda r, t: r["model"].update(dtype="object"),
            lambda r, t: r.pop("history"),
        ],
    )
    def test_contents_that_do_not_fit_are_refused(self, path, saved, change):
        self.refused(path, reseal(saved, change), "'.*run.phyvae' (cannot be|does not|belongs)")

    @pytest.mark.parametrize(
        "sizes",
        [
            {"hidden_dim_e": [10**9, 10**9]},
            {"hidden_dim_e": [0], "patch_shape": [10**9, 9]},
            {"hidden_dim_d": [], "latent_dim": 10**12},
            {"patch_shape": [-1, 10**9]},
        ],
    )
    def test_a_file_cannot_ask_for_more_memory_than_its_weights_take(self, path, saved, sizes):
        data = reseal(saved, lambda r, t: r["model"]["settings"].update(sizes))
        self.refused(path, data, "its weights are not those of")

    @pytest.mark.parametrize(
        "change",
        [
            lambda r, t: t.pop("optimizer/decoder.out.bias/exp_avg"),
            lambda r, t: t.update({"objective/more": torch.zeros(3)}),
            lambda r, t: r["history"].pop("psi"),
        ],
    )
    def test_nothing_half_loaded_is_left_behind(self, path, saved, change):
        trainer = small_trainer(PhysicsObjective(EdgeLoss() + 0.5 * Maximize(FourierLoss())))
        path.write_bytes(reseal(saved, change))
        before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
        with pytest.raises(CheckpointError, match="cannot be loaded"):
            fit(trainer, 3, resume=path)
        assert all(torch.equal(before[k], v) for k, v in trainer.model.state_dict().items())

    def test_another_format_version_is_refused(self, path, saved, monkeypatch):
        monkeypatch.setattr(sealed, "FORMAT", "2")
        data = reseal(saved, lambda record, tensors: None)
        monkeypatch.undo()
        self.refused(path, data, "format version '2', but this phyvae reads version '1'")

    def test_a_sealed_file_without_a_record_is_refused(self, path, unchecked):
        data = unchecked(sealed.seal, [1], {"weight": torch.zeros(3)})
        self.refused(path, data, "has unexpected contents: no record")

    def test_truncation_and_alteration_are_called_so(self, path, saved):
        self.refused(path, saved[:-1], "is damaged: its SHA-256")
        self.refused(path, saved[:100], "or is truncated")
        self.refused(path, saved.replace(b'lr\\": 0.002', b'lr\\": 0.003'), "is damaged")
        self.refused(path, b"", "or is truncated")

    def test_a_pickle_is_refused_and_not_run(self, path, saved, tmp_path):
        sign = tmp_path / "ran"
        torch.save({"state": Trap(sign)}, path)
        zipped = path.read_bytes()
        for data in (zipped, pickle.dumps(Trap(sign)), pickle.dumps(Trap(sign), protocol=2)):
            self.refused(path, data, r"perhaps a pickle \(torch\.save\)")
        self.refused(path, pickle.dumps(Trap(sign), protocol=0), "no checkpoint of phyvae's")
        np.save(path.with_suffix(".npy"), np.array([Trap(sign)]), allow_pickle=True)
        self.refused(path, path.with_suffix(".npy").read_bytes(), "no checkpoint of phyvae's")
        # One within a sealed file is a tensor that does not belong there.
        inside = torch.tensor(list(pickle.dumps(Trap(sign))), dtype=torch.uint8)
        self.refused(path, reseal(saved, lambda r, t: t.update(data=inside)), "data is ")
        assert not sign.exists()

    def test_a_foreign_file_is_refused(self, path):
        weights = small_model().state_dict()
        for data in (
            safetensors.torch.save(weights),
            safetensors.torch.save(weights, {"format": "pt"}),
            b'{"phyvae": 1}',
            b"\x89PNG\r\n\x1a\n" + bytes(99),
            (5).to_bytes(8, "little") + b"[1,2]",
            (99_999).to_bytes(8, "little") + 99_999 * b"[",
        ):
            self.refused(path, data, "no checkpoint of phyvae's")

    def test_a_missing_file_is_the_systems_own_error(self, path):
        with pytest.raises(FileNotFoundError):
            load_model(path)


def sealed_record(data):
    length = int.from_bytes(data[:8], "little")
    return json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["phyvae"])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize(("first", "second"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_cpu_and_cuda_load_each_others_files(path, first, second):
    trainer = small_trainer(device=first)
    fit(trainer, 2, checkpoint=path)
    loaded = load_trainer(path, device=second)
    assert loaded.model.device.type == second
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value.cpu(), loaded.model.state_dict()[name].cpu())
    fit(loaded, 1)
    assert np.isfinite(loaded.history.loss).all()
    fit(small_trainer(device=second), 3, resume=path)
    assert load_model(path, device=second).device.type == second


def test_every_loss_of_phyvaes_is_built_again_from_its_settings():
    built = recipes.build_objective
    for objective in OBJECTIVES:
        described = json.loads(json.dumps(recipes.describe_objective(objective)))
        assert recipes.describe_objective(built(described)) == described
    covered = json.dumps([recipes.describe_objective(objective) for objective in OBJECTIVES])
    for name in recipes._LOSSES.keys() - {"Relation"}:  # it holds a function of the user's
        assert f'"loss": "{name}"' in covered, f"add {name} to OBJECTIVES"


FORBIDDEN_MODULES = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal"}
FORBIDDEN_CALLS = {
    *("torch.load", "torch.save", "torch.jit.load", "np.load", "numpy.load"),
    *("eval", "exec", "compile", "__import__"),
}


def unsafe(source):
    """Yield what in a source could unpickle or run a file's contents."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {alias.name for alias in node.names} | {getattr(node, "module", None) or ""}
            yield from {name.split(".")[0] for name in names} & FORBIDDEN_MODULES
            if getattr(node, "module", None) in ("torch", "numpy", "torch.serialization"):
                yield from names & {"load", "save"}
        elif isinstance(node, ast.Call):
            yield from {ast.unparse(node.func)} & FORBIDDEN_CALLS
            yield from (k.arg for k in node.keywords if k.arg in ("allow_pickle", "weights_only"))


@pytest.mark.parametrize(
    "source",
    [
        "import pickle",
        "from pickle import loads",
        "import joblib.memory",
        "torch.load(path)",
        "from torch import load",
        "np.load(path, allow_pickle=True)",
        "read(path, weights_only=False)",
        "def f():\n    return eval(text)",
    ],
)
def test_what_could_unpickle_is_found(source):
    assert list(unsafe(source))


def test_nothing_in_the_package_unpickles():
    files = list(Path(phyvae.__file__).parent.rglob("*.py"))
    assert len(files) > 20
    for file in files:
        assert not list(unsafe(file.read_text())), file
