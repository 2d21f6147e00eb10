"""Versions and files that people look for agree with each other."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def read(file):
    return (ROOT / file).read_text(encoding="utf-8")


def test_the_version_is_that_of_the_citation_and_of_the_changelog():
    version = PROJECT["version"]
    assert re.search(r"^version: (.+)$", read("CITATION.cff"), re.MULTILINE)[1] == version
    assert re.search(r"^## ([\d.]+)", read("CHANGELOG.md"), re.MULTILINE)[1] == version


def test_the_licence_is_that_of_the_citation():
    assert (
        re.search(r"^license: (.+)$", read("CITATION.cff"), re.MULTILINE)[1] == PROJECT["license"]
    )


def test_files_that_people_look_for_are_there():
    files = ("LICENSE", "SECURITY.md", "SUPPORT.md", "CODE_OF_CONDUCT.md", "CONTRIBUTING.md")
    assert [file for file in files if not (ROOT / file).is_file()] == []
