"""Every example in a docstring runs."""

import doctest
import importlib
import pkgutil

import pytest

import phyvae

MODULES = [m.name for m in pkgutil.walk_packages(phyvae.__path__, "phyvae.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name):
    module = importlib.import_module(name)
    flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
    finder = doctest.DocTestFinder(exclude_empty=True)
    runner = doctest.DocTestRunner(optionflags=flags)
    for test in finder.find(module, name):
        runner.run(test)
    assert runner.summarize(verbose=False).failed == 0
