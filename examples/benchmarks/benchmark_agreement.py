"""
Benchmark: agreement with the true domains
==========================================

``python examples/benchmarks/benchmark_agreement.py`` scores every method on every image and
appends each score to ``docs/measured/agreement.jsonl`` as soon as it is there: a run that was
stopped goes on where it was, and one that is complete does nothing. ``--rows``, ``--cases``
(shell patterns) and ``--seeds`` take a part, ``--cost seconds`` the methods that train nothing,
``--list`` prints what is missing. To measure a row anew, delete its lines. Real images are read
from the folder ``PHYVAE_REAL_DATA``.

``python examples/benchmarks/benchmark_page.py`` then writes tables and figure of
:doc:`/benchmark`.
"""

import argparse
import fnmatch
import time
import warnings
from pathlib import Path

import torch
from agreement.data import CASES
from agreement.kept import Scores
from agreement.rows import ROWS

import phyvae

KEPT = Path(__file__).parents[2] / "docs/measured/agreement.jsonl"
# Cases (a shell pattern) and seeds of rows for which a part is enough.
PART = {
    "rvae": ("bfo medium", 1),
    "pyroved": ("* medium", 3),
}


def wanted(rows: list[str], cases: list[str], seeds: int) -> list[tuple[str, str, int]]:
    """Return rows, cases and seeds in the order of the work: one image after the other."""
    found = []
    for seed in range(seeds):
        for case in cases:
            for row in rows:
                only, most = PART.get(row, ("*", seeds))
                if fnmatch.fnmatchcase(case, only) and seed < min(most, CASES[case].seeds):
                    found.append((row, case, seed))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.strip().partition("\n")[0])
    parser.add_argument("--rows", nargs="+", default=["*"])
    parser.add_argument("--cases", nargs="+", default=["*"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--cost", choices=("seconds", "minutes"))
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin nothing after")
    parser.add_argument("--kept", type=Path, default=KEPT)
    parser.add_argument("--list", action="store_true")
    given = parser.parse_args()
    torch.set_num_threads(1)
    rows = [r for r in matching(given.rows, ROWS) if given.cost in (None, ROWS[r].cost)]
    scores, begun, missing = Scores(given.kept), time.monotonic(), set()
    todo = [key for key in wanted(rows, matching(given.cases, CASES), given.seeds)
            if key not in scores]  # fmt: skip
    if given.list:
        print(*todo, f"{len(todo)} to do", sep="\n")
        return
    for done, (row, case, seed) in enumerate(todo, start=1):
        if time.monotonic() - begun > 60 * given.minutes:
            break
        if not CASES[case].exists() or row in missing:
            missing.add(row if row in missing else case)
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = ROWS[row].scores(CASES[case].make(seed), seed)
        except ImportError as error:
            missing.add(row)
            print(f"{row}: left out, {error}")
            continue
        record = {"row": row, "case": case, "seed": seed, **rounded(found)}
        scores.append(record | {"version": phyvae.__version__})
        print(f"[{done}/{len(todo)}] {record}", flush=True)
    if missing:
        print("left out, as a package or PHYVAE_REAL_DATA is missing:", *sorted(missing))


def matching(patterns: list[str], names: dict) -> list[str]:
    """Return the names that match any of the patterns, in their own order."""
    for pattern in patterns:
        if not fnmatch.filter(names, pattern):
            raise SystemExit(f"{pattern!r} matches none of: {', '.join(names)}")
    return [name for name in names if any(fnmatch.fnmatchcase(name, p) for p in patterns)]


def rounded(found: dict[str, float | None]) -> dict[str, float | None]:
    return {name: value if value is None else round(value, 4) for name, value in found.items()}


if __name__ == "__main__":
    main()
