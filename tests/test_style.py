"""Rules of this code base that no linter knows."""

from __future__ import annotations

import ast
import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "pytest_lem"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted(ROOT.glob("tests/**/*.py"))
FOLDERS = ("pytest_lem", "benchmarks", "configs", "docs", "tests", ".ci", ".github", "docker")
TEXTS = [
    path
    for root in (ROOT.glob("*"), *((ROOT / folder).rglob("*") for folder in FOLDERS))
    for path in root
    if path.suffix in {".md", ".py", ".toml", ".ini", ".txt", ".yaml", ".yml", ".json", ".sh", ""}
    and path.is_file()
]
LONGEST_FUNCTION = 45
LONGEST_MODULE = 350


def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _name(path: Path) -> str:
    """Return the dotted name of a module of the package."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", MODULES, ids=_shown)
def test_functions_and_modules_are_short(path):
    """A reader can hold a function, and a file, in the head."""
    long = {
        node.name: node.end_lineno - node.lineno + 1
        for node in ast.walk(_tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.end_lineno - node.lineno + 1 > LONGEST_FUNCTION
    }
    assert long == {}
    assert len(path.read_text(encoding="utf-8").splitlines()) <= LONGEST_MODULE


def test_modules_are_nouns_of_their_matter():
    """A name that fits anything says nothing, and such a module collects anything."""
    vague = re.compile(r"util|helper|common|manager|misc|tools")
    assert [_shown(path) for path in MODULES if vague.search(path.name)] == []


def _imported(path: Path) -> set[str]:
    """Return the modules that a module names: imports, late ones, files beside it, texts."""
    found = set()
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            is_name = node.value.endswith(".py") and "/" not in node.value
            beside = path.with_name(node.value) if is_name else None
            is_file = beside is not None and beside.is_file()
            text = node.value.partition(":")[0]
            found |= {_name(beside)} if is_file else {text, text.rpartition(".")[0]}
    return found


def test_every_module_is_reached_from_an_entry_point():
    """Code that nothing imports is not part of the product."""
    known = {_name(path): path for path in MODULES}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    groups = project["entry-points"].values()
    doors = [project["scripts"], *groups]
    waiting = ["pytest_lem", *(v.partition(":")[0] for door in doors for v in door.values())]
    reached = set()
    while waiting:
        name = waiting.pop()
        if name not in known or name in reached:
            continue
        reached.add(name)
        waiting += [name.rpartition(".")[0], *_imported(known[name])]
    assert sorted(set(known) - reached) == []


@pytest.mark.parametrize("path", TESTS, ids=_shown)
def test_tests_can_fail_and_do_not_sleep(path):
    """No assertion of a constant, no sleep, no skip, and a sentence for each test."""
    for node in ast.walk(_tree(path)):
        assert not (isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant))
        if isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            assert called not in {"time.sleep", "sleep", "pytest.skip", "pytest.importorskip"}
        if isinstance(node, ast.Attribute):
            assert ast.unparse(node) not in {"pytest.mark.skip", "pytest.mark.xfail"}
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            assert ast.get_docstring(node), node.name


def test_the_tests_mirror_the_package():
    """A test module in a folder of the package's name is named after a module or a hook."""
    folders = {path.parent.relative_to(PACKAGE) for path in MODULES}
    strangers = {
        _shown(path.parent)
        for path in (ROOT / "tests").rglob("test_*.py")
        if path.parent.relative_to(ROOT / "tests") not in folders
        and path.relative_to(ROOT / "tests").parts[0]
        not in {"browser", "containers", "contract", "docs", "engines", "standin"}
    }
    assert strangers == set()


@pytest.mark.parametrize("path", TEXTS, ids=_shown)
def test_no_file_names_a_place_or_a_task_of_its_author(path):
    """Nobody else has that folder, or that list of tasks."""
    text = path.read_text(encoding="utf-8")
    usual = "proc|sys|dev|etc|run|usr|var|bin|opt|srv|mnt|data|models|no|none"
    assert not re.search(rf"""(?<=["' =(`])/(?!(?:{usual})\b|\.)[a-z]+/[a-z]""", text)
    assert not re.search(r"\b[Ii]ssue #?\d|\bTODO\b|\bFIXME\b|\bXXX\b", text)
