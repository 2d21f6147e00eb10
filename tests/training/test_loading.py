"""Trainers, and their models, read from a file."""

import numpy as np
import pytest
import safetensors.torch
import torch

import phyvae
from objectives import OBJECTIVES, Rough
from phyvae import CheckpointError, EdgeLoss, PhysicsObjective, ShiftVAE, load_model, load_trainer
from phyvae.saving import sealed
from small import assert_same_state, fit, tiny_grid, tiny_model, tiny_trainer


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.phyvae"


class TestRoundTrip:
    @pytest.mark.parametrize("objective", OBJECTIVES, ids=lambda objective: repr(objective)[17:50])
    def test_a_loaded_trainer_is_the_saved_one_and_goes_on_alike(self, path, objective):
        trainer = tiny_trainer(objective, batch_size=9, tile=5, seed=4, lr=3e-3)
        fit(trainer, 1)
        trainer.save(path)
        loaded = load_trainer(path)
        assert repr(loaded.objective) == repr(trainer.objective)
        assert_same_state(loaded, trainer)
        for either in (loaded, trainer):
            fit(either, 1)
        assert_same_state(loaded, trainer)

    def test_load_model_takes_the_model_of_a_trainer(self, path):
        trainer = tiny_trainer()
        fit(trainer, 1)
        trainer.save(path)
        weights = load_model(path).state_dict()
        assert all(torch.equal(weights[k], v) for k, v in trainer.model.state_dict().items())

    def test_an_untrained_trainer_too(self, path):
        trainer = tiny_trainer()
        trainer.save(path)
        assert_same_state(load_trainer(path), trainer)

    def test_a_changed_learning_rate_is_kept(self, path):
        def slower(trainer, epoch):
            trainer.optimizer.param_groups[0]["lr"] = 1e-3 / epoch

        once, first = tiny_trainer(), tiny_trainer()
        fit(once, 4, callbacks=[slower])
        fit(first, 2, callbacks=[slower], checkpoint=path)
        second = load_trainer(path)
        fit(second, 2, callbacks=[slower])
        assert_same_state(once, second)

    def test_amsgrad_too(self, path):
        trainer = tiny_trainer()
        settings = {"lr": 2e-3, "fused": True, "amsgrad": True}
        trainer.optimizer = torch.optim.Adam(trainer.model.parameters(), **settings)
        fit(trainer, 2)
        trainer.save(path)
        loaded = load_trainer(path)
        for either in (trainer, loaded):
            fit(either, 1)
        assert_same_state(loaded, trainer)

    def test_the_file_tells_what_wrote_it(self, path):
        tiny_trainer().save(path)
        record, _ = sealed.read(path)
        assert record["versions"].keys() == {"phyvae", "torch", "pyro-ppl", "pyroved"}
        assert record["versions"]["phyvae"] == phyvae.__version__

    def test_saving_changes_nothing(self, path):
        a, b = tiny_trainer(), tiny_trainer()
        fit(a, 2, checkpoint=path)
        fit(b, 2)
        assert_same_state(a, b)


class TestModel:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
    def test_a_loaded_model_is_the_saved_one(self, path, dtype):
        model = tiny_model(latent_dim=3, sampler_d="gaussian", sigmoid_d=False).to(dtype)
        model.save(path)
        loaded = load_model(path)
        assert loaded.settings == model.settings
        grid = tiny_grid()
        assert torch.equal(loaded.latent_maps(grid), model.latent_maps(grid))
        z = torch.randn(4, 3)
        assert torch.equal(loaded.decode(z), model.decode(z))
        assert loaded.grid.dtype == dtype

    def test_a_model_of_spectra_too(self, path):
        ShiftVAE((20,), hidden_dim_e=[8, 7], hidden_dim_d=[6], activation="gelu").save(path)
        assert load_model(path).settings["hidden_dim_e"] == (8, 7)

    def test_any_reader_of_safetensors_finds_the_weights(self, path):
        model = tiny_model()
        model.save(path)
        other = tiny_model(seed=9)
        other.load_state_dict(safetensors.torch.load_file(path))
        assert torch.equal(other.decoder.out.weight, model.decoder.out.weight)


class TestOwnLoss:
    def test_its_code_is_asked_for(self, path):
        trainer = tiny_trainer(PhysicsObjective(EdgeLoss() + 2.0 * Rough()))
        trainer.save(path)
        with pytest.raises(CheckpointError, match=r"trained with Rough, .* code is not saved"):
            load_trainer(path)

    def test_with_it_training_goes_on_alike_its_own_state_included(self, path):
        once = tiny_trainer(PhysicsObjective(Rough()))
        fit(once, 4)
        first = tiny_trainer(PhysicsObjective(Rough()))
        fit(first, 2, checkpoint=path)
        second = load_trainer(path, objective=PhysicsObjective(Rough()))
        fit(second, 2)
        assert_same_state(once, second)
        assert second.objective.physics.calls > first.objective.physics.calls > 0

    def test_another_one_is_refused(self, path):
        tiny_trainer(PhysicsObjective(Rough())).save(path)
        with pytest.raises(CheckpointError, match=r"power is 3\.0 here, but 2\.0 in the file"):
            load_trainer(path, objective=PhysicsObjective(Rough(3.0)))
        with pytest.raises(CheckpointError, match=r"loss is 'EdgeLoss' here, but None in the"):
            load_trainer(path, objective=PhysicsObjective(EdgeLoss()))

    def test_a_function_is_known_by_its_name(self, path):
        def rough(maps):
            return maps.diff(dim=-1).square().mean()

        def smooth(maps):
            return maps.square().mean()

        tiny_trainer(PhysicsObjective(rough)).save(path)
        load_trainer(path, objective=PhysicsObjective(rough))
        with pytest.raises(CheckpointError, match=r"\.smooth' here, but '.*\.rough' in the file"):
            load_trainer(path, objective=PhysicsObjective(smooth))

    def test_a_class_that_borrows_the_name_of_one_of_ours_is_not_taken_for_it(self, path):
        class EdgeLoss(Rough):
            pass

        tiny_trainer(PhysicsObjective(EdgeLoss())).save(path)
        with pytest.raises(CheckpointError, match=r"EdgeLoss, which is not a loss of phyvae's"):
            load_trainer(path)

    def test_a_model_of_ones_own_is_resumed_but_not_built(self, path):
        class MyVAE(ShiftVAE):
            pass

        model = {"hidden_dim_e": (8,), "hidden_dim_d": (8,)}
        fit(tiny_trainer(model=MyVAE((6, 6), **model)), 1, checkpoint=path)
        for load in (load_model, load_trainer):
            with pytest.raises(CheckpointError, match="MyVAE, and code is not saved"):
                load(path)
        again = tiny_trainer(model=MyVAE((6, 6), **model))
        fit(again, 2, resume=path)
        assert again.epochs_done == 2
        loaded = load_trainer(path, model=MyVAE((6, 6), **model))
        fit(loaded, 1)
        assert_same_state(loaded, again)
        with pytest.raises(CheckpointError, match=r"class is 'ShiftVAE' here, but '.*MyVAE'"):
            load_model(path, model=ShiftVAE((6, 6), **model))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize(("first", "second"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_cpu_and_cuda_load_each_others_files(path, first, second):
    trainer = tiny_trainer(device=first)
    fit(trainer, 2, checkpoint=path)
    loaded = load_trainer(path, device=second)
    assert loaded.model.device.type == second
    for name, value in trainer.model.state_dict().items():
        assert torch.equal(value.cpu(), loaded.model.state_dict()[name].cpu())
    fit(loaded, 1)
    assert np.isfinite(loaded.history.loss).all()
    fit(tiny_trainer(device=second), 3, resume=path)
    assert load_model(path, device=second).device.type == second


def test_a_training_of_0_1_0_is_refused_with_the_reason_and_its_model_loads(tmp_path):
    path = tmp_path / "old"
    trainer = tiny_trainer()
    trainer.fit(tiny_grid(), 1, progress=False)
    trainer.save(path)
    record, tensors = sealed.read(path)
    record["versions"]["phyvae"] = "0.1.0"
    record["trainer"]["compile"] = False
    sealed.write(path, sealed.seal(record, tensors))
    with pytest.raises(CheckpointError, match=r"written by phyvae 0\.1\.0, .* phyvae.load_model"):
        load_trainer(path)
    assert load_model(path).patch_shape == trainer.model.patch_shape
