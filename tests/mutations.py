"""Break chosen lines of the package, one at a time, and see that the tests notice each.

    python tests/mutations.py [WORD]

With a word, only the breaks whose file or line holds it. A line that is no longer there, or is
there twice, is an error, too: choose another one with the same meaning. Every break is made in a
copy of its own, and the tests named beside it run on that copy, without the type checks of the
usual test run: a shape must not be what gives the break away.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
PACKAGE = HERE.parent / "src" / "phyvae"
PYTEST = ["-m", "pytest", "-x", "-q", "-o", "addopts=", "-p", "no:cacheprovider"]


class Break(NamedTuple):
    file: str
    line: str
    broken: str
    tests: str  # relative to tests/, separated by spaces


BREAKS = [
    # -- Physics ------------------------------------------------------------------------------
    Break(
        "physics/base.py",
        "centred = maps - (maps * weight).sum(dim=(-2, -1), keepdim=True)",
        "centred = maps",
        "physics/test_base.py::TestStandardise",
    ),
    Break(
        "physics/base.py",
        "deviation = torch.where(flat, 1.0, variance).sqrt()",
        "deviation = torch.where(flat, 1.0, variance).sqrt().detach()",
        "physics/test_base.py::TestStandardise",
    ),
    Break(
        "physics/base.py",
        "weight = torch.ones_like(maps[0]) if mask is None else mask.to(maps)",
        "weight = torch.ones_like(maps[0])",
        "physics/test_base.py::TestStandardise",
    ),
    Break(
        "physics/edges.py",
        "smooth = maps.new_tensor([3.0, 10.0, 3.0]) / 16",
        "smooth = maps.new_tensor([4.0, 8.0, 4.0]) / 16",
        "physics/test_edges.py::TestScharr",
    ),
    Break(
        "physics/edges.py",
        "exponent = -(offset[:, None] ** 2 + offset**2) / 2",
        "exponent = -(offset[:, None] ** 2 + offset**2)",
        "physics/test_edges.py::TestBilateral::test_equals_the_filters_formula_cell_by_cell",
    ),
    Break(
        "physics/edges.py",
        "whole = -F.max_pool2d(_replicated(-mask.to(maps)[None, None]), 3, stride=1)[0, 0]",
        "whole = mask.to(maps)",
        "physics/test_edges.py::TestEdgeLoss",
    ),
    Break(
        "physics/fourier.py",
        "return (torch.hypot(ky[:, None], kx) > self.radius + 1e-6).to(maps)",
        "return (torch.hypot(ky[:, None], kx) > self.radius - 1e-6).to(maps)",
        "physics/test_fourier.py",
    ),
    Break(
        "physics/gradients.py",
        "return down, maps.diff(dim=-1) * (counts[:, 1:] & counts[:, :-1])",
        "return down, maps.diff(dim=-1) * counts[:, 1:]",
        "physics/test_interfaces.py::TestDirichletEnergy",
    ),
    Break(
        "physics/interfaces.py",
        "squared = across.square() + self.ratio**2 * along.square()",
        "squared = across.square() + self.ratio * along.square()",
        "physics/test_interfaces.py::TestInterfaceEnergy",
    ),
    # -- Objective ----------------------------------------------------------------------------
    Break(
        "training/objective.py",
        "loss=(neg_elbo - floor) * factor,",
        "loss=neg_elbo * factor,",
        "training/test_objective.py::TestProduct",
    ),
    Break(
        "training/objective.py",
        "factor = 1.0 if self.physics is None else self.w + psi",
        "factor = 1.0 if self.physics is None else 0.1 + psi",
        "training/test_objective.py::TestProduct",
    ),
    Break(
        "training/objective.py",
        "force = (parts.neg_elbo - parts.floor).detach() * force",
        "force = parts.neg_elbo.detach() * force",
        "training/test_objective.py::TestProduct",
    ),
    Break(
        "training/coupling.py",
        "share = torch.where(acted_on, signal * first, 0.0)",
        "share = torch.where(acted_on, first, 0.0)",
        "training/test_objective.py::TestBalanced",
    ),
    Break(
        "training/objective.py",
        "at_mean = at_mean + (force if sites is None else force[sites] / share)",
        "at_mean = at_mean + (force if sites is None else force[sites])",
        "training/test_objective.py::TestSites",
    ),
    Break(
        "training/objective.py",
        "ratio = self.strength * parts.psi / (self.w + parts.psi).clamp(min=_TINY)",
        "ratio = self.strength + 0 * parts.psi",
        "training/test_objective.py::TestBalanced",
    ),
    # -- Model --------------------------------------------------------------------------------
    Break(
        "models/posterior.py",
        "return 0.5 * (self.mean**2 + self.std**2 - 1 - 2 * self.std.log()).sum(-1)",
        "return 0.5 * (self.mean**2 + self.std**2 - 1 - self.std.log()).sum(-1)",
        "models/test_shift.py::TestPosterior",
    ),
    Break(
        "models/adapted.py",
        "places = torch.stack([y * cos - x * sin, y * sin + x * cos], dim=-1) * half",
        "places = torch.stack([y * cos + x * sin, x * cos - y * sin], dim=-1) * half",
        "models/test_adapted.py::TestAdapt::test_shifts_and_angles_say_where_and_how_the_content_lies",
    ),
    Break(
        "models/likelihood.py",
        "return -torch.xlogy(data, data) - torch.xlogy(1 - data, 1 - data)",
        "return -torch.xlogy(data, data)",
        "models/test_shift.py::TestReconstruction",
    ),
    Break(
        "models/shift.py",
        "per_patch = F.linear(shift * self.t_prior, net.coord_latent.fc_coord.weight)",
        "per_patch = F.linear(shift, net.coord_latent.fc_coord.weight)",
        "models/test_shift.py::TestAgainstPyro",
    ),
    Break(
        "models/decoding.py",
        "gradient = torch.ops.aten.tanh_backward(gradient, after)",
        "gradient = torch.ops.aten.tanh_backward(gradient, before)",
        "models/test_decoding.py::TestAgainstAutomaticDifferentiation",
    ),
    Break(
        "models/decoding.py",
        "sums[1][now] = first.sum(1)",
        "sums[1][now] += 0",
        "models/test_decoding.py::TestAgainstAutomaticDifferentiation",
    ),
    Break(
        "models/decoding.py",
        "bias = bias + centre * weight.sum(1)",
        "bias = bias + 0 * weight.sum(1)",
        "models/test_decoding.py::TestDenseTanh",
    ),
    Break(
        "models/sliding.py",
        "filters = torch.fft.rfft2(weight, s=(tall, wide)).conj_physical_()",
        "filters = torch.fft.rfft2(weight, s=(tall, wide))",
        "models/test_sliding.py",
    ),
    # -- Training -----------------------------------------------------------------------------
    Break(
        "training/schedules.py",
        "progress = min(epoch / (self.epochs - 1), 1.0) if self.epochs > 1 else 1.0",
        "progress = min(epoch / self.epochs, 1.0) if self.epochs > 1 else 1.0",
        "training/test_schedules.py",
    ),
    Break(
        "training/tiles.py",
        "order = order.roll(-k * size)",
        "order = order.roll(-size)",
        "training/test_tiles.py::TestAnEpoch",
    ),
    Break(
        "training/tiles.py",
        "for i, job in itertools.islice(jobs, rank, own * ranks, ranks):",
        "for i, job in itertools.islice(jobs, 0, own * ranks, ranks):",
        "training/test_tiles.py::TestAnEpoch",
    ),
    Break(
        "training/tiles.py",
        "return Layout(layout.shape, cells), index[cells]",
        "return Layout(layout.shape, cells.flip(0)), index[cells]",
        "training/test_batches.py::TestHoles::test_every_patch_has_the_same_chance",
    ),
    Break(
        "training/loop.py",
        "seed = mixed_seed(self.options.seed, self.state.epochs_done)",
        "seed = mixed_seed(self.options.seed, 0)",
        "training/test_trainer.py::TestDraws",
    ),
    Break(
        "training/state.py",
        "self.optimizer.load_state_dict(snapshot.optimizer)",
        "pass",
        "training/test_trainer.py::TestNonFiniteLoss",
    ),
    Break(
        "alignment/shift_loss.py",
        "miss = (moved + second - first).square().sum(1) / (self.reach / 3) ** 2",
        "miss = (moved - second + first).square().sum(1) / (self.reach / 3) ** 2",
        "alignment/test_shift_loss.py::test_neighbouring_windows_differ_by_their_displacement",
    ),
    Break(
        "alignment/factors.py",
        "weights = basis @ torch.from_numpy(vectors[:, ::-1].copy()).to(basis)",
        "weights = basis @ torch.from_numpy(vectors.copy()).to(basis)",
        "alignment/test_factors.py",
    ),
    # -- Checkpoints --------------------------------------------------------------------------
    Break(
        "saving/sealed.py",
        "if len(found) != 1 or found[0].decode() != _digest(data, header):",
        "if len(found) != 1:",
        "training/test_checkpoints.py::TestBadFiles::test_truncation_and_alteration_are_called_so",
    ),
    Break(
        "saving/sealed.py",
        'if metadata.get("format") != FORMAT:',
        "if False:",
        "training/test_checkpoints.py::TestBadFiles::test_another_format_version_is_refused",
    ),
    Break(
        "saving/sealed.py",
        "os.fsync(file.fileno())",
        "pass",
        "training/test_checkpoints.py::TestWriting",
    ),
    Break(
        "training/contents.py",
        "state.optimizer.load_state_dict(optimizer)",
        "pass",
        "training/test_checkpoints.py::TestRoundTrip",
    ),
    # -- Results ------------------------------------------------------------------------------
    Break(
        "domains/segmentation.py",
        'rank: np.ndarray = np.argsort(np.argsort(means, kind="stable"))',
        'rank: np.ndarray = np.argsort(means, kind="stable")',
        "domains/test_segmentation.py",
    ),
    Break(
        "domains/segmentation.py",
        "levels = np.round(255 * values).astype(np.uint8)",
        "levels = np.round(31 * values).astype(np.uint8)",
        "domains/test_segmentation.py::TestOtsu",
    ),
    Break(
        "domains/segmentation.py",
        "return _laid_out(_ordered(np.concatenate(seen), by=values[kept][0]), given, -1)",
        "return _laid_out(_ordered(np.concatenate(seen), by=values[kept][0]), given, 0)",
        "test_empty_cells.py::TestSegment",
    ),
    Break(
        "domains/metrics.py",
        "union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared",
        "union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True)",
        "domains/test_metrics.py::TestMeanIoU",
    ),
    Break(
        "domains/metrics.py",
        "both = (found != -1) & (true != -1)",
        "both = (found != -1)",
        "test_empty_cells.py::TestMetrics",
    ),
    Break(
        "domains/walls.py",
        "crossings = row.sum() + column.sum() + (diagonal + antidiagonal) / 2**0.5",
        "crossings = row.sum() + column.sum() + (diagonal + antidiagonal) / 2",
        "domains/test_walls.py::TestBoundaryLength",
    ),
    Break(
        "domains/walls.py",
        "small[np.unique(pieces[domains == -1])] = False",
        "pass",
        "test_empty_cells.py::TestWallsAndGrains",
    ),
    Break(
        "refinement/energy.py",
        "gradient = point.gradient + precision * (point.z - mean)",
        "gradient = point.gradient",
        "refinement/test_energy.py::test_derivatives_are_those_of_the_loss_of_a_patch",
    ),
    Break(
        "refinement/uncertainty.py",
        "variance = (squares - total.square() / samples) / (samples - 1)",
        "variance = squares",
        "refinement/test_uncertainty.py",
    ),
    Break(
        "refinement/descent.py",
        "if fall < _SETTLED or energy.is_quadratic:",
        "if fall < _SETTLED:",
        "refinement/test_descent.py::test_a_quadratic_energy_takes_one_step",
    ),
    Break(
        "domains/astride.py",
        "return np.where(astride, kinds[votes.argmax(axis=0)], labels)",
        "return labels",
        "domains/test_segmentation.py::TestCellsAstrideAWall",
    ),
    Break(
        "domains/astride.py",
        "votes = np.stack([_neighbours((labels == kind) & ~astride, graph) for kind in kinds])",
        "votes = np.stack([_neighbours(labels == kind, graph) for kind in kinds])",
        "domains/test_segmentation.py::TestCellsAstrideAWall",
    ),
    Break(
        "domains/mixture.py",
        "few = few + np.sqrt(noise) * np.random.default_rng(seed).normal(size=few.shape)",
        "few = few + 0 * noise",
        "domains/test_segmentation.py::TestSignal",
    ),
    Break(
        "refinement/encoder_statistics.py",
        "return torch.stack(deviations).var(0).mean(0)",
        "return torch.stack(deviations).square().mean((0, 1))",
        "refinement/test_encoder_statistics.py::TestPrecision",
    ),
    Break(
        "refinement/encoder_energy.py",
        "return [-self.statistics.precision * one for one in self.statistics.deviations]",
        "return [-one for one in self.statistics.deviations]",
        "refinement/test_encoder_energy.py",
    ),
    Break(
        "refinement/window_means.py",
        "torch.linspace(-around, around, min(_LINE, 2 * around + 1))",
        "torch.linspace(0, around, min(_LINE, 2 * around + 1))",
        "refinement/test_window_means.py",
    ),
    Break(
        "refinement/noise.py",
        "random_signs(image.shape, generator).to(image) * (image - clean)",
        "(image - clean)",
        "refinement/test_noise.py",
    ),
    Break(
        "refinement/class_energy.py",
        "field = self.losses + self.weight * self.force(probabilities)",
        "field = self.losses - self.weight * self.force(probabilities)",
        "refinement/test_class_energy.py",
    ),
    Break(
        "patches/graph.py",
        "both = (pairs >= 0).all(1)",
        "both = (pairs >= 0).any(1)",
        "patches/test_graph.py",
    ),
]


def run_tests(package_parent, tests, processes=0):
    """Return pytest's exit status on the package in a folder, and the end of what it said."""
    environment = os.environ | {
        "PYTHONPATH": str(package_parent),
        "OMP_NUM_THREADS": "1",
        # Hypothesis would hand on what failed here to later runs.
        "HYPOTHESIS_STORAGE_DIRECTORY": str(package_parent / "hypothesis"),
    }
    run = subprocess.run(
        [sys.executable, *PYTEST, "-n", str(processes), *tests],
        cwd=HERE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return run.returncode, (run.stdout + run.stderr)[-2000:]


def copied(folder):
    shutil.copytree(PACKAGE, folder / "phyvae", ignore=shutil.ignore_patterns("__pycache__"))
    return folder / "phyvae"


def unnoticed(one):
    """Make a break and run its tests; return why it counts as unnoticed, or ""."""
    started = time.perf_counter()
    with tempfile.TemporaryDirectory() as name:
        file = copied(Path(name)) / one.file
        file.write_text(file.read_text().replace(one.line, one.broken))
        status, said = run_tests(Path(name), one.tests.split())
    # 1 is "tests failed"; any other one says that they did not run as they should.
    verdict = {0: "SURVIVED", 1: "caught"}.get(status, "DID NOT RUN")
    print(
        f"{verdict:8} {time.perf_counter() - started:4.0f} s  {one.file}: {one.line}", flush=True
    )
    return "" if status == 1 else f"{one.file}: {one.line}\n    -> {one.broken}\n{said}"


def main(word):
    chosen = [one for one in BREAKS if word in one.file or word in one.line]
    for one in chosen:
        found = (PACKAGE / one.file).read_text().count(one.line)
        if found != 1 or one.line == one.broken:
            sys.exit(f"{one.file} holds {found} times, not once: {one.line}")
    with tempfile.TemporaryDirectory() as name:
        copied(Path(name))
        names = sorted({test for one in chosen for test in one.tests.split()})
        status, said = run_tests(Path(name), names, processes=2)
        if status != 0:
            sys.exit(f"The tests do not pass on the package as it is.\n{said}")
    with ThreadPoolExecutor(2) as pool:
        problems = [problem for problem in pool.map(unnoticed, chosen) if problem]
    if problems:
        sys.exit("\n\n".join([f"{len(problems)} of {len(chosen)} breaks unnoticed:", *problems]))
    print(f"All of {len(chosen)} breaks were noticed.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
