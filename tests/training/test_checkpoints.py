"""Checkpoints: a run that is resumed ends as one that was not stopped, to the bit."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.testing import assert_close

import phyvae
from phyvae import (
    CheckpointError,
    EdgeLoss,
    FourierLoss,
    LinearBeta,
    PatchGrid,
    PhysicsObjective,
    PhysicsTrainer,
    TotalVariation,
    load_trainer,
)
from sites import on_sites, series, small, with_hole
from small import assert_same_state, fit, state, tiny_grid, tiny_model, tiny_trainer
from stops import Stops


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.phyvae"


class TestResumed:
    def test_a_resumed_run_ends_as_one_that_was_not_stopped(self, path):
        beta = LinearBeta(0.1, 1.0, epochs=5)
        once, first, second = tiny_trainer(), tiny_trainer(), tiny_trainer()
        fit(once, 5, beta=beta)
        fit(first, 2, beta=beta, checkpoint=path)
        history = fit(second, 5, beta=beta, resume=path)
        assert_same_state(once, second)
        np.testing.assert_array_equal(history.epoch, [1, 2, 3, 4, 5])
        np.testing.assert_array_equal(history.loss, once.history.loss)

    def test_the_same_call_begins_goes_on_and_is_done(self, path):
        for _ in range(3):
            trainer = tiny_trainer()
            fit(trainer, 3, checkpoint=path, resume=path)
            assert trainer.epochs_done == load_trainer(path).epochs_done == 3

    def test_it_saves_every_so_many_epochs_and_at_the_end(self, path):
        saves = []

        def look(trainer, epoch):
            saves.append(load_trainer(path).epochs_done if path.exists() else 0)

        fit(tiny_trainer(), 7, checkpoint=path, every=3, callbacks=[look])
        assert saves == [0, 0, 0, 3, 3, 3, 6]
        assert load_trainer(path).epochs_done == 7

    @pytest.mark.parametrize("way", ["save", "load and save", "step", "sweep"])
    def test_a_file_knows_its_patches_however_it_was_saved(self, path, way):
        if way == "sweep":
            trainer = phyvae.sweep(
                tiny_grid(), {"a": None}, 1, model=lambda seed: tiny_model(), progress=False
            ).trainers["a"]
        else:
            trainer = tiny_trainer()
            if way == "step":
                trainer.step(tiny_grid())
            else:
                fit(trainer, 1)
        trainer.save(path)
        if way == "load and save":
            load_trainer(path).save(path)
        again = load_trainer(path)
        with pytest.raises(CheckpointError, match="the grid's pixels are others"):
            again.fit(tiny_grid(1), 2, resume=path, progress=False)
        beta = 1.0 if way in ("step", "sweep") else 0.3
        again.fit(tiny_grid(), 2, beta=beta, resume=path, progress=False)
        assert again.epochs_done == 2

    def test_resuming_goes_back_to_the_file(self, path):
        trainer, other = tiny_trainer(), tiny_trainer()
        fit(trainer, 2, checkpoint=path)
        fit(trainer, 1, beta=2.0)  # an epoch that is thrown away
        fit(trainer, 4, resume=path)
        fit(other, 4)
        assert_same_state(trainer, other)

    def test_a_callback_that_raises_leaves_the_last_save(self, path):
        def fail(trainer, epoch):
            if epoch == 3:
                raise RuntimeError("mine")

        with pytest.raises(RuntimeError, match="mine"):
            fit(tiny_trainer(), 5, checkpoint=path, callbacks=[fail])
        assert load_trainer(path).epochs_done == 2

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


class TestInterrupted:
    def test_ctrl_c_saves_what_every_had_not_yet(self, tmp_path):
        path, trainer = tmp_path / "run", tiny_trainer(PhysicsObjective(Stops(15)))
        with pytest.raises(KeyboardInterrupt) as stop:
            fit(trainer, 4, checkpoint=path, every=4)
        assert "The checkpoint has them, too." in stop.value.__notes__[0]
        loaded = load_trainer(path, objective=PhysicsObjective(Stops()))
        assert_same_state(loaded, trainer)

    def test_ctrl_c_in_the_first_epoch_saves_nothing(self, tmp_path):
        with pytest.raises(KeyboardInterrupt):
            fit(tiny_trainer(PhysicsObjective(Stops(2))), 4, checkpoint=tmp_path / "run")
        assert not list(tmp_path.iterdir())


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
            (lambda: [tiny_grid(), tiny_grid(1)], EdgeLoss()),
            (lambda: [tiny_grid(), holey_grid()], TotalVariation()),
        ],
        ids=["holes", "subpixel", "graph", "two grids", "a raster and holes"],
    )
    def test_a_resumed_run_ends_as_one_that_was_not_stopped(self, path, make, loss):
        once, first, second = (tiny_trainer(PhysicsObjective(loss), tile=5) for _ in range(3))
        fit(once, 2, make())
        fit(first, 1, make(), checkpoint=path)
        fit(second, 2, make(), resume=path)
        assert_same_state(once, second)
        assert_same_state(load_trainer(path), first)

    def test_another_mask_is_another_run(self, path):
        fit(tiny_trainer(), 1, holey_grid(), checkpoint=path)
        grid = holey_grid()
        grid.mask = grid.mask.clone()
        grid.mask[0, 0] = False
        with pytest.raises(CheckpointError, match="pixels are others"):
            fit(tiny_trainer(), 2, grid, resume=path)

    def test_so_are_grids_in_another_order(self, path):
        grids = [tiny_grid(), tiny_grid(1)]
        fit(tiny_trainer(), 1, grids, checkpoint=path)
        with pytest.raises(CheckpointError, match="belongs to another run: grid is"):
            fit(tiny_trainer(), 2, grids[::-1], resume=path)


class TestHoles:
    def test_a_resumed_run_has_the_same_bits(self, tmp_path):
        path, grid = tmp_path / "run", with_hole()
        whole = PhysicsTrainer(small(), PhysicsObjective(TotalVariation()))
        whole.fit(grid, 3, progress=False)
        first = PhysicsTrainer(small(), PhysicsObjective(TotalVariation()))
        first.fit(grid, 1, progress=False, checkpoint=path)
        rest = phyvae.load_trainer(path)
        rest.fit(grid, 3, progress=False, resume=path)
        assert_close(rest.model.state_dict(), whole.model.state_dict(), rtol=0, atol=0)
        other = PhysicsTrainer(small(), PhysicsObjective(TotalVariation()))
        with pytest.raises(phyvae.CheckpointError, match="another run"):
            other.fit(on_sites(), 3, progress=False, resume=path)

    def test_a_run_of_other_images_is_not_resumed(self, tmp_path):
        grids, path = series(), tmp_path / "run"
        PhysicsTrainer(small()).fit(grids, 1, progress=False, checkpoint=path)
        with pytest.raises(phyvae.CheckpointError, match="another run"):
            PhysicsTrainer(small()).fit(grids[::-1], 2, progress=False, resume=path)
        PhysicsTrainer(small()).fit(grids, 2, progress=False, resume=path)


class TestRefusals:
    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"lr": 0.5}, r"trainer\.lr is 0\.5 here, but 0\.0002 in the file"),
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
            ({"fit": {"grid": tiny_grid(1)}}, "the grid's pixels are others than in the file"),
        ],
        ids=lambda value: str(value)[:40],
    )
    def test_a_file_of_another_run_is_refused_by_name(self, path, change, named):
        fit(tiny_trainer(), 1, checkpoint=path)
        change = dict(change)
        call, model = change.pop("fit", {}), change.pop("model", {})
        model = tiny_model().double() if model == "double" else tiny_model(**model)
        trainer = tiny_trainer(**({"objective": None} | change), model=model)
        before = state(trainer)[0]["decoder.out.weight"].clone()
        with pytest.raises(CheckpointError, match=named):
            fit(trainer, 2, resume=path, **call)
        assert torch.equal(state(trainer)[0]["decoder.out.weight"], before)
        assert trainer.epochs_done == 0

    def test_fewer_epochs_than_the_file_has_are_refused(self, path):
        fit(tiny_trainer(), 2, checkpoint=path)
        with pytest.raises(CheckpointError, match=r"epochs=1, but .*run\.phyvae' has 2 already"):
            fit(tiny_trainer(), 1, resume=path)
        trainer, new = tiny_trainer(), path.with_name("new")
        fit(trainer, 2)
        with pytest.raises(ValueError, match="epochs=1, but the trainer has 2 already"):
            fit(trainer, 1, checkpoint=new, resume=new)

    def test_an_error_of_the_schedule_is_its_own(self, path):
        fit(tiny_trainer(), 1, checkpoint=path)
        with pytest.raises(ValueError, match=r"beta=-1\.0 at epoch 1") as error:
            fit(tiny_trainer(), 2, resume=path, beta=lambda epoch: 0.3 if epoch < 1 else -1.0)
        assert not isinstance(error.value, CheckpointError)

    def test_a_model_alone_cannot_be_resumed(self, path):
        tiny_model().save(path)
        for load in (load_trainer, lambda path: fit(tiny_trainer(), 1, resume=path)):
            with pytest.raises(CheckpointError, match=r"without the state .*load_model\(path\)"):
                load(path)

    def test_a_missing_file_is_refused_unless_the_run_is_to_be_saved_there(self, path):
        with pytest.raises(FileNotFoundError, match=r"resume='.*run\.phyvae' does not exist"):
            fit(tiny_trainer(), 1, resume=path)
        with pytest.raises(FileNotFoundError, match="the same path as checkpoint and resume"):
            fit(tiny_trainer(), 1, resume=path, checkpoint=path.with_name("other"))

    def test_a_new_run_does_not_replace_an_old_one(self, path):
        fit(tiny_trainer(), 1, checkpoint=path)
        before = path.read_bytes()
        with pytest.raises(FileExistsError, match=r"exists, and this trainer has not begun"):
            fit(tiny_trainer(), 1, checkpoint=path)
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
        trainer = tiny_trainer()
        with pytest.raises(error, match=named):
            fit(trainer, 1, **settings)
        assert trainer.epochs_done == 0

    def test_what_cannot_be_saved_is_refused_before_work_starts(self, path):
        trainer = tiny_trainer()
        trainer.optimizer = torch.optim.SGD(trainer.model.parameters(), lr=0.1)
        with pytest.raises(TypeError, match="optimizer is SGD, but a checkpoint holds Adam's"):
            fit(trainer, 1, checkpoint=path)
        assert trainer.epochs_done == 0
