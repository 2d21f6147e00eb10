"""The contents of a trainer's file: those of another trainer, or of nobody's, are refused."""

import inspect
import json
import pickle
import random

import pytest
import safetensors.torch
import torch

import phyvae
from objectives import OBJECTIVES, Rough
from phyvae import (
    CheckpointError,
    EdgeLoss,
    FourierLoss,
    Maximize,
    PhysicsObjective,
    PhysicsTrainer,
    ShiftVAE,
    load_model,
    load_trainer,
)
from phyvae.saving import sealed
from phyvae.training import contents
from phyvae.training.contents import described, restore, sealed_training
from small import assert_same_state, fit, tiny_trainer


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.phyvae"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The bytes of a trainer's file."""
    path = tmp_path_factory.mktemp("saved") / "run.phyvae"
    trainer = tiny_trainer(PhysicsObjective(EdgeLoss() + 0.5 * Maximize(FourierLoss())))
    fit(trainer, 2, checkpoint=path)
    return path.read_bytes()


def reseal(data, change):
    """Return a sealed file with changed contents and a right SHA-256: what a forger would do."""
    length = int.from_bytes(data[:8], "little")
    record = json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["phyvae"])
    tensors = safetensors.torch.load(data)
    change(record, tensors)
    return sealed.seal(record, tensors)


def sealed_record(data):
    length = int.from_bytes(data[:8], "little")
    return json.loads(json.loads(data[8 : 8 + length])["__metadata__"]["phyvae"])


class TestSealedTraining:
    def test_is_restored_to_the_bit_into_a_trainer_of_the_same_settings(self, path):
        trainer, other = tiny_trainer(), tiny_trainer()
        fit(trainer, 1)
        sealed.write(path, sealed_training(trainer.state))
        restore(other.state, path, *sealed.read(path))
        assert_same_state(trainer, other)

    def test_holds_all_settings(self):
        trainer = tiny_trainer(lr=0.25)
        found = described(trainer.state)
        assert found.keys() == {"model", "objective", "trainer"}
        assert found["trainer"] == trainer.settings
        assert json.loads(json.dumps(found)) == found


class TestBadContents:
    def refused(self, path, data, named=None, load=load_trainer):
        path.write_bytes(data)
        with pytest.raises(CheckpointError, match=named):
            load(path)

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
        self.refused(
            path, reseal(saved, change), "'.*run.phyvae' (cannot be|has unexpected|belongs)"
        )

    def test_a_pickle_within_a_sealed_file_is_refused_as_a_tensor_too_many(self, path, saved):
        inside = torch.tensor(list(pickle.dumps(OSError("x"))), dtype=torch.uint8)
        self.refused(path, reseal(saved, lambda r, t: t.update(data=inside)), "data is ")

    def test_any_damage_is_refused_before_the_contents_are_looked_at(self, path, saved):
        for load in (load_trainer, load_model):
            self.refused(path, saved[:-1], "is damaged: its SHA-256", load)
            self.refused(path, saved[:100], "or is truncated", load)
            self.refused(path, pickle.dumps({"model": 1}), "perhaps a pickle", load)
            empty = sealed.seal({}, {"nothing": torch.zeros(1)})
            self.refused(path, empty, "(has unexpected contents|without the st)", load)
            path.unlink()
            with pytest.raises(FileNotFoundError):
                load(path)

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
        trainer = tiny_trainer(PhysicsObjective(EdgeLoss() + 0.5 * Maximize(FourierLoss())))
        path.write_bytes(reseal(saved, change))
        before = {k: v.clone() for k, v in trainer.model.state_dict().items()}
        with pytest.raises(CheckpointError, match="cannot be loaded"):
            fit(trainer, 3, resume=path)
        assert all(torch.equal(before[k], v) for k, v in trainer.model.state_dict().items())


def test_every_loss_of_phyvaes_is_built_again_from_its_settings():
    built = contents.build_objective
    for objective in OBJECTIVES:
        described = json.loads(json.dumps(contents.describe_objective(objective)))
        assert contents.describe_objective(built(described)) == described
    covered = json.dumps([contents.describe_objective(objective) for objective in OBJECTIVES])
    for name in contents._LOSSES.keys() - {"Relation"}:  # it holds a function of the user's
        assert f'"loss": "{name}"' in covered, f"add {name} to OBJECTIVES"


def test_every_setting_of_a_constructor_is_saved():
    def names(cls, *others):
        return set(inspect.signature(cls).parameters) - set(others)

    trainer = tiny_trainer()
    assert trainer.settings.keys() == names(
        PhysicsTrainer, "model", "objective", "device", "enumerate_parallel"
    )
    assert trainer.model.settings.keys() == names(ShiftVAE, "device", "invariances")  # one kind
    described = contents.describe_objective(trainer.objective)
    assert described.keys() == names(PhysicsObjective)


class TestForeignLoss:
    def test_is_found_at_any_depth(self):
        own = PhysicsObjective(EdgeLoss() + 2.0 * phyvae.Maximize(Rough()))
        assert contents.foreign_loss(contents.describe_objective(own)) == "Rough"
        ours = PhysicsObjective(EdgeLoss() + 2.0 * phyvae.Maximize(EdgeLoss()))
        assert contents.foreign_loss(contents.describe_objective(ours)) is None

    def test_is_described_by_its_name_and_its_numbers(self):
        described = contents.describe_objective(PhysicsObjective(Rough(3.0)))
        assert described["physics"] == {"own": "Rough", "settings": {"power": 3.0}}

    def test_names_of_a_file_are_looked_up_among_phyvaes_losses_alone(self):
        with pytest.raises(KeyError, match="system"):
            contents.build_objective({"physics": {"loss": "system", "settings": {}}})
