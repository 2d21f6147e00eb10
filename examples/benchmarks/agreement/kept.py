"""Scores that are kept: one line of JSON per method, image and seed, appended when it is done."""

import json
from pathlib import Path
from typing import Any

__all__ = ["Scores"]


class Scores:
    """The scores in a file, and what is to be added to it.

    A line is written at once, so what was done before a stop is kept; half a line at the end of
    the file, of a process that was killed, is dropped.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.records: dict[tuple[str, str, int], dict[str, Any]] = {}
        if path.is_file():
            text = path.read_text(encoding="utf-8")
            whole = text[: text.rfind("\n") + 1]
            if whole != text:
                path.write_text(whole, encoding="utf-8")
            for line in whole.splitlines():
                self._add(json.loads(line))

    def __contains__(self, key: object) -> bool:
        return key in self.records

    def append(self, record: dict[str, Any]) -> None:
        """Add a record with "row", "case" and "seed" to the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(record) + "\n")
        self._add(record)

    def values(self, row: str, case: str, score: str) -> list[float]:
        """Return a score of all seeds, in their order; none where it is not defined."""
        found = self.by_seed(row, case, score)
        return [found[seed] for seed in sorted(found)]

    def by_seed(self, row: str, case: str, score: str) -> dict[int, float]:
        """Return a score of each seed."""
        return {
            seed: record[score]
            for (r, c, seed), record in self.records.items()
            if (r, c) == (row, case) and record[score] is not None
        }

    def _add(self, record: dict[str, Any]) -> None:
        self.records[record["row"], record["case"], record["seed"]] = record
