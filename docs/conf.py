"""Sphinx settings: pages in Markdown, the reference from docstrings, a gallery from examples/."""

import os
import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

os.environ["MPLBACKEND"] = "Agg"
HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent / "examples/paper")]  # the latter: experiment.py

from quick_run import QuickRun  # noqa: E402 - found on the path just set
from sphinx_gallery import gen_rst  # noqa: E402

# The output of an example goes to a page, which progress bars would fill, terminal or not.
gen_rst._LoggingTee.isatty = lambda tee: False

# -- Project -----------------------------------------------------------------------------------

project = "phyvae"
author = "The phyvae developers"
copyright = "The phyvae developers, MIT licence"
release = version = version_of("phyvae")

# -- What builds the pages ---------------------------------------------------------------------

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.mathjax",
    "sphinx-mathjax-offline",  # MathJax among the pages, so that they need no network
    "sphinx_design",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "gallery/**.ipynb", "gallery/**.md5"]
myst_enable_extensions = ["dollarmath", "deflist", "colon_fence"]
myst_heading_anchors = 3
default_role = "py:obj"
python_maximum_signature_line_length = 88

# -- Reference ---------------------------------------------------------------------------------

autosummary_generate = True
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
numpydoc_show_class_members = False

# -- Gallery -----------------------------------------------------------------------------------

sphinx_gallery_conf = {
    "examples_dirs": "../examples",
    "gallery_dirs": "gallery",
    "filename_pattern": r"\.py$",
    "ignore_pattern": r"(/benchmarks/|experiment\.py)",
    "subsection_order": ["../examples/library", "../examples/paper", "../examples/models"],
    "within_subsection_order": "quick_run.InOrder",
    "first_notebook_cell": (
        "# In Colab: upload a wheel of phyvae (python -m build), or give the address of a clone.\n"
        "%pip install --quiet phyvae-*.whl\n"
        "%matplotlib inline"
    ),
    "reset_argv": QuickRun(),
    "reset_modules": ("matplotlib", "seaborn", "quick_run.few_steps"),
    "abort_on_example_error": True,
    "show_memory": False,
    "write_computation_times": False,
}

# -- HTML --------------------------------------------------------------------------------------

html_theme = "pydata_sphinx_theme"
html_title = "phyvae"
html_show_sourcelink = False
html_theme_options = {
    "show_prev_next": False,
    "secondary_sidebar_items": ["page-toc"],
    "navigation_with_keys": False,
    "header_links_before_dropdown": 7,
    "navbar_persistent": ["search-button"],
}
html_sidebars = {"index": []}
html_static_path = ["_static"]
html_css_files = ["phyvae.css"]


# -- Docstrings --------------------------------------------------------------------------------


def escape_shapes(app, what, name, obj, options, lines):
    """Shapes such as (n, *patch_shape) are plain text in our docstrings, not emphasis."""
    lines[:] = [re.sub(r"(?<=[ (])\*(?=patch)", r"\\*", line) for line in lines]


def drop_signature(app, what, name, obj, options, signature, annotation):
    """A physics loss inherits the open-ended constructor of torch modules, which says nothing."""
    return ("()", None) if name == "phyvae.PhysicsLoss" else None


def setup(app):
    app.connect("autodoc-process-docstring", escape_shapes, priority=400)  # before numpydoc
    app.connect("autodoc-process-signature", drop_signature)
