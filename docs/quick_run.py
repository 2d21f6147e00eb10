"""The examples, shortened while the documentation is built."""

import functools
import os
from pathlib import Path

import phyvae
from phyvae.pipeline import finding

WITHOUT_OPTIONS = (
    "first_domains", "your_own_physics", "physics_library", "joint_classes", "time_series",
    "spectra", "rotation",
)  # fmt: skip


class QuickRun:
    """The command line of an example: short, where it has options.

    Sphinx pickles its settings, hence a class in a module of its own.
    """

    def __call__(self, gallery_conf, script_vars):
        name = Path(script_vars["src_file"]).stem
        return [] if name in WITHOUT_OPTIONS else ["--quick"]

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
