"""Whether progress bars are shown."""

import sys

from tqdm.auto import tqdm

from .processes import rank

__all__ = ["silent"]


def silent(progress: bool) -> bool:
    """Return whether to show no bar: it is not asked for, or would fill a file such as a log.

    Bars are shown in a terminal and in a notebook, whose output is no terminal; of several
    processes, by the first one.
    """
    notebook = any(one.__module__ == "tqdm.notebook" for one in tqdm.__mro__)
    terminal = sys.stderr is not None and sys.stderr.isatty()
    return not progress or rank() > 0 or not (notebook or terminal)
