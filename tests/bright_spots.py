"""Settings of phantoms that several tests share, and the bright spots of their images."""

import numpy as np

SMALL = (330, 320)
QUIET = {"noise": 0.0, "background": 0.0}


def peak(image, row, col, reach):
    """Position of the brightest spot near a pixel, by a parabola through its logarithm."""
    box = image[row - reach : row + reach + 1, col - reach : col + reach + 1]
    i, j = np.unravel_index(box.argmax(), box.shape)
    i, j = i + row - reach, j + col - reach

    def vertex(a, b, c):
        return (a - c) / (a - 2 * b + c) / 2

    return np.array(
        [
            i + vertex(*np.log(image[i - 1 : i + 2, j])),
            j + vertex(*np.log(image[i, j - 1 : j + 2])),
        ]
    )


def at(array, sites):
    return array[tuple(np.rint(sites).astype(int).T)]
