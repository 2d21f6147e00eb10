"""Figures of a page that share one selection of cells."""

from collections.abc import Sequence
from importlib.resources import files
from typing import Any

import numpy as np

from ..plotting.panels import COLOURS, colour_of
from .contents import Contents

__all__ = ["figures_of"]

_WIDTH = 560  # px on the screen, of the image
_SIDE = 420  # of what stands right of it
_MAP = 360
_TITLE = 180  # at least, under the title of a patch
_TOOLS = ("lasso_select", "tap", "pan", "wheel_zoom", "reset", "save")
_NONE = "rgba(0, 0, 0, 0)"


def figures_of(page: Contents) -> list[Any]:
    """Return the figures of a page: the image, the latents with a patch, the maps."""
    from bokeh.layouts import column, row
    from bokeh.models import ColumnDataSource

    cells = ColumnDataSource(_columns(page), name="cells")
    pointed = ColumnDataSource({name: [] for name in ("x", "y", "z1", "across")}, name="pointed")
    image, picture = _image(page, cells)
    scatter = _scatter(page, cells)
    maps = [_map(page, cells, image, k) for k in range(len(page.cells.maps))]
    patches = _patches(page, picture, cells, pointed, [image, scatter, *maps])
    for figure in (image, *maps):
        _mark(figure, pointed, "x", "y")
    _mark(scatter, pointed, "z1", "across")
    controls = _controls(page, cells, image) if page.number else []
    return [column(image, *controls), column(scatter, row(*patches)), *maps]


def _columns(page: Contents) -> dict[str, Any]:
    """Return the columns of the source that all figures share, a row for each cell."""
    cells, (down, right) = page.cells, page.scale
    y, x = cells.centers.T
    columns = {"x": x * right, "y": y * down, "nearest": page.patches.nearest}
    columns |= {"row": cells.index[:, 0], "column": cells.index[:, 1]}
    if len(page.patches.shape) == 2:
        corners = np.floor(cells.centers - (np.array(page.patches.shape) - 1) / 2 + 0.5)
        corners = np.clip(corners, 0, np.subtract(page.image.shape, page.patches.shape))
        columns |= {"top": corners[:, 0], "left": corners[:, 1]}
    for k, (values, stds) in enumerate(zip(cells.maps, cells.stds, strict=True), 1):
        columns |= {f"z{k}": values, f"s{k}": stds}
    columns["across"] = columns["z2"] if len(cells.maps) > 1 else columns["s1"]
    labels = {f"domains {k}": one.astype(np.int8) for k, one in cells.labels.items()}
    labels["domain"] = labels.get(f"domains {page.number}", np.full(len(x), -1, np.int8))
    if cells.outlines.ndim == 3:
        columns["ys"] = list((cells.outlines[..., 0] * down).round(4))
        columns["xs"] = list((cells.outlines[..., 1] * right).round(4))
    narrow = {"i": np.int32, "f": np.float32}
    return labels | {
        name: values if isinstance(values, list) else values.astype(narrow[values.dtype.kind])
        for name, values in columns.items()
    }


def _image(page: Contents, cells: Any) -> tuple[Any, Any]:
    """Return the figure of the image with its domains, and the source of the image."""
    from bokeh.models import ColumnDataSource, LinearColorMapper, Range1d

    height, width = np.multiply(page.image.shape, page.scale)
    down, right = np.multiply(page.scale, 0.5)  # the first pixel's centre is (0, 0)
    tall = min(1.4 * _WIDTH, _WIDTH * height / width)
    figure = _new(
        "image and domains" if page.number else "image",
        width=round(tall * width / height),
        height=round(tall),
        x_range=Range1d(-right, width - right),
        y_range=Range1d(height - down, -down),
    )
    figure.xaxis.axis_label, figure.yaxis.axis_label = f"x ({page.unit})", f"y ({page.unit})"
    picture = ColumnDataSource({"image": [page.image]})
    figure.image(
        "image", source=picture, x=-right, y=-down, dw=width, dh=height,
        color_mapper=LinearColorMapper("Greys256", low=0, high=255),
    )  # fmt: skip
    if page.hatching is not None:
        figure.image(
            [page.hatching], x=-right, y=-down, dw=width, dh=height, name="hatching",
            color_mapper=LinearColorMapper(["#9A9A9A"], low=0.5, high=1, low_color=_NONE),
        )  # fmt: skip
    colours = {"field": "domain", "transform": _domain_colours(page, _NONE)}
    _add_cells(figure, page, cells, colours, alpha=0.35, lit=0.7, unlit=0.1)
    return figure, picture


def _domain_colours(page: Contents, none: str) -> Any:
    """Return the colours of domains, and that of cells without one."""
    from bokeh.models import LinearColorMapper

    count = 1 + max((int(one.max()) for one in page.cells.labels.values()), default=0)
    palette = [colour_of(k) for k in range(count)]
    return LinearColorMapper(palette=palette, low=-0.5, high=count - 0.5, low_color=none)


def _map(page: Contents, cells: Any, image: Any, k: int) -> Any:
    """Return the figure of one latent map, which moves with the image."""
    from bokeh.models import ColorBar, LinearColorMapper

    figure = _new(
        _latent(k + 1, page),
        width=round(image.frame_width * _MAP / _WIDTH),
        height=round(image.frame_height * _MAP / _WIDTH),
        tools=_TOOLS[:2],
        x_range=image.x_range,
        y_range=image.y_range,
    )
    low, high = (float(value) for value in np.nanquantile(page.cells.maps[k], (0.002, 0.998)))
    mapper = LinearColorMapper("Viridis256", low=low, high=high if high > low else low + 1)
    colours = {"field": f"z{k + 1}", "transform": mapper}
    _add_cells(figure, page, cells, colours, alpha=1.0, lit=1.0, unlit=0.15)
    figure.add_layout(ColorBar(color_mapper=mapper, width=10, padding=4), "right")
    return figure


def _scatter(page: Contents, cells: Any) -> Any:
    """Return the scatter plot of the first two latents, or of the one and its uncertainty."""
    figure = _new(f"{page.maps}, components" if page.maps else "latents", width=_SIDE, height=340)
    one, two = _latent(1, page), _latent(2, page)
    figure.xaxis.axis_label = one
    figure.yaxis.axis_label = two if len(page.cells.maps) > 1 else f"uncertainty of {one}"
    colours = {"field": "domain", "transform": _domain_colours(page, "#777777")}
    points = figure.scatter(
        "z1", "across", source=cells, size=5, color=colours, line_color=None, alpha=0.7,
        nonselection_alpha=0.08, selection_alpha=1.0,
    )  # fmt: skip
    _add_hover(figure, page, points)
    return figure


def _patches(
    page: Contents, image: Any, cells: Any, pointed: Any, figures: list[Any]
) -> list[Any]:
    """Return the figures of the patch pointed at, and of the decoded one."""
    from bokeh.models import ColumnDataSource, CustomJS

    patches, spectra = page.patches, len(page.patches.shape) == 1
    names = ["spectrum" if spectra else "patch"] + ["decoded"] * (patches.decoded is not None)
    empty: dict[str, Any] = {"image": []}
    if patches.axis is not None:
        empty = {"x": patches.axis, "y": np.full(len(patches.axis), np.nan)}
    sources = [ColumnDataSource(empty, name=name) for name in names]
    if patches.axis is not None:
        ranges = {"x_range": (patches.axis.min(), patches.axis.max()), "y_range": (-0.02, 1.02)}
        shown = [_new("", width=_SIDE, height=180, tools=(), **ranges)]
        shown[0].xaxis.axis_label = patches.axis_name
        for source, colour in zip(sources, ("#555555", COLOURS[5]), strict=False):
            shown[0].line("x", "y", source=source, color=colour, legend_label=source.name)
        shown[0].legend.background_fill_alpha = 0.6
    else:
        shown = [_patch(page, source) for source in sources]
    code = CustomJS(
        args={
            "cells": cells,
            "pointed": pointed,
            "image": image,
            "patch": sources[0],
            "decoded": sources[-1],
            "decoder": None if patches.decoded is None else patches.decoded.ravel(),
            "spectra": None if patches.spectra is None else patches.spectra.ravel(),
            "kept": patches.kept.astype(np.int32),
            "shape": list(patches.shape),
            "names": names,
            "titles": [figure.title for figure in shown],
        },
        code=_script("point.js"),
    )
    for figure in figures:
        figure.select_one({"type": _hover()}).callback = code
    for figure, name in zip(shown, names, strict=False):
        figure.title.text = f"{name}: point at a cell"
    return shown


def _patch(page: Contents, source: Any) -> Any:
    """Return an empty figure for a patch, with the shape that it has in the specimen."""
    from bokeh.models import LinearColorMapper

    tall, wide = page.patches.shape
    height, width = np.multiply(page.patches.shape, page.scale)
    side = _SIDE / 2
    across = side * min(1, width / height)
    room = wide * max(0, _TITLE / across - 1) / 2  # on either side of a narrow patch
    figure = _new(
        "",
        width=round(max(across, _TITLE)),
        height=round(side * min(1, height / width)),
        x_range=(-room, wide + room),
        y_range=(tall, 0),
        tools=(),
    )
    figure.axis.visible = False
    figure.image(
        "image", source=source, x=0, y=0, dw=wide, dh=tall,
        color_mapper=LinearColorMapper("Greys256", low=0, high=255),
    )  # fmt: skip
    return figure


def _controls(page: Contents, cells: Any, image: Any) -> list[Any]:
    """Return sliders of the opacity and the number of domains, and add the walls."""
    from bokeh.models import ColumnDataSource, CustomJS, Slider

    down, right = page.scale
    lines = [
        ColumnDataSource({"x": (x * right).astype("f4"), "y": (y * down).astype("f4")})
        for y, x in (page.cells.walls[k].T for k in sorted(page.cells.walls))
    ]
    walls = ColumnDataSource(dict(lines[page.number - 1].data), name="walls")
    image.line("x", "y", source=walls, color="black", line_width=1.5)
    opacity = Slider(title="opacity", start=0, end=1, step=0.05, value=0.35, width=_WIDTH // 2)
    opacity.js_link("value", image.select_one("outlines").glyph, "fill_alpha")
    if len(lines) == 1:
        return [opacity]
    number = Slider(
        title=f"number of domains (the answer is {page.number})",
        start=1, end=len(lines), step=1, value=page.number, width=_WIDTH // 2, name="number",
    )  # fmt: skip
    args = {"cells": cells, "walls": walls, "lines": lines}
    number.js_on_change("value", CustomJS(args=args, code=_script("number.js")))
    return [opacity, number]


def _add_cells(
    figure: Any,
    page: Contents,
    cells: Any,
    colours: Any,
    *,
    alpha: float,
    lit: float,
    unlit: float,
) -> None:
    """Add the cells to a figure, coloured by a column."""
    style: dict[str, Any] = {
        "fill_alpha": alpha,
        "selection_fill_alpha": lit,
        "nonselection_fill_alpha": unlit,
    }
    style |= {"source": cells, "fill_color": colours, "name": "outlines", "line_color": None}
    if alpha == 1:  # else seams would show between cells
        style |= {"line_color": colours, "nonselection_line_alpha": 0}
    if page.cells.outlines.ndim == 3:
        shown = figure.patches("xs", "ys", **style)
    else:
        height, width = (float(side) for side in page.cells.outlines * page.scale)
        shown = figure.rect("x", "y", width=width, height=height, **style)
    # A lasso picks centres.
    centres = figure.scatter("x", "y", source=cells, size=0.01, alpha=0, name="centres")
    centres.nonselection_glyph = centres.selection_glyph = centres.glyph
    _add_hover(figure, page, shown)


def _add_hover(figure: Any, page: Contents, shown: Any) -> None:
    """Show the values of the cell under the cursor."""
    known = [("cell", "row @row, column @column")]
    known += [("domain", "@domain")] if page.number else []
    for k, stds in enumerate(page.cells.stds, 1):
        spread = f" ± @s{k}{{0.00}}" if np.isfinite(stds).any() else ""
        known.append((_latent(k, page), f"@z{k}{{0.00}}{spread}"))
    figure.add_tools(_hover()(renderers=[shown], tooltips=known))


def _mark(figure: Any, pointed: Any, x: str, y: str) -> None:
    """Mark the cell that the cursor is at in any of the figures."""
    figure.scatter(
        x, y, source=pointed, size=11, fill_color=None, line_color="#D55E00", line_width=2.5
    )


def _new(
    title: str, *, width: int, height: int, tools: Sequence[str] = _TOOLS, **ranges: Any
) -> Any:
    """Return an empty figure whose frame has a size on the screen, px."""
    from bokeh.models import BoxZoomTool
    from bokeh.plotting import figure

    made = figure(
        title=title, frame_width=width, frame_height=height, tools=",".join(tools),
        active_drag="lasso_select" if tools else None,
        toolbar_location="above" if tools == _TOOLS else None, **ranges,
    )  # fmt: skip
    if tools == _TOOLS:
        made.add_tools(BoxZoomTool(match_aspect=True))
    made.toolbar.logo = None
    made.grid.visible = False
    return made


def _latent(number: int, page: Contents) -> str:
    if page.maps:
        return f"{page.maps} {number}"
    return f"z{chr(0x2080 + number)}" if number < 10 else f"z{number}"


def _hover() -> Any:
    from bokeh.models import HoverTool

    return HoverTool


def _script(name: str) -> str:
    return files(__package__).joinpath(name).read_text(encoding="utf-8")
