"""The code blocks of README and of the documentation run, each page from the top."""

import re
import runpy
import shlex
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import phyvae
from phyvae import cli
from phyvae.pipeline import finding

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```(python|bash)\n(.*?)^```", re.MULTILINE | re.DOTALL)
MOST_WORDS = {"README.md": 400, "docs/explanation/method.md": 1200}
# Pages of Sphinx: docs/gallery and docs/api are generated.
WRITTEN = [
    ROOT / "README.md",
    *(page for page in sorted((ROOT / "docs").rglob("*.md")) if "_build" not in page.parts),
]
USER = ("get_started", "guide")


def name(page):
    return page.relative_to(ROOT).as_posix()


def blocks(page):
    """Return (language, source, number of lines above it) of each code block of a page."""
    text = page.read_text(encoding="utf-8")
    return [(one[1], one[2], text.count("\n", 0, one.start(2))) for one in BLOCK.finditer(text)]


PAGES = [name(page) for page in WRITTEN if any(kind == "python" for kind, *_ in blocks(page))]


@pytest.fixture
def few_steps(monkeypatch):
    """Let align, sweep and training take few steps, as for the examples of the documentation."""
    # Set to what they are, so that they are put back after the test.
    changed = (
        (phyvae, "align"), (phyvae, "sweep"), (phyvae.PhysicsTrainer, "fit"), (finding, "align"),
    )  # fmt: skip
    for owner, attribute in changed:
        monkeypatch.setattr(owner, attribute, getattr(owner, attribute))
    monkeypatch.setenv("PHYVAE_FEW_STEPS", "1")
    runpy.run_path(str(ROOT / "docs/quick_run.py"))["few_steps"](None, None)


def test_pages_with_blocks_are_found():
    assert {"README.md", "docs/get_started/first_map.md", "docs/guide/models.md"} <= set(PAGES)


@pytest.mark.parametrize("page", MOST_WORDS)
def test_some_pages_are_short(page):
    assert len((ROOT / page).read_text(encoding="utf-8").split()) <= MOST_WORDS[page]


@pytest.mark.parametrize("page", [name(one) for one in WRITTEN if one.parent.name in USER])
def test_a_page_for_users_has_at_most_one_table(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    assert len(re.findall(r"^\|[ -|]*---[ -|]*\|$", text, re.MULTILINE)) <= 1


def test_links_between_pages_lead_to_files():
    broken = [
        f"{name(page)}: {target}"
        for page in WRITTEN
        for target in re.findall(r"\]\(([\w./-]+\.(?:md|png|py|cff))", page.read_text("utf-8"))
        if "gallery/" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::phyvae.CollapsedMapsWarning")
@pytest.mark.filterwarnings("ignore::phyvae.LostMapsWarning")
@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for kind, source, above in blocks(ROOT / page):
        if kind == "python":
            # Empty lines above it, so that a traceback has the line of the page.
            exec(compile("\n" * above + source, page, "exec"), names)
            plt.close("all")
            continue
        # Of commands, those on files made here.
        for words in map(shlex.split, source.replace("\\\n", " ").splitlines()):
            if words[:1] == ["phyvae"] and Path(words[1]).exists():
                assert cli.main(words[1:]) == 0
