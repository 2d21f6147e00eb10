import inspect
import json

import pytest

import phyvae
from objectives import OBJECTIVES, Rough
from phyvae import EdgeLoss, PhysicsObjective, PhysicsTrainer, ShiftVAE
from phyvae.training import recipes
from small import tiny_trainer


def test_every_loss_of_phyvaes_is_built_again_from_its_settings():
    built = recipes.build_objective
    for objective in OBJECTIVES:
        described = json.loads(json.dumps(recipes.describe_objective(objective)))
        assert recipes.describe_objective(built(described)) == described
    covered = json.dumps([recipes.describe_objective(objective) for objective in OBJECTIVES])
    for name in recipes._LOSSES.keys() - {"Relation"}:  # it holds a function of the user's
        assert f'"loss": "{name}"' in covered, f"add {name} to OBJECTIVES"


def test_every_setting_of_a_constructor_is_saved():
    def names(cls, *others):
        return set(inspect.signature(cls).parameters) - set(others)

    trainer = tiny_trainer()
    assert trainer.settings.keys() == names(
        PhysicsTrainer, "model", "objective", "device", "enumerate_parallel"
    )
    assert trainer.model.settings.keys() == names(ShiftVAE, "device", "invariances")  # one kind
    described = recipes.describe_objective(trainer.objective)
    assert described.keys() == names(PhysicsObjective)


class TestForeignLoss:
    def test_is_found_at_any_depth(self):
        own = PhysicsObjective(EdgeLoss() + 2.0 * phyvae.Maximize(Rough()))
        assert recipes.foreign_loss(recipes.describe_objective(own)) == "Rough"
        ours = PhysicsObjective(EdgeLoss() + 2.0 * phyvae.Maximize(EdgeLoss()))
        assert recipes.foreign_loss(recipes.describe_objective(ours)) is None

    def test_is_described_by_its_name_and_its_numbers(self):
        described = recipes.describe_objective(PhysicsObjective(Rough(3.0)))
        assert described["physics"] == {"own": "Rough", "settings": {"power": 3.0}}

    def test_names_of_a_file_are_looked_up_among_phyvaes_losses_alone(self):
        with pytest.raises(KeyError, match="system"):
            recipes.build_objective({"physics": {"loss": "system", "settings": {}}})
