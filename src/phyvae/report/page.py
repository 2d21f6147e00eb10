"""The page of a result: one file that a browser opens from disk."""

import base64
from importlib.metadata import version
from importlib.resources import files
from platform import python_version

from ..plotting.panels import colour_of
from ..saving.contents import AnyPath
from ..saving.sealed import write
from ..scans.optional import EXTRA
from .contents import Contents
from .figures import figures_of

__all__ = ["png_address", "write_page"]

_PACKAGES = ("phyvae", "torch", "pyroved", "numpy", "scipy", "scikit-image", "scikit-learn")


def write_page(path: AnyPath, page: Contents) -> None:
    """Write a page to a file, at once or not at all; one that is there is replaced.

    Raises ImportError without Bokeh.
    """
    try:
        from bokeh.embed import file_html
        from bokeh.resources import INLINE
    except ImportError:
        raise ImportError(
            f"a report takes Bokeh: {EXTRA.format('report')}.", name="bokeh"
        ) from None
    from jinja2 import Environment

    source = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True).from_string(source)
    figures = [(caption, png_address(data)) for caption, data in page.figures.items()]
    versions = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    html = file_html(
        figures_of(page),
        INLINE,
        page.title,
        template=template,
        template_variables={
            "page": page,
            "figures": figures,
            "colour_of": colour_of,
            "versions": f"{versions}, Python {python_version()}",
        },
    )
    write(path, html.encode())


def png_address(data: bytes) -> str:
    """Return the address of a PNG file that holds the file itself."""
    return f"data:image/png;base64,{base64.b64encode(data).decode()}"
