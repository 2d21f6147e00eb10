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
        "objective.py",
        "loss=(neg_elbo - floor) * factor,",
        "loss=neg_elbo * factor,",
        "test_objective.py::TestProduct",
    ),
    Break(
        "objective.py",
        "factor = 1.0 if self.physics is None else self.w + psi",
        "factor = 1.0 if self.physics is None else 0.1 + psi",
        "test_objective.py::TestProduct",
    ),
    Break(
        "objective.py",
        "force = (parts.neg_elbo - parts.floor).detach() * force",
        "force = parts.neg_elbo.detach() * force",
        "test_objective.py::TestProduct",
    ),
    Break(
        "objective.py",
        "share = torch.where(acted_on, posterior.signal().detach() * first, 0.0)",
        "share = torch.where(acted_on, first, 0.0)",
        "test_objective.py::TestBalanced",
    ),
    Break(
        "objective.py",
        "gradient = gradient + (force if sites is None else force[sites] / share)",
        "gradient = gradient + (force if sites is None else force[sites])",
        "test_objective.py::TestSites",
    ),
    # -- Model --------------------------------------------------------------------------------
    Break(
        "posterior.py",
        "return 0.5 * (self.mean**2 + self.std**2 - 1 - 2 * self.std.log()).sum(-1)",
        "return 0.5 * (self.mean**2 + self.std**2 - 1 - self.std.log()).sum(-1)",
        "test_models.py::TestPosterior",
    ),
    Break(
        "models/adapted.py",
        "places = torch.stack([y * cos - x * sin, y * sin + x * cos], dim=-1) * half",
        "places = torch.stack([y * cos + x * sin, x * cos - y * sin], dim=-1) * half",
        "test_adapted.py::TestAdapt::test_shifts_and_angles_say_where_and_how_the_content_lies",
    ),
    Break(
        "models/likelihood.py",
        "return -torch.xlogy(data, data) - torch.xlogy(1 - data, 1 - data)",
        "return -torch.xlogy(data, data)",
        "test_models.py::TestReconstruction",
    ),
    Break(
        "models/shift.py",
        "per_patch = F.linear(shift * self.t_prior, net.coord_latent.fc_coord.weight)",
        "per_patch = F.linear(shift, net.coord_latent.fc_coord.weight)",
        "test_models.py::TestAgainstPyro",
    ),
    Break(
        "decoding.py",
        "gradient = torch.ops.aten.tanh_backward(gradient, after)",
        "gradient = torch.ops.aten.tanh_backward(gradient, before)",
        "test_decoding.py::TestAgainstAutomaticDifferentiation",
    ),
    Break(
        "decoding.py",
        "sums[1][..., now, :] = first.sum(-2)",
        "sums[1][..., now, :] += 0",
        "test_decoding.py::TestAgainstAutomaticDifferentiation",
    ),
    Break(
        "decoding.py",
        "bias = bias + centre * weight.sum(1)",
        "bias = bias + 0 * weight.sum(1)",
        "test_decoding.py::TestDenseTanh",
    ),
    Break(
        "sliding.py",
        "filters = torch.fft.rfft2(weight, s=(tall, wide)).conj_physical_()",
        "filters = torch.fft.rfft2(weight, s=(tall, wide))",
        "test_sliding.py",
    ),
    # -- Training -----------------------------------------------------------------------------
    Break(
        "schedules.py",
        "progress = min(epoch / (self.epochs - 1), 1.0) if self.epochs > 1 else 1.0",
        "progress = min(epoch / self.epochs, 1.0) if self.epochs > 1 else 1.0",
        "test_schedules.py",
    ),
    Break(
        "tiles.py",
        "order = order.roll(-k * size)",
        "order = order.roll(-size)",
        "test_tiles.py::TestAnEpoch",
    ),
    Break(
        "tiles.py",
        "for i, job in itertools.islice(jobs, rank, own * ranks, ranks):",
        "for i, job in itertools.islice(jobs, 0, own * ranks, ranks):",
        "test_tiles.py::TestAnEpoch",
    ),
    Break(
        "tiles.py",
        "return Layout(layout.shape, cells), index[cells]",
        "return Layout(layout.shape, cells.flip(0)), index[cells]",
        "test_training_data.py::TestHoles::test_every_patch_has_the_same_chance",
    ),
    Break(
        "trainer.py",
        "seed = _mixed(self.seed, self.epochs_done)",
        "seed = _mixed(self.seed, 0)",
        "test_trainer.py::TestDraws",
    ),
    Break(
        "trainer.py",
        "self.optimizer.load_state_dict(state.optimizer)",
        "pass",
        "test_trainer.py::TestNonFiniteLoss",
    ),
    Break(
        "alignment.py",
        "miss = (moved + second - first).square().sum(1) / (self.reach / 3) ** 2",
        "miss = (moved - second + first).square().sum(1) / (self.reach / 3) ** 2",
        "test_alignment.py::TestAlign::test_neighbouring_windows_differ_by_their_displacement",
    ),
    Break(
        "autocorrelation.py",
        "weights = basis @ torch.from_numpy(vectors[:, ::-1].copy()).to(basis)",
        "weights = basis @ torch.from_numpy(vectors.copy()).to(basis)",
        "test_autocorrelation.py",
    ),
    # -- Checkpoints --------------------------------------------------------------------------
    Break(
        "sealed.py",
        "if len(found) != 1 or found[0].decode() != _digest(data, header):",
        "if len(found) != 1:",
        "test_checkpoint.py::TestBadFiles::test_truncation_and_alteration_are_called_so",
    ),
    Break(
        "sealed.py",
        'if metadata.get("format") != FORMAT:',
        "if False:",
        "test_checkpoint.py::TestBadFiles::test_another_format_version_is_refused",
    ),
    Break(
        "sealed.py",
        "os.fsync(file.fileno())",
        "pass",
        "test_checkpoint.py::TestWriting",
    ),
    Break(
        "contents.py",
        "trainer.optimizer.load_state_dict(optimizer)",
        "pass",
        "test_checkpoint.py::TestRoundTrip",
    ),
    # -- Results ------------------------------------------------------------------------------
    Break(
        "segmentation.py",
        'rank: np.ndarray = np.argsort(np.argsort(means, kind="stable"))',
        'rank: np.ndarray = np.argsort(means, kind="stable")',
        "test_segmentation.py",
    ),
    Break(
        "segmentation.py",
        "levels = np.round(255 * values).astype(np.uint8)",
        "levels = np.round(31 * values).astype(np.uint8)",
        "test_segmentation.py::TestOtsu",
    ),
    Break(
        "segmentation.py",
        "return _laid_out(_ordered(np.concatenate(seen), by=values[kept][0]), given, -1)",
        "return _laid_out(_ordered(np.concatenate(seen), by=values[kept][0]), given, 0)",
        "test_empty_cells.py::TestSegment",
    ),
    Break(
        "metrics.py",
        "union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True) - shared",
        "union = shared.sum(axis=1, keepdims=True) + shared.sum(axis=0, keepdims=True)",
        "test_metrics.py::TestMeanIoU",
    ),
    Break(
        "metrics.py",
        "both = (found != -1) & (true != -1)",
        "both = (found != -1)",
        "test_empty_cells.py::TestMetrics",
    ),
    Break(
        "walls.py",
        "crossings = row.sum() + column.sum() + (diagonal + antidiagonal) / 2**0.5",
        "crossings = row.sum() + column.sum() + (diagonal + antidiagonal) / 2",
        "test_walls.py::TestBoundaryLength",
    ),
    Break(
        "walls.py",
        "small[np.unique(pieces[domains == -1])] = False",
        "pass",
        "test_empty_cells.py::TestWallsAndGrains",
    ),
    Break(
        "latent_descent.py",
        "gradient = point.gradient + precision * (point.z - mean)",
        "gradient = point.gradient",
        "test_refinement.py::TestValues",
    ),
    Break(
        "latent_descent.py",
        "variance = (squares - total.square() / samples) / (samples - 1)",
        "variance = squares",
        "test_refinement.py::TestValues",
    ),
    Break(
        "latent_descent.py",
        "if fall < _SETTLED or problem.is_quadratic:",
        "if fall < _SETTLED:",
        "test_refinement.py::TestLaws",
    ),
    Break(
        "astride.py",
        "return np.where(astride, kinds[votes.argmax(axis=0)], labels)",
        "return labels",
        "test_segmentation.py::TestCellsAstrideAWall",
    ),
    Break(
        "astride.py",
        "votes = np.stack([_neighbours((labels == kind) & ~astride, graph) for kind in kinds])",
        "votes = np.stack([_neighbours(labels == kind, graph) for kind in kinds])",
        "test_segmentation.py::TestCellsAstrideAWall",
    ),
    Break(
        "mixture.py",
        "few = few + np.sqrt(noise) * np.random.default_rng(seed).normal(size=few.shape)",
        "few = few + 0 * noise",
        "test_segmentation.py::TestSignal",
    ),
    Break(
        "encoder_likelihood.py",
        "return torch.stack(moves).var(0).mean(0)",
        "return torch.stack(moves).square().mean((0, 1))",
        "test_refinement.py::TestValues",
    ),
    Break(
        "encoder_likelihood.py",
        "return [-self.said.precision * move for move in self.said.moves]",
        "return [-move for move in self.said.moves]",
        "test_refinement.py::TestValues",
    ),
    Break(
        "around.py",
        "torch.linspace(-around, around, min(_ALONG, 2 * around + 1))",
        "torch.linspace(0, around, min(_ALONG, 2 * around + 1))",
        "test_around.py::TestLaws",
    ),
    Break(
        "around.py",
        "coins(image.shape, generator).to(image) * (image - clean)",
        "(image - clean)",
        "test_around.py::TestLaws",
    ),
    Break(
        "class_refinement.py",
        "field = self.losses + self.weight * self._force(probabilities)",
        "field = self.losses - self.weight * self._force(probabilities)",
        "test_class_refinement.py::TestTheField",
    ),
    Break(
        "graph.py",
        "both = (pairs >= 0).all(1)",
        "both = (pairs >= 0).any(1)",
        "test_graph.py",
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
