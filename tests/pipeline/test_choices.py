"""A choice is a value with its reason."""

from phyvae.pipeline.choices import GIVEN, Choice, chosen


def test_what_is_not_the_default_was_given():
    assert chosen(0.1, 0.1, "default") == Choice(0.1, "default")
    assert chosen(0.2, 0.1, "default") == Choice(0.2, GIVEN)


def test_reads_as_value_and_reason():
    assert str(Choice(25, "two unit cells")) == "25 (two unit cells)"
