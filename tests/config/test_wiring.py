"""Every setting reaches something: none is validated, documented and then ignored."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path

import pytest

import pytest_lem
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.config.models import (
    EnergySettings,
    MeasureSettings,
    Settings,
    WorkloadSettings,
)

PACKAGE = Path(pytest_lem.__file__).parent
CONFIG = PACKAGE / "config"

#: Read while settings are resolved: the version decides how to read a file, and the sections of
#: `backends` become the options of each backend, which are looked for one by one.
READ_IN_CONFIG = ("schema_version", "backends")

#: Read before a session has its settings, by `default_of`: a bare list of tests shows the order.
READ_BY_NAME = ("order",)

#: The name under which the code knows an object of each class.
KNOWN_AS = {
    Settings: "settings",
    WorkloadSettings: "workload",
    MeasureSettings: "measure",
    EnergySettings: "energy",
}
FIELDS = [
    pytest.param(owner, field, id=f"{owner}.{field}")
    for model, owner in KNOWN_AS.items()
    for field in model.model_fields
    if field not in (*READ_IN_CONFIG, *READ_BY_NAME)
]
#: Where options are read: the file of the backend, and the plugin for those of the host process.
OPTION_READERS = (
    PACKAGE / "backends" / "transformers" / "backend.py",
    PACKAGE / "plugin" / "planning.py",
)


def _reads(source: str, *, workload_is_self: bool = False) -> Iterator[tuple[str, str]]:
    """Yield owner and name of what is read: `owner.name`, `owner["name"]`, `owner.get("name")`."""
    for node in ast.walk(ast.parse(source)):
        owner, name = None, None
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            owner, name = node.value, node.attr
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            owner, name = node.value, _text(node.slice)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute):
            owner = node.func.value if node.func.attr == "get" else None
            name = _text(node.args[0])
        if owner is not None and name is not None:
            word = _last_word(owner)
            yield ("workload" if workload_is_self and word == "self" else word), name


def _last_word(node: ast.expr) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _text(node: ast.expr) -> str | None:
    is_text = isinstance(node, ast.Constant) and isinstance(node.value, str)
    return node.value if is_text else None


@pytest.fixture(scope="module")
def reads() -> set[tuple[str, str]]:
    """Return what all modules outside `config` read, by owner and name."""
    return {
        found
        for path in PACKAGE.rglob("*.py")
        if not path.is_relative_to(CONFIG)
        for found in _reads(path.read_text(), workload_is_self=path.name == "workload.py")
    }


@pytest.mark.parametrize(("owner", "field"), FIELDS)
def test_every_setting_is_read_outside_config(
    reads: set[tuple[str, str]], owner: str, field: str
) -> None:
    """A field that no module reads from its section would be a switch without a wire."""
    assert (owner, field) in reads


@pytest.mark.parametrize("field", READ_IN_CONFIG)
def test_the_exceptions_are_read_in_config(field: str) -> None:
    """What only matters while settings are resolved is read there."""
    assert ("settings", field) in _reads((CONFIG / "resolve.py").read_text())


@pytest.mark.parametrize("field", READ_BY_NAME)
def test_what_is_read_by_name_is_read_where_tests_are_ordered(field: str) -> None:
    """The order of tests is read when they are collected."""
    assert f'default_of(config, "{field}")' in (PACKAGE / "plugin" / "collection.py").read_text()


@pytest.mark.parametrize("field", [field.name for field in fields(TransformersOptions)])
def test_every_option_of_transformers_is_read(field: str) -> None:
    """An option of a backend is read by that backend or where its process is started."""
    found = {read for path in OPTION_READERS for read in _reads(path.read_text())}
    assert ("options", field) in found


def test_a_field_that_is_only_written_or_named_is_not_read() -> None:
    """The search itself tells reading from everything else that looks like it."""
    source = (
        "measure.rounds = 1\nmeasure['rounds'] = 1\nplan(rounds=1)\nother.rounds\n"
        "'measure.rounds'\nmeasure.get(rounds)\n"
    )
    assert ("measure", "rounds") not in set(_reads(source))
    assert {("measure", "a"), ("measure", "b"), ("measure", "c")} <= set(
        _reads("measure.a\nself.measure['b']\nbase.settings.measure.get('c')")
    )
