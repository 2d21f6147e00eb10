"""The reference: every public name is on its page, with an example and without internal paths."""

import inspect
import re
from pathlib import Path

import pytest

import phyvae

DOCS = Path(__file__).parents[1] / "docs"
MODULES = {
    "": phyvae,
    "phantoms": phyvae.phantoms,
    "testing": phyvae.testing,
    "physics": phyvae.physics,
    "models": phyvae.models,
}
BESIDES = ["physics.bilateral", "physics.scharr", "physics.standardise_values"]
BESIDES += ["models.PoseModel", "models.Refinable"]
NAMES = [name for name in phyvae.__all__ if name not in MODULES]
NAMES += [f"{home}.{name}" for home in ("phantoms", "testing") for name in MODULES[home].__all__]
NAMES += BESIDES
WITHOUT = {
    "testing.LAWS": "a dict has no docstring; the example of check_physics_loss lists it",
}
# A name in a module of phyvae that is not one of MODULES: phyvae.patches.grid.PatchGrid.
INTERNAL = re.compile(rf"phyvae\.(?!(?:{'|'.join(filter(None, MODULES))})\.)[a-z_]+\.[A-Za-z_]+")


def public(name):
    home, _, own = name.rpartition(".")
    return getattr(MODULES[home], own)


def text_of(name):
    return inspect.cleandoc(public(name).__doc__ or "")


def has_example(name):
    """Return whether a user can paste the example: tests/test_doctests.py runs it."""
    *_, examples = text_of(name).partition("Examples\n--------\n")
    return re.search("^>>> (import|from) phyvae", examples, re.M) and "+SKIP" not in examples


def test_public_names_without_an_example_are_few():
    assert [name for name in NAMES if not has_example(name)] == sorted(WITHOUT, key=NAMES.index)


def test_every_public_name_is_on_the_page_of_the_api():
    page = (DOCS / "reference/api.md").read_text(encoding="utf-8")
    listed, home = set(), ""
    for line in page.splitlines():
        if found := re.match(r"\.\. currentmodule:: phyvae\.?(\w*)", line):
            home = found[1]
        elif found := re.match(r"(?: {3}|\.\. (?:py:data|autodata):: )(\w+)$", line):
            listed.add(f"{home}.{found[1]}".lstrip("."))
    assert listed == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_docstrings_name_no_internal_module(name):
    one = public(name)
    own = vars(one).values() if inspect.isclass(one) else ()
    texts = [text_of(name), *(getattr(member, "__doc__", None) or "" for member in own)]
    assert [INTERNAL.findall(text) for text in texts if INTERNAL.search(text)] == []


def test_pages_for_users_name_no_internal_module():
    pages = [
        p for part in ("get_started", "guide", "reference") for p in (DOCS / part).glob("*.md")
    ]
    found = {p.name: INTERNAL.findall(p.read_text(encoding="utf-8")) for p in pages}
    assert len(pages) > 15
    assert {name: paths for name, paths in found.items() if paths} == {}
