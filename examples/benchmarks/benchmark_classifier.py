"""A reference for the benchmark: a classifier that is trained on the true domains.

``python examples/benchmarks/benchmark_classifier.py --phantoms 'graphene-random-low-*' --seeds
5``. A support vector machine sees the magnitudes of Fourier coefficients, mean and standard
deviation of each patch, and on lattice sites its pixels, too. It learns from the true labels of
both scans of three quarters of the map, in blocks of 6 x 6 patches, and predicts the last quarter.
What it misses at low noise mostly lies in patches at a wall. It is no bound: it has seen two
thousand noisy patches, and at high noise an encoder that has seen every window of the image does
better; and it has no shift, so at any phase of the lattice it cannot separate variants of one
lattice.
"""

import argparse

import numpy as np
from benchmark_domains import matching
from benchmark_phantoms import Case, all_cases
from scipy.ndimage import median_filter
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

import phyvae

BLOCK, FOLDS = 6, 4


def features(grid: phyvae.PatchGrid, *, pixels: bool) -> np.ndarray:
    """Return what the classifier sees of each patch, one row each."""
    patches = grid.patches.double().reshape(-1, *grid.patch_shape).numpy()
    taper = np.outer(*(np.hanning(n + 2)[1:-1] for n in grid.patch_shape))
    waves = np.abs(np.fft.rfft2((patches - patches.mean((1, 2), keepdims=True)) * taper))
    flat = patches.reshape(len(patches), -1)
    seen = [waves.reshape(len(patches), -1), flat.mean(1)[:, None], flat.std(1)[:, None]] + [
        flat
    ] * pixels
    return np.concatenate(seen, axis=1)


def predicted(case: Case, seed: int, patches: int = 36) -> tuple[np.ndarray, np.ndarray]:
    """Return the class predicted for every patch, and the truth; shape (rows, cols)."""
    data = case.data(seed, patches)
    scans = [features(grid, pixels=case.phase == "centred") for grid in (data.grid, data.again)]
    truth = data.truth.ravel()
    row, col = np.divmod(np.arange(len(truth)), data.grid.shape[1])
    fold = (row // BLOCK + 3 * (col // BLOCK)) % FOLDS
    found = np.empty_like(truth)
    for k in range(FOLDS):
        known = fold != k
        classifier = make_pipeline(StandardScaler(), PCA(40, random_state=0), SVC(C=3))
        classifier.fit(np.concatenate([scan[known] for scan in scans]), np.tile(truth[known], 2))
        found[~known] = classifier.predict(scans[0][~known])
    return found.reshape(data.grid.shape), data.truth


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--phantoms", nargs="+", metavar="NAME", default=["graphene-random-*"])
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    print("ARI, mean over the seeds, worst in brackets\n")
    print("| phantom | classifier | and median of 3 × 3 |\n| --- | --- | --- |")
    for name in matching(given.phantoms, all_cases(), "--phantoms"):
        if (case := all_cases()[name]).is_control:
            continue
        found = np.empty((given.seeds, 2))
        for seed in range(given.seeds):
            said, truth = predicted(case, seed)
            found[seed] = [
                phyvae.adjusted_rand_index(labels, truth)
                for labels in (said, median_filter(said, 3, mode="nearest"))
            ]
        cells = [f"{score.mean():.3f} ({score.min():.3f})" for score in found.T]
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
