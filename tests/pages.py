"""A small page, whose patches are known."""

from dataclasses import replace

import numpy as np

from phyvae.report.contents import Cells, Contents, Patches

NAME = "<b>x</b></script>.dm4"
ROWS, COLUMNS, STEP, SIZE = 6, 8, 8, (10, 12)


def contents(**changes):
    """Cells 8 px apart, 0.1 nm high and 0.05 nm wide pixels; z1 grows along x, z2 along y."""
    rng = np.random.default_rng(0)
    image = rng.integers(60, 120, (52, 72)).astype(np.uint8)
    image[:12, :14] = 250  # the first patch is bright
    row, column = np.divmod(np.arange(ROWS * COLUMNS), COLUMNS)
    index = np.stack([row, column], axis=1)
    decoded = np.broadcast_to(np.arange(len(row))[:, None, None], (len(row), *SIZE))
    labels = {k: np.minimum(column * k // COLUMNS, k - 1) for k in range(1, 7)}
    walls = {k: np.array([[0.0, 20.0], [52.0, 20.0 + k], [np.nan, np.nan]]) for k in labels}
    page = Contents(
        title=NAME,
        answer="2 domains: as <i>asked</i>",
        doubts=["it is a <u>phantom</u>"],
        notes=["Nothing was left out."],
        image=image,
        scale=(0.1, 0.05),
        unit="nm",
        cells=Cells(
            index=index,
            centers=index * STEP + (np.array(SIZE) - 1) / 2,
            outlines=np.array([STEP, STEP], float),
            maps=np.stack([column, row]).astype(float),
            stds=np.full((2, len(row)), 0.25),
            labels=labels,
            walls=walls,
        ),
        patches=Patches(
            shape=SIZE,
            nearest=np.arange(len(row)),
            kept=np.arange(len(row)),
            decoded=decoded.astype(np.uint8),
        ),
        number=2,
        tables={
            "Settings": [{"setting": "size", "value": (10, 12), "reason": "<s>two cells</s>"}]
        },
        figures={},
    )
    return replace(page, **changes)


def of_spectra():
    """Spectra of the same cells: cell k has 2 k in every channel, decoded k."""
    page = contents()
    n = len(page.cells.index)
    stored = np.broadcast_to(np.arange(n)[:, None], (n, 16)).astype(np.uint8)
    axis = np.linspace(400.0, 430.0, 16)
    every = np.arange(n)
    patches = Patches((16,), every, every, stored, 2 * stored, axis, "energy (eV)")
    return replace(page, patches=patches)


def at_sites():
    """The same cells as hexagons."""
    page = contents()
    angle = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    around = 4 * np.stack([np.sin(angle), np.cos(angle)], axis=1)
    return replace(page, cells=replace(page.cells, outlines=page.cells.centers[:, None] + around))


def unanswered():
    page = contents(number=0, answer="cannot be answered, because there is no lattice")
    n = page.cells.maps.shape[1]
    cells = replace(page.cells, labels={}, walls={}, stds=np.full((2, n), np.nan))
    return replace(page, cells=cells, patches=replace(page.patches, decoded=None))


def with_one_latent():
    page = contents(number=1)
    return replace(
        page, cells=replace(page.cells, maps=page.cells.maps[:1], stds=page.cells.stds[:1])
    )
