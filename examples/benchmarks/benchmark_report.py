"""The benchmark's report: tables in Markdown, and a figure that shows the worst seed."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
from benchmark_phantoms import DISTORTION, LATTICE, MATERIALS, NOISE, SIZE, STEP, Case
from benchmark_scores import COLUMNS, MOST

if TYPE_CHECKING:
    from benchmark_domains import Benchmark

DIGITS = {"ari": 3, "iou": 3, "walls": 2, "grains": 1, "neg_elbo": 2, "seconds": 1, "domains": 1}
TITLES = {
    "pca": "PCA",
    "nmf": "NMF",
    "fft": "FFT magnitude",
    "fft-around": "FFT magnitude, 25 windows",
    "registered": "PCA, registered",
    "sh-vae": "sh-VAE",
    "pyroved": "pyroVED's trainer",
    "align": "`align` alone",
    "balanced-sl1-w0.1-s0.3": "SL1",
    "balanced-sl1-w0.1-s1": "SL1, strength 1",
    "balanced-sl2-w0.1-s0.3": "SL2",
}
AFTER = {"smooth": "smoothed", "refine": "refined", "refine-decoder": "refined by the decoder"}
DEFAULT = "balanced-sl1-w0.1-s0.3+refine"  # what README and the guides recommend
PAIRS = (  # rows whose difference is asked for, seed by seed
    ("balanced-sl1-w0.1-s0.3", "sh-vae"),
    ("balanced-sl1-w0.1-s1", "sh-vae"),
    ("balanced-sl1-w0.1-s0.3+refine", "balanced-sl1-w0.1-s0.3"),
    ("balanced-sl1-w0.1-s0.3+refine", "sh-vae+refine"),
    ("balanced-sl1-w0.1-s1+refine", "sh-vae+refine"),
    ("balanced-sl1-w0.1-s0.3+refine", "align+refine"),
    ("balanced-sl1-w0.1-s0.3+refine", "registered+smooth"),
)
COLOURS = {"low": "#4477aa", "medium": "#ccbb44", "high": "#cc3311"}


def write(benchmark: "Benchmark", folder: Path) -> None:
    """Write table.md and figure.png from everything that the results hold."""
    table = Table(benchmark)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "table.md").write_text(table.markdown(), encoding="utf-8")
    table.figure().savefig(folder / "figure.png", dpi=110)


class Table:
    """Rows, columns and the values of each cell, one per seed."""

    def __init__(self, benchmark: "Benchmark") -> None:
        self.benchmark = benchmark
        self.cells = {
            (row, case): found
            for row in benchmark.rows
            for case in benchmark.cases.values()
            if (found := benchmark.found(row, case))
        }
        self.rows = [r for r in benchmark.rows if any(r == row for row, _ in self.cells)]
        self.cases = [c for c in benchmark.cases.values() if any(c == k for _, k in self.cells)]

    def values(self, row: str, case: Case, measure: str) -> np.ndarray:
        """Return a measure's value for each seed; none where it is not defined."""
        found = (record.get(measure) for record in self.cells.get((row, case), []))
        return np.array([value for value in found if value is not None])

    def groups(self) -> list[tuple[str, str]]:
        return list(dict.fromkeys((case.material, case.phase) for case in self.cases))

    def columns(self, group: tuple[str, str]) -> list[Case]:
        return [case for case in self.cases if (case.material, case.phase) == group]

    # -- Markdown ------------------------------------------------------------------------------

    def markdown(self) -> str:
        counts = sorted({len(found) for found in self.cells.values()})
        lines = [
            "# Domains found in phantoms",
            "",
            "Mean (worst), or mean ± standard deviation (worst), over "
            f"{'–'.join(map(str, counts))} seeds of data and weights. "
            "Centred: patches on lattice sites; random: at any phase of the lattice. "
            f"More than {MOST} domains are not looked for. "
            f"Maps of {self.benchmark.patches} × {self.benchmark.patches} patches of {SIZE} px at "
            f"steps of {STEP} px; lattice constants {LATTICE} px; distortion {DISTORTION:g} px; "
            f"{self.benchmark.settings['epochs']} epochs.",
            f"Noise: {NOISE}.",
            "",
            *self._overview(),
        ]
        for title, table in (self.summaries() | self.differences()).items():
            lines += [f"## {title}", "", *table, ""]
        for group in self.groups():
            control = MATERIALS[group[0]] == 1
            for measure in ("domains", "largest", "neg_elbo", "seconds") if control else DIGITS:
                lines += self._table(group, measure)
        lines += self._settings()
        made = [f"- `{value}`" for run in self.benchmark.runs for value in run.values()]
        lines += ["## How it was made", "", *dict.fromkeys(made), ""]
        return "\n".join(lines)

    def _overview(self) -> list[str]:
        """Return the mean ARI per group, with the worst seed of all its phantoms."""
        found = [g for g in self.groups() if MATERIALS[g[0]] > 1]
        control = [c for c in self.cases if c.is_control]
        names = [f"{m}, {p}" for m, p in found]
        head = ["method", *names, "control: one domain", "control: largest", "seconds"]
        lines = ["## Overview: mean ARI (worst seed), all noises and scans", "", *_head(head)]
        for row in self.rows:
            cells = []
            for group in found:
                parts = [self.values(row, case, "ari") for case in self.columns(group)]
                complete = all(len(part) for part in parts)
                values = np.concatenate(parts)
                cells.append(f"{values.mean():.2f} ({values.min():.2f})" if complete else "–")
            number, share = (
                np.concatenate([self.values(row, c, m) for c in control] or [np.array([])])
                for m in ("domains", "largest")
            )
            seconds = np.concatenate([self.values(row, c, "seconds") for c in self.cases])
            cells.append(f"{(number == 1).sum()} of {len(number)}" if len(number) else "–")
            cells.append(f"{share.mean():.2f} ({share.min():.2f})" if len(share) else "–")
            cells.append(f"{seconds.mean():.1f}")
            lines.append(_line([row, *cells]))
        return [*lines, ""]

    def summaries(self) -> dict[str, list[str]]:
        """Return by its title, for each material, phase and scan, a table of all noises."""
        found = {}
        for scan, columns in self._scans():
            what = "one domain found" if columns[0].is_control else "mean ARI (worst seed)"
            found[f"{scan}: {what}"] = self._summary(columns)
        return found

    def differences(self) -> dict[str, list[str]]:
        """Return by its title, for each material, phase and scan, how `PAIRS` differ in ARI."""
        found = {}
        for scan, columns in self._scans():
            if columns[0].is_control:
                continue
            rows = [
                _line([f"{titled(a).strip('*')} − {titled(b)}", *cells])
                for a, b in PAIRS
                if "–" not in (cells := [self._difference(a, b, c) for c in columns])
            ]
            if rows:
                head = _head(["difference", *(c.noise for c in columns)])
                found[f"{scan}: difference of ARI ± its standard error"] = head + rows
        return found

    def _scans(self) -> Iterator[tuple[str, list[Case]]]:
        """Yield for each material, phase and scan its title, and its columns, one per noise."""
        for group in self.groups():
            for distorted in (False, True):
                columns = [c for c in self.columns(group) if c.distorted == distorted]
                if columns:
                    yield (
                        f"{', '.join(group)}, {'distorted' if distorted else 'straight'}",
                        columns,
                    )

    def _difference(self, first: str, second: str, case: Case) -> str:
        """Return by how much the ARI of two rows differs in the mean, and the standard error."""
        one, other = (
            {record["seed"]: record["ari"] for record in self.cells.get((row, case), [])}
            for row in (first, second)
        )
        seeds = sorted(one.keys() & other.keys())
        if len(seeds) < 2:
            return "–"
        by = np.array([one[seed] - other[seed] for seed in seeds])
        error = by.std(ddof=1) / len(by) ** 0.5
        return f"{by.mean():+.3f} ± {error:.3f}".replace("-", "−")

    def _summary(self, columns: list[Case]) -> list[str]:
        lines = _head(["method", *(c.noise for c in columns), "seconds"])
        for row in self.rows:
            spent = np.concatenate([self.values(row, c, "seconds") for c in columns])
            if len(spent):
                cells = [self._brief(row, c) for c in columns]
                seconds = f"{spent.mean():.{int(spent.mean() < 10)}f}"
                lines.append(_line([titled(row), *cells, seconds]))
        return lines

    def _brief(self, row: str, case: Case) -> str:
        values = self.values(row, case, "domains" if case.is_control else "ari")
        if not len(values):
            return "–"
        if case.is_control:
            return f"{(values == 1).sum()} of {len(values)}"
        return f"{values.mean():.3f} ({values.min():.3f})".replace("-", "−")

    def _table(self, group: tuple[str, str], measure: str) -> list[str]:
        columns = self.columns(group)
        material, phase = group
        right = {"ari": 1, "iou": 1, "walls": 1, "domains": MATERIALS[material]}.get(measure)
        truth = f" (truth: {right})" if right is not None else ""
        names = [f"{c.noise}{', distorted' if c.distorted else ''}" for c in columns]
        lines = [f"## {material}, {phase}: {COLUMNS[measure]}{truth}", ""]
        lines += _head(["method", *names])
        body = []
        for row in self.rows:
            cells = [cell(self.values(row, c, measure), measure, right) for c in columns]
            if any(entry != "–" for entry in cells):
                body.append(_line([row, *cells]))
        return [*lines, *body, ""] if body else []

    def _settings(self) -> list[str]:
        lines = ["## Settings chosen, each on other seeds", "", *_head(["method", "setting"])]
        for row in self.rows:
            if len(self.benchmark.rows[row]) > 1:
                names = [self.benchmark.choice(row, case).name for case in self.cases]
                counts = sorted({n: names.count(n) for n in names}.items(), key=lambda x: -x[1])
                lines.append(_line([row, "; ".join(f"{n}: {k} phantoms" for n, k in counts)]))
        return [*lines, ""]

    # -- Figure --------------------------------------------------------------------------------

    def figure(self) -> Any:
        """Draw each cell as a lane: dots are seeds, the bar their mean, the cross the worst."""
        groups = self.groups()
        height = 1.6 + 0.42 * len(self.rows)
        fig, axes = plt.subplots(
            1, len(groups), sharey=True, squeeze=False,
            figsize=(2.4 + 1.75 * len(groups), height), layout="constrained",
        )  # fmt: skip
        for ax, group in zip(axes[0], groups, strict=True):
            control = MATERIALS[group[0]] == 1
            measure = "largest" if control else "ari"
            for position, row in enumerate(self.rows):
                self._lanes(ax, position, row, group, measure)
            where = {"centred": "on lattice sites", "random": "any phase"}[group[1]]
            ax.set_title(f"{group[0]}\n{where}", fontsize=9)
            ax.set_xlabel("largest share\n(one domain: 1)" if control else "ARI\n ", fontsize=8)
            ax.set_xlim(-0.06, 1.06)
            ax.set_ylim(len(self.rows) - 0.5, -0.5)
            ax.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=8)
            ax.grid(axis="x", alpha=0.4, linewidth=0.6)
            ax.hlines(np.arange(len(self.rows)) - 0.5, -0.06, 1.06, color="0.85", linewidth=0.6)
        names = [titled(row).strip("*").replace("`", "") for row in self.rows]
        axes[0, 0].set_yticks(range(len(self.rows)), names, fontsize=8)
        fig.legend(
            handles=self._legend(), ncols=7, fontsize=8, loc="outside lower center", frameon=False
        )
        return fig

    def _legend(self) -> list[plt.Line2D]:
        """Return what explains the markers that are there."""
        noises = {case.noise for case in self.cases}
        handles = [
            plt.Line2D([], [], color=c, marker="o", markersize=4, linestyle="", label=f"{n} noise")
            for n, c in COLOURS.items()
            if n in noises
        ]
        scans = {case.distorted: ("distorted", "^") if case.distorted else ("straight", "o")
                 for case in self.cases}  # fmt: skip
        for label, marker in (*scans.values(), ("mean", "|"), ("worst", "x")):
            handles.append(
                plt.Line2D([], [], color="0.3", marker=marker, linestyle="", label=label)
            )
        return handles

    def _lanes(self, ax: Any, position: int, row: str, group: Any, measure: str) -> None:
        columns = self.columns(group)
        for lane, case in enumerate(columns):
            values = self.values(row, case, measure)
            if not len(values):
                continue
            y = position - 0.36 + 0.72 * (lane + 0.5) / len(columns)
            colour, marker = COLOURS[case.noise], "^" if case.distorted else "o"
            ax.plot([values.min(), values.max()], [y, y], color=colour, linewidth=0.8)
            ax.plot(values.min(), y, "x", color="0.2", markersize=5, markeredgewidth=0.8)
            ax.plot(values, np.full(len(values), y), marker, color=colour, markersize=2.5)
            ax.plot(values.mean(), y, "|", color="0.2", markersize=6, markeredgewidth=1.2)


def titled(row: str) -> str:
    """Return a row's name as the documents write it."""
    name, _, after = row.partition("+")
    title = TITLES.get(name, name) + (f", {AFTER[after]}" if after else "")
    return f"**{title}**" if row == DEFAULT else title


def cell(values: np.ndarray, measure: str, right: float | None) -> str:
    """Return mean ± standard deviation (worst) of a measure over seeds."""
    if not len(values):
        return "–"
    digits = DIGITS.get(measure, 3)
    text = f"{values.mean():.{digits}f}"
    if len(values) > 1:
        text += f" ± {values.std(ddof=1):.{digits}f}"
    return f"{text} ({worst(values, measure, right):.{digits}f})"


def worst(values: np.ndarray, measure: str, right: float | None) -> float:
    """Return the value of the worst seed: what is too long and too short are both wrong."""
    if measure == "walls":
        return float(max(values, key=lambda v: abs(math.log(max(v, 1e-3)))))
    if measure == "domains" and right is not None:
        return float(max(values, key=lambda v: abs(v - right)))
    return float(values.min() if measure in ("ari", "iou", "largest") else values.max())


def _head(names: list[str]) -> list[str]:
    return [_line(names), _line(["---"] * len(names))]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
