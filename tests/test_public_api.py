"""The public names of the package."""

from __future__ import annotations

import ast
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

import pytest_lem

PACKAGE = Path(pytest_lem.__file__).parent
MODULES = sorted(PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("name", pytest_lem.__all__)
def test_every_public_name_is_there(name):
    """Each name of `__all__` is imported from its home when it is asked for."""
    assert getattr(pytest_lem, name).__name__ == name
    assert getattr(pytest_lem, name).__doc__


def test_all_is_sorted_and_complete():
    """The list and the homes of the names are the same, so that nothing is half public."""
    assert sorted(pytest_lem.__all__) == pytest_lem.__all__ == sorted(pytest_lem._HOME)


def test_names_are_imported_lazily():
    """Importing the package loads nothing but itself; the host process relies on that."""
    code = "import sys, pytest_lem\nprint(*(m for m in sys.modules if m.startswith('pytest_lem')))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["pytest_lem"]


def test_an_unknown_name_is_an_attribute_error():
    """The message is Python's own, so that tools understand it."""
    with pytest.raises(AttributeError, match="module 'pytest_lem' has no attribute 'Enregy'"):
        pytest_lem.Enregy  # noqa: B018


def test_the_version_is_that_of_the_installed_package():
    """There is one place for the version."""
    from importlib.metadata import version

    assert pytest_lem.__version__ == version("pytest-lem")


def test_the_package_is_typed_and_brings_its_data():
    """The marker file for type checkers and the presets are shipped."""
    assert files("pytest_lem").joinpath("py.typed").is_file()
    presets = files("pytest_lem").joinpath("config", "presets").iterdir()
    assert {"smoke.yaml", "quick.yaml", "standard.yaml", "rigorous.yaml"} <= {
        preset.name for preset in presets
    }


def _public(tree: ast.AST, prefix: str = "") -> list[tuple[str, ast.AST]]:
    """Return the public functions, classes and methods in a body, with their names."""
    found = []
    for node in getattr(tree, "body", []):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if node.name.startswith("_"):
                continue
            found.append((prefix + node.name, node))
            if isinstance(node, ast.ClassDef):
                found += _public(node, f"{prefix}{node.name}.")
    return found


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_everything_public_has_a_docstring(path):
    """Modules, classes, functions and methods say in a sentence what they are for."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    silent = [name for name, node in _public(tree) if not ast.get_docstring(node)]
    assert silent == []
