import pytest

from phyvae import EdgeLoss, PhysicsObjective, Setting, ShiftVAE
from phyvae.pipeline.settings import named_settings, starting_model
from small import tiny_grid, tiny_model


class TestNamedSettings:
    def test_an_objective_alone_is_a_setting_with_nothing_else_of_its_own(self):
        objective, own = PhysicsObjective(EdgeLoss()), Setting(None, beta=0.5, seed=3)
        found = named_settings({"SL1": objective, "plain": None, "own": own})
        assert list(found) == ["SL1", "plain", "own"]
        assert found["SL1"] == Setting(objective, beta=None, seed=0)
        assert found["plain"] == Setting()
        assert found["own"] is own

    @pytest.mark.parametrize(
        ("settings", "match"),
        [([None], "must map names to settings"), ({"a": EdgeLoss()}, r"settings\['a'\]=EdgeLoss")],
    )
    def test_what_is_no_setting(self, settings, match):
        with pytest.raises(TypeError, match=match):
            named_settings(settings)

    @pytest.mark.parametrize(
        ("settings", "error", "match"),
        [
            ({}, ValueError, "settings is empty"),
            ({3: None}, TypeError, "settings has the name 3; it must be a non-empty string"),
            ({" ": None}, TypeError, "settings has the name ' '"),
            ({"a": Setting(seed=-1)}, ValueError, r"seed of settings\['a'\]=-1 must be"),
        ],
    )
    def test_bad_ones_are_named(self, settings, error, match):
        with pytest.raises(error, match=match):
            named_settings(settings)


class TestStartingModel:
    def test_is_the_one_of_the_seed(self):
        model = starting_model(lambda seed: tiny_model(seed=seed), 5, tiny_grid())
        assert model.settings["seed"] == 5

    @pytest.mark.parametrize(
        ("model", "error", "match"),
        [
            (tiny_model(), TypeError, "must be a function of a seed"),
            (ShiftVAE, TypeError, "must be a function of a seed"),
            (3, TypeError, "model=3 must be a function of a seed"),
            (lambda: tiny_model(), TypeError, "must be a function of a seed"),
            (lambda seed: seed, TypeError, r"model\(5\) returned an object of type int"),
            (lambda seed: ShiftVAE((9, 9)), ValueError, r"the grid's patches"),
        ],
    )
    def test_what_is_none_is_refused(self, model, error, match, unchecked):
        with pytest.raises(error, match=match):
            unchecked(starting_model, model, 5, tiny_grid())
