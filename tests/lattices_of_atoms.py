"""Images of lattices: atoms at the sites of any cell, and sums of waves."""

import numpy as np


def atoms(shape, vectors, basis=(((0.0, 0.0), 1.0),), sigma=2.0, noise=0.0, seed=0):
    """Gaussian atoms at fractional sites of a cell ((y, x), (y, x)), px, with their heights."""
    vectors = np.asarray(vectors, float)
    y, x = np.mgrid[: shape[0], : shape[1]].astype(float)
    fractions = np.stack([y, x], -1) @ np.linalg.inv(vectors)
    image = noise * np.random.default_rng(seed).normal(size=shape)
    for site, height in basis:
        offset = (fractions - site + 0.5) % 1 - 0.5
        squares = [
            (((offset + np.array([i, j])) @ vectors) ** 2).sum(-1)
            for i in (-1, 0, 1)
            for j in (-1, 0, 1)
        ]
        image += height * np.exp(-np.min(squares, axis=0) / 2 / sigma**2)
    return image


def turned(vectors, degrees):
    """Lattice vectors, rotated."""
    angle = np.radians(degrees)
    rotation = [[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]]
    return np.asarray(vectors, float) @ rotation


def same_lattice(found, vectors, tolerance=0.03):
    """Whether two cells span one lattice."""
    steps = np.asarray(found) @ np.linalg.inv(vectors)
    whole = np.abs(steps - steps.round()).max() < tolerance
    return whole and abs(abs(np.linalg.det(steps)) - 1) < tolerance


def waves(shape, *wavevectors, noise=0.0, seed=0):
    y, x = np.indices(shape)
    image = sum(np.cos(2 * np.pi * (ky * y + kx * x)) for ky, kx in wavevectors)
    return image + noise * np.random.default_rng(seed).normal(size=shape)
