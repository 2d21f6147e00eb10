"""The examples, shortened while the documentation is built."""

import functools
import os
from pathlib import Path

import phyvae
from phyvae.pipeline import finding

ORDER = (
    "first_map", "noisy_film", "how_much_physics", "superlattice", "grains_and_residue",
    "real_file", "spectra", "time_series", "sites", "your_own_physics", "comparison_with_pca",
)  # fmt: skip


class InOrder:
    """The order of the examples on the page of the gallery."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, file):
        name = Path(file).stem
        return (ORDER.index(name) if name in ORDER else len(ORDER), name)


class QuickRun:
    """The command line of an example: short, where it has options.

    Sphinx pickles its settings, hence a class in a module of its own.
    """

    def __call__(self, gallery_conf, script_vars):
        return ["--quick"] if Path(script_vars["src_file"]).parent.name == "paper" else []

    def __repr__(self):
        return "QuickRun()"

    def __eq__(self, other):
        return isinstance(other, QuickRun)  # else every build would read all pages again

    __hash__ = None


def few_steps(gallery_conf, name):
    """Let training take few steps if PHYVAE_FEW_STEPS is set: a check that the examples run."""
    if not os.environ.get("PHYVAE_FEW_STEPS") or hasattr(phyvae.align, "settings"):
        return
    phyvae.align = with_these(phyvae.align, steps=5, content_steps=5, decoder_steps=5)
    finding.align = phyvae.align
    phyvae.sweep = with_these(phyvae.sweep, steps_per_epoch=2)
    phyvae.PhysicsTrainer.fit = with_these(phyvae.PhysicsTrainer.fit, steps_per_epoch=2)


def with_these(function, **settings):
    @functools.wraps(function)
    def changed(*args, **kwargs):
        few = {"steps": 40} if "steps" in kwargs else {}
        return function(*args, **(kwargs | settings | few))

    changed.settings = settings
    return changed
