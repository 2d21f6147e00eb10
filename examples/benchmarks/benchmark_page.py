"""
Benchmark: the page
===================

``python examples/benchmarks/benchmark_page.py`` writes from ``docs/measured/agreement.jsonl`` the
table of :doc:`/benchmark`, between its markers, the full tables ``docs/measured/agreement.md``
and the figure ``docs/measured/agreement.png``.
"""

import json
import re
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from agreement.data import CASES
from agreement.kept import Scores
from agreement.rows import ROWS
from matplotlib.lines import Line2D

DOCS = Path(__file__).parents[2] / "docs"
PAGE, FULL = DOCS / "benchmark.md", DOCS / "measured/agreement.md"
FIGURE, KEPT = DOCS / "measured/agreement.png", DOCS / "measured/agreement.jsonl"
CLAIMS = DOCS / "measured/paper_claims"  # as paper_claims.py --folder keeps them
GROUPS = {
    "BFO": ("bfo low", "bfo medium", "bfo high"),
    "NiO-LSMO": ("nio_lsmo low", "nio_lsmo medium", "nio_lsmo high"),
    "graphene": ("graphene low", "graphene medium", "graphene high"),
    "realistic": ("bfo realistic", "nio_lsmo realistic", "graphene realistic"),
    "distorted": ("bfo distorted", "nio_lsmo distorted"),
    "film": ("film",),
    "tilt": ("tilt",),
}
PAIRS = (  # rows whose difference is of interest, image by image
    ("sl1", "sh-vae"),
    ("sl2", "sh-vae"),
    ("sl1 refined", "sh-vae refined"),
    ("sl1", "start"),
    ("sl1 refined", "start refined"),
)
WHICH = ("own", "ours")
SCORES = {
    "ours": "ARI by `phyvae.segment`, number of domains given",
    "own": "ARI by the published clustering, number of domains given",
    "free": "ARI, number of domains not given",
    "counted": "number of domains counted",
    "seconds": "seconds of one core",
}
# Measured by others on these phantoms, seeds 0 to 2, low, medium and high noise.
REPORTED = {
    "local correlation": (0.45, 0.41, 0.36, 0.92, 0.98, 0.98, 0.80, 0.51, 0.17),
    "sliding fourier": (0.43, 0.39, 0.26, 0.96, 0.97, 0.98, 0.35, 0.11, -0.02),
    "zernike": (0.89, 0.89, 0.79, 0.92, 0.97, 0.97, 0.52, 0.57, 0.10),
    "pretrained": (0.94, 0.61, 0.73, 0.93, 0.98, 0.01, 0.36, 0.14, 0.08),
}


def tables(scores: Scores) -> dict[str, str]:
    """Return the page's table by its marker."""
    return {"overview": overview(scores)}


def overview(scores: Scores) -> str:
    """Return the mean ARI and the worst seed of each group: the better clustering of each row."""
    lines = head("method", *GROUPS, "s")
    for row, about in ROWS.items():
        cells = []
        for cases in GROUPS.values():
            every = [np.array(better(scores, row, case)) for case in cases]
            found = [one for one in every if len(one)]
            if not found:
                cells.append("–")
                continue
            mean, least = np.mean([one.mean() for one in found]), min(map(min, found))
            alone = sum(map(len, found)) == 1
            part = "\\*" if len(found) < len(every) else ""
            cells.append(number(mean) + ("" if alone else f" ({number(least)})") + part)
        spent = [s for case in CASES for s in scores.values(row, case, "seconds")]
        if spent:
            lines.append(line(about.title, *cells, f"{np.mean(spent):.0f}"))
    return "\n".join(lines)


def better(scores: Scores, row: str, case: str) -> list[float]:
    """Return the ARI by the clustering, published or ours, with the higher mean on an image.

    `find_domains` counts the domains.
    """
    counts = row.startswith("find_domains")
    found = [scores.values(row, case, which) for which in (("free",) if counts else WHICH)]
    return max(found, key=lambda values: np.mean(values) if values else -1.0)


def against_the_best(scores: Scores) -> list[str]:
    """Return how far `find_domains` is from the best row of each image, on the seeds of both."""
    lines = head("image", "`find_domains`", "best", "", "difference", "right number")
    for case, about in CASES.items():
        mine = scores.by_seed("find_domains", case, "free")
        best, title = 0.0, ""
        for row in ROWS:
            for which in WHICH if not row.startswith("find_domains") else ("free",):
                theirs = scores.by_seed(row, case, which)
                if mine and mine.keys() <= theirs.keys():
                    mean = float(np.mean([theirs[seed] for seed in mine]))
                    best, title = max((best, title), (mean, ROWS[row].title))
        if mine:
            mean = float(np.mean(list(mine.values())))
            counted = scores.values("find_domains", case, "counted")
            right = f"{sum(n == about.classes for n in counted)} of {len(counted)}"
            difference = f"{mean - best:+.3f}".replace("-", "−")
            lines.append(line(case, f"{mean:.3f}", f"{best:.3f}", title, difference, right))
    return lines


def differences(scores: Scores) -> str:
    """Return by how much rows differ in ARI: mean of the seeds ± standard error of that mean."""
    cases = [case for cases in list(GROUPS.values())[:3] for case in cases]
    lines = head("difference", *(f"{m}, {c.split()[1]}" for m, cs in list(GROUPS.items())[:3]
                                 for c in cs))  # fmt: skip
    for pair in PAIRS:
        cells = []
        for case in cases:
            one, other = (scores.by_seed(row, case, "ours") for row in pair)
            by = np.array([one[seed] - other[seed] for seed in sorted(one.keys() & other.keys())])
            if len(by) > 1:
                error = by.std(ddof=1) / len(by) ** 0.5
                cells.append(f"{by.mean():+.3f} ± {error:.3f}".replace("-", "−"))
            else:
                cells.append("–")
        if any(cell != "–" for cell in cells):
            lines.append(line(" − ".join(ROWS[row].title for row in pair), *cells))
    return "\n".join(lines)


def reported(scores: Scores) -> str:
    """Return what others measured and what is measured here, on the same seeds."""
    groups = list(GROUPS.items())[:3]
    lines = head("method", "by", *(name for name, _ in groups))
    for row, values in REPORTED.items():
        here = []
        for _, cases in groups:
            means = [[v for s, v in scores.by_seed(row, c, "own").items() if s < 3] for c in cases]
            here.append(", ".join(number(np.mean(m)) if m else "–" for m in means))
        there = [", ".join(map(number, part)) for part in np.reshape(values, (3, 3))]
        lines += [line(ROWS[row].title, "others", *there), line("", "here", *here)]
    return "\n".join(lines)


def claims() -> str:
    """Return edge energy and ARI of each objective, mean of the seeds that are kept."""
    runs: dict[str, list[dict]] = {}
    for path in sorted(CLAIMS.glob("*.json")):
        runs.setdefault(path.stem.rpartition("-")[0], []).append(json.loads(path.read_text()))
    titles = [f"{name} ({len(seeds)}): {what}" for name, seeds in runs.items()
              for what in ("Ψ", "ARI")]  # fmt: skip
    lines = head("objective", *titles)
    for name in next(iter(runs.values()), [{}])[0]:
        cells = [f"{np.mean([one[name][what] for one in seeds]):.3f}" for seeds in runs.values()
                 for what in ("Ψ SL1", "ARI")]  # fmt: skip
        lines.append(line(name, *cells))
    return "\n".join(lines)


def full(scores: Scores) -> str:
    """Return all tables: each score of each row on each image."""
    parts = [
        "---", "orphan: true", "---", "", "# Agreement: the full tables", "",
        "Mean (worst seed; number of seeds). Written by "
        "`python examples/benchmarks/benchmark_page.py`; see [Benchmark](../benchmark.md).",
    ]  # fmt: skip
    parts += ["", "## `find_domains` against the best row of each image", ""]
    parts += against_the_best(scores)
    parts += ["", "## What physics in training changes", ""]
    parts += [
        "Difference of ARI, number of domains given: mean over the seeds ± its standard error."
    ]
    parts += ["", differences(scores), "", "## The paper's claims", ""]
    parts += [
        "Ψ (SL1) of the final maps and ARI, all settings of a seed from one start, medium noise "
        "(graphene: half of it); number of seeds in brackets (`paper_claims.py`).",
        "", claims(), "", "## Values that others measured", "",
        "By the published clustering: low, medium and high noise, three seeds.", "",
        reported(scores),
    ]  # fmt: skip
    for score, what in SCORES.items():
        for name, cases in GROUPS.items():
            lines = head("method", *cases)
            for row, about in ROWS.items():
                cells = [cell(scores.values(row, case, score), score, case) for case in cases]
                if any(one != "–" for one in cells):
                    lines.append(line(about.title, *cells))
            if len(lines) > 2:
                parts += ["", f"## {name}: {what}", "", *lines]
    return "\n".join(parts) + "\n"


def cell(values: list[float], score: str, case: str) -> str:
    """Return the mean of the seeds, the worst and their number."""
    if not values:
        return "–"
    digits = {"seconds": 0, "counted": 1}.get(score, 3)
    worst = max(values) if score in ("seconds", "counted") else min(values)
    text = f"{np.mean(values):.{digits}f} ({worst:.{digits}f}; {len(values)})"
    return text.replace("-", "−")


def number(value: float) -> str:
    return f"{value:.2f}".replace("-", "−")


def head(*names: str) -> list[str]:
    return [line(*names), line(*["---"] * len(names))]


def line(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def filled(page: str, parts: dict[str, str]) -> str:
    """Return a page with each table in place of what lies between its markers."""
    for name, table in parts.items():
        marked = re.compile(f"(<!-- {name} -->\n).*?(<!-- end -->)", re.DOTALL)
        page = marked.sub(lambda m, t=table: f"{m[1]}\n{t}\n\n{m[2]}", page)
    return page


NOISE = {"low": "#c6a800", "medium": "#21918c", "high": "#440154"}
MATERIAL = {"bfo": "#0072b2", "nio_lsmo": "#d55e00", "graphene": "0.3"}


def figure(scores: Scores) -> plt.Figure:
    """Plot each seed as a dot, by our clustering filled, by the published one open."""
    rows = [row for row in ROWS if any(scores.values(row, case, "ours") for case in CASES)]
    fig, axes = plt.subplots(
        1, len(GROUPS), sharey=True, figsize=(11, 1.2 + 0.3 * len(rows)), layout="constrained"
    )
    for ax, (name, cases) in zip(axes, GROUPS.items(), strict=True):
        for place, row in enumerate(rows):
            for k, case in enumerate(cases):
                y = place + (k - (len(cases) - 1) / 2) * 0.24
                dots(ax, scores, row, case, y)
        ax.set(title=name, xlim=(-0.06, 1.04), xlabel="ARI", xticks=(0, 0.5, 1))
        ax.grid(axis="y", lw=0.3)
    others = sum(not ROWS[row].ours for row in rows) - 0.5
    for ax in axes:
        ax.axhline(others, color="0.4", lw=0.8)
    axes[0].set_yticks(range(len(rows)), [ROWS[row].title.replace("`", "") for row in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    legend(fig)
    return fig


def dots(ax: plt.Axes, scores: Scores, row: str, case: str, y: float) -> None:
    """Plot the scores of a row on an image at a height."""
    colour = colour_of(case)
    ours = "free" if row.startswith("find_domains") else "ours"
    for which, face in (("own", "none"), (ours, colour)):
        values = scores.values(row, case, which)
        ax.plot(values, [y] * len(values), "-", color=colour, lw=0.6, alpha=0.5)
        ax.plot(values, [y] * len(values), "o", ms=3, mec=colour, mfc=face, mew=0.7)


def colour_of(case: str) -> str:
    """Return the colour of a noise level, or of a material where the level is medium in all."""
    material, _, kind = case.partition(" ")
    return NOISE.get(kind) or MATERIAL.get(material, "0.3")


def legend(fig: plt.Figure) -> None:
    """Name colours and faces below the axes."""
    names = {f"{noise} noise": colour for noise, colour in NOISE.items()}
    names |= {"BFO": MATERIAL["bfo"], "NiO-LSMO": MATERIAL["nio_lsmo"]}
    names |= {"graphene, film, tilt": MATERIAL["graphene"]}
    handles = [Line2D([], [], marker="o", ls="", ms=4, color=c, label=n) for n, c in names.items()]
    for face, label in (("0.5", "labels by phyvae.segment"), ("none", "published clustering")):
        handles.append(Line2D([], [], marker="o", ls="", ms=4, mec="0.5", mfc=face, label=label))
    fig.legend(handles=handles, loc="outside lower center", ncols=4, frameon=False)


def main() -> None:
    scores = Scores(KEPT)
    PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), tables(scores)), encoding="utf-8")
    FULL.write_text(full(scores), encoding="utf-8")
    figure(scores).savefig(FIGURE, dpi=150)


if __name__ == "__main__":
    main()
