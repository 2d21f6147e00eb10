"""Print the lowest versions that pyproject.toml supports, as constraints for pip.

    python .ci/lowest.py > lowest.txt && python -m pip install -c lowest.txt .

They are pyproject's own lower bounds, each as the one version allowed, so the two cannot differ.
"""

import re
import sys
import tomllib
from pathlib import Path

# What goes with torch 2.6; pyroVED imports it, and pip would take a newer one, with a newer torch.
OF_TORCH = {"2.6": "torchvision==0.21"}


def lowest(dependencies: list[str]) -> list[str]:
    """Return the lower bound of each dependency as a constraint."""
    bounds = []
    for dependency in dependencies:
        match = re.fullmatch(r"([\w.-]+)>=([\d.]+)", dependency)
        if match is None:
            sys.exit(f"pyproject.toml: {dependency!r} is no lower bound alone, name>=version.")
        bounds.append("==".join(match.groups()))
        if match[1] == "torch":
            bounds.append(OF_TORCH[match[2]])
    return bounds


if __name__ == "__main__":
    root = Path(__file__).resolve().parent.parent
    project = tomllib.loads((root / "pyproject.toml").read_text())["project"]
    print("\n".join(lowest(project["dependencies"])))
