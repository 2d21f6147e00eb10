import tomllib

import pytest

from phyvae.pipeline.choices import Choice
from phyvae.pipeline.settings_file import READ_BACK, read_settings, settings_text

SETTINGS = {
    "size": Choice((25, 30), "two unit cells\nof 12.6 px"),
    "reach": Choice((9, 9), "three quarters of a cell"),
    "flatten": Choice(False, "default"),
    "w": Choice(0.1, "default"),
    "seed": Choice(3, "given"),
    "mask": Choice('50 % "left out" \\ é \n', "x # y"),
    "classes": Choice(3, "every wall is a step"),
}


@pytest.fixture
def path(tmp_path):
    return tmp_path / "settings.toml"


class TestRoundTrip:
    def test_what_can_be_given_is_read_back(self, path):
        path.write_text(settings_text(SETTINGS, "a scan\n[settings]"), encoding="utf-8")
        wanted = {name: SETTINGS[name].value for name in READ_BACK if name in SETTINGS}
        assert read_settings(path) == wanted

    def test_every_choice_is_there_with_its_reason(self):
        text = settings_text(SETTINGS, "a scan")
        loaded = tomllib.loads(text)
        assert loaded["others"] == {"reach": [9, 9], "mask": SETTINGS["mask"].value}
        assert "size = [25, 30]  # two unit cells of 12.6 px\n" in text
        assert text.startswith("# a scan\n")

    def test_without_an_answer_sizes_are_no_choices(self, path):
        path.write_text(settings_text(SETTINGS, "a", answered=False), encoding="utf-8")
        assert read_settings(path) == {"w": 0.1, "seed": 3}


class TestRefusals:
    def test_another_file(self, path):
        path.write_bytes(b"\xff\x00")
        with pytest.raises(ValueError, match="no TOML file"):
            read_settings(path)

    def test_a_missing_file(self, path):
        with pytest.raises(FileNotFoundError, match="cannot be opened: No such file"):
            read_settings(path)

    @pytest.mark.parametrize(
        ("text", "match"),
        [
            ("", r"has no table \[settings\]; it takes classes"),
            ("settings = 3", r"has no table \[settings\]"),
            ("size = 3", r"has \['size'\] outside of \[settings\]"),
            ("[settings]\nsize = 3\n[setings]\nw = 1", r"has \['setings'\] outside"),
        ],
    )
    def test_settings_outside_of_their_table(self, path, text, match):
        path.write_text(text)
        with pytest.raises(ValueError, match=match):
            read_settings(path)

    def test_an_unknown_setting(self, path):
        path.write_text("[settings]\nsizes = 3\n")
        with pytest.raises(ValueError, match=r"takes classes, .* seed, not \['sizes'\]"):
            read_settings(path)
