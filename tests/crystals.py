"""Images of two crystals whose lattices are known exactly."""

import numpy as np

import phyvae

SQUARE = np.diag([14.0, 14.0])
HEXAGONAL = np.array([[14 * 3**0.5 / 2, 7.0], [0.0, 14.0]])
TWO_ATOMS = ((0.0, 0.0, 1.0), (0.5, 0.5, 0.5))  # y and x in cells, height


def turned(degrees, strains=(0.0, 0.0)):
    """Return F of v' = v @ F: strains along y and x, then a turn, counter-clockwise as shown."""
    angle = np.deg2rad(degrees)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return np.diag(1 + np.array(strains)) @ turn


def image_of(vectors, atoms, shape, shift=(0.0, 0.0)):
    """Return Gaussian columns of standard deviation 2.2 px, the cell's corner in the middle."""
    corners = np.stack(np.meshgrid(*2 * [np.arange(-60, 61)], indexing="ij"), -1).reshape(-1, 2)
    image = np.zeros(shape)
    y, x = np.arange(shape[0])[:, None], np.arange(shape[1])[:, None]
    for down, right, height in atoms:
        places = (corners + np.array([down, right]) + shift) @ vectors + np.array(shape) / 2
        places = places[((places > -10) & (places < np.array(shape) + 10)).all(1)]
        rows = np.exp(-((y - places[:, 0]) ** 2) / 2 / 2.2**2)
        image += height * rows @ np.exp(-((x - places[:, 1]) ** 2) / 2 / 2.2**2).T
    return image


def two_crystals(
    change=None,
    shift=(0.0, 0.0),
    *,
    vectors=SQUARE,
    atoms=TWO_ATOMS,
    noise=0.2,
    shape=(300, 300),
    seed=0,
    step=9,
):
    """Return a grid and its true labels: to the right of a line, vectors @ change, shifted."""
    change = np.eye(2) if change is None else change
    y, x = np.indices(shape)
    domains = (0.3 * (y - shape[0] / 2) + x > shape[1] / 2).astype(int)
    first, second = (
        image_of(*crystal)
        for crystal in ((vectors, atoms, shape), (vectors @ change, atoms, shape, shift))
    )
    image = np.where(domains == 0, first, second)
    image = image + noise * np.random.default_rng(seed).standard_normal(shape)
    grid = phyvae.PatchGrid(image, size=28, step=step)
    return grid, grid.sample(domains)
