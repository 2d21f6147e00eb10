"""The Python blocks of README and of the documentation run, each page from the top."""

import re
import runpy
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

import phyvae
from phyvae.pipeline import finding

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(page):
    """Return (source, number of lines above it) of each Python block of a page."""
    text = page.read_text(encoding="utf-8")
    return [(found[1], text.count("\n", 0, found.start(1))) for found in BLOCK.finditer(text)]


CANDIDATES = [
    ROOT / "README.md",
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "docs/develop").glob("*.md"),
]
PAGES = sorted(str(page.relative_to(ROOT)) for page in CANDIDATES if blocks(page))


@pytest.fixture
def few_steps(monkeypatch):
    """Let align, sweep and training take few steps, as for the examples of the documentation."""
    # Set to what they are, so that they are put back after the test.
    changed = (
        (phyvae, "align"), (phyvae, "sweep"), (phyvae.PhysicsTrainer, "fit"), (finding, "align"),
    )  # fmt: skip
    for owner, name in changed:
        monkeypatch.setattr(owner, name, getattr(owner, name))
    monkeypatch.setenv("PHYVAE_FEW_STEPS", "1")
    runpy.run_path(str(ROOT / "docs/quick_run.py"))["few_steps"](None, None)


def test_pages_with_blocks_are_found():
    assert {"README.md", "docs/getting_started.md", "docs/models.md"} <= set(PAGES)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::phyvae.CollapsedMapsWarning")
@pytest.mark.usefixtures("few_steps")
@pytest.mark.parametrize("page", PAGES)
def test_the_blocks_of_a_page_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = {"__name__": "page"}
    for source, above in blocks(ROOT / page):
        # Empty lines above it, so that a traceback has the line of the page.
        exec(compile("\n" * above + source, page, "exec"), names)
        plt.close("all")
