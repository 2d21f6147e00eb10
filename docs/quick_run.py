"""The command line of an example while the documentation is built."""

from pathlib import Path

WITHOUT_OPTIONS = (
    "your_own_physics", "physics_library", "joint_classes", "time_series", "spectra", "rotation",
)  # fmt: skip


class QuickRun:
    """Shorten the examples that have options.

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
