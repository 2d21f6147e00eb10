"""Domains of a scan."""

import re
from dataclasses import replace

import numpy as np

from phyvae.pipeline.choices import Choice


def test_the_answer_is_a_number_with_its_reason(found):
    assert found.classes == 2
    assert re.fullmatch(
        r"2 domains: edges at their walls are \d+ times .* \d+ standard deviations above chance",
        found.answer,
    )
    assert found.settings["classes"].reason == found.evidence.reason
    given = replace(found, settings={**found.settings, "classes": Choice(2, "given")})
    assert given.answer == "2 domains: given"
    one = replace(found, labels=np.zeros_like(found.labels))
    assert one.answer.startswith("one domain: ")


def test_or_why_there_is_none(found):
    none = replace(found, labels=np.full_like(found.labels, -1), problem="it is noise")
    assert none.classes == 0
    assert none.answer == "cannot be answered, because it is noise"


def test_repr_has_answer_and_doubts(found):
    shown = repr(replace(found, doubts=("it is a phantom",)))
    assert "phantom.npz" in shown
    assert "2 domains" in shown
    assert "doubt: it is a phantom" in shown
