"""The package as a house: which package may import which, and how large a file may be.

Read from the source alone. Imports within functions and under TYPE_CHECKING count as any other.
"""

import ast
import graphlib
import inspect
from pathlib import Path

import pytest

import phyvae

ROOT = Path(__file__).parents[1] / "src" / "phyvae"
TESTS = Path(__file__).parent
LAYERS = (
    *("_checks", "saving", "compute", "scans", "patches", "phantoms", "physics", "models"),
    *("alignment", "training", "refinement", "domains", "plotting", "pipeline", "cli"),
    *("__main__", "testing"),
)
MOST_LINES = 350
MOST_ENTRIES = 19


def name_of(path):
    """Return the module's name within the package: "physics.edges", "" for the package itself."""
    return (
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix("__init__").strip(".")
    )


SOURCES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in SOURCES.items()}


def imports(name):
    """Yield (module, name) of what a module imports from the package; name is "" for a module."""
    parts = name.split(".") if name else []
    package = parts if SOURCES[name].name == "__init__.py" else parts[:-1]
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.ImportFrom):
            source = [] if node.module is None else node.module.split(".")
            if node.level:
                source = [*package[: len(package) + 1 - node.level], *source]
            elif source[0] == "phyvae":
                source = source[1:]
            else:
                continue
            for alias in node.names:
                module = ".".join([*source, alias.name])
                yield (module, "") if module in SOURCES else (".".join(source), alias.name)
        elif isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.split(".")[0] == "phyvae":
                    yield alias.name.removeprefix("phyvae").strip("."), ""


def is_private(name):
    return name.startswith("_") and not name.startswith("__")


# The package itself loads its names from everywhere, at their first use.
EDGES = {name: {module for module, _ in imports(name)} for name in SOURCES if name}


def test_the_layers_are_the_packages():
    assert {name.split(".")[0] for name in SOURCES if name} == set(LAYERS)


def test_imports_point_down_the_layers():
    upwards = [
        f"{name} imports {module or 'phyvae'}"
        for name, modules in EDGES.items()
        for module in modules
        if not module or LAYERS.index(module.split(".")[0]) > LAYERS.index(name.split(".")[0])
    ]
    assert upwards == []


def test_no_import_goes_round():
    without = {name: modules - {"", name} for name, modules in EDGES.items()}
    try:
        graphlib.TopologicalSorter(without).prepare()
    except graphlib.CycleError as error:
        pytest.fail(" <- ".join(error.args[1]))


def test_no_file_is_long():
    lines = {
        name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in SOURCES.items()
    }
    assert {name: count for name, count in lines.items() if count > MOST_LINES} == {}


def test_the_package_has_few_entries():
    entries = [p for p in ROOT.iterdir() if p.name != "__pycache__" and p.suffix in ("", ".py")]
    assert len(entries) <= MOST_ENTRIES


def test_no_module_uses_a_private_name_of_another():
    private = [
        f"{name} imports {module}.{taken}"
        for name in SOURCES
        for module, taken in imports(name)
        if is_private(taken)
    ]
    for name, tree in TREES.items():
        nodes = [*ast.walk(tree)]
        theirs = {
            alias.asname or alias.name
            for node in nodes
            if isinstance(node, ast.ImportFrom) and node.level
            for alias in node.names
        }
        private += [
            f"{name} uses {node.value.id}.{node.attr}"
            for node in nodes
            if isinstance(node, ast.Attribute)
            and isinstance(node.value, ast.Name)
            and node.value.id in theirs
            and is_private(node.attr)
        ]
    assert private == []


def test_no_module_is_called_as_a_public_name():
    public = {name for name in phyvae.__all__ if not inspect.ismodule(getattr(phyvae, name))}
    public |= {*phyvae.phantoms.__all__}
    assert {name for name in SOURCES if name.split(".")[-1] in public} == set()


def test_every_module_has_its_tests():
    missing = []
    for name, path in SOURCES.items():
        place = path.relative_to(ROOT).with_name(f"test_{path.stem.strip('_')}.py")
        if path.name != "__init__.py" and not (TESTS / place).is_file():
            missing.append(name)
    assert missing == []
