"""Every setting reaches something: none is validated, documented and then ignored."""

from __future__ import annotations

import ast
import importlib
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

import pytest_lem
from pytest_lem.backends.option import BackendOptions
from pytest_lem.config.cost import CostSettings
from pytest_lem.config.dataset import DatasetSettings
from pytest_lem.config.gate import GateSettings
from pytest_lem.config.mlflow import MlflowSettings
from pytest_lem.config.models import (
    EnergySettings,
    MeasureSettings,
    Settings,
)
from pytest_lem.config.traffic import TrafficSettings
from pytest_lem.config.webhook import WebhookSettings
from pytest_lem.config.workload import WorkloadSettings

ROOT = Path(__file__).parents[2]
PACKAGE = Path(pytest_lem.__file__).parent
CONFIG = PACKAGE / "config"

#: Read while settings are resolved: the version decides how to read a file, and the sections of
#: `backends` become the options of each backend, which are looked for one by one.
READ_IN_CONFIG = ("schema_version", "backends")

#: Read before a session has its settings, by `default_of`: a bare list of tests shows the order.
READ_BY_NAME = ("order",)

#: Read from the layers, before tests are collected.
READ_FROM_LAYERS = ("cycles",)

#: The name under which the code knows an object of each class.
KNOWN_AS = {
    Settings: "settings",
    WorkloadSettings: "workload",
    DatasetSettings: "dataset",
    MeasureSettings: "measure",
    EnergySettings: "energy",
    GateSettings: "gate",
    CostSettings: "cost",
    TrafficSettings: "asked",
    WebhookSettings: "webhooks",
    MlflowSettings: "mlflow",
}
FIELDS = [
    pytest.param(owner, field, id=f"{owner}.{field}")
    for model, owner in KNOWN_AS.items()
    for field in model.model_fields
    if field not in (*READ_IN_CONFIG, *READ_BY_NAME, *READ_FROM_LAYERS)
]


def _backends() -> Iterator[tuple[Path, type[Any]]]:
    """Yield folder and options of each backend of this distribution."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for entry in project["entry-points"]["pytest_lem.backends"].values():
        module, _, name = entry.partition(":")
        backend = getattr(importlib.import_module(module), name)
        yield PACKAGE.parent / module.replace(".", "/"), backend.Options


OPTIONS = [
    pytest.param(folder, field.name, id=f"{folder.name}.{field.name}")
    for folder, options in _backends()
    for field in fields(options)
    if field not in fields(BackendOptions)
]


def _reads(source: str, *, workload_is_self: bool = False) -> Iterator[tuple[str, str]]:
    """Yield owner and name of what is read: `owner.name`, `owner["name"]`, `owner.get("name")`.

    The name is `*` where it is worked out: `getattr(owner, field.name)`.
    """
    for node in ast.walk(ast.parse(source)):
        owner, name = None, None
        if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Load):
            owner, name = node.value, node.attr
        elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Load):
            owner, name = node.value, _text(node.slice)
        elif isinstance(node, ast.Call) and node.args and isinstance(node.func, ast.Attribute):
            owner = node.func.value if node.func.attr == "get" else None
            name = _text(node.args[0])
        elif isinstance(node, ast.Call) and ast.unparse(node.func) == "getattr":
            owner, name = node.args[0], _text(node.args[1]) or "*"
        if owner is not None and name is not None:
            word = _last_word(owner)
            yield ("workload" if workload_is_self and word == "self" else word), name


def _listed(source: str) -> Iterator[str]:
    """Yield the texts in sets, lists and tuples."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Set | ast.List | ast.Tuple):
            yield from filter(None, map(_text, node.elts))


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


@pytest.mark.parametrize("field", READ_FROM_LAYERS)
def test_what_makes_tests_is_read_before_they_are_collected(field: str) -> None:
    """How many tests there are is known before the settings of a session are."""
    assert f'leaves.get(("{field}",))' in (PACKAGE / "plugin" / "cycles.py").read_text()


@pytest.mark.parametrize(("folder", "field"), OPTIONS)
def test_every_option_is_read_by_its_backend(folder: Path, field: str) -> None:
    """By its own name; or with all others, in a loop that does not list it as left out."""
    paths = [path for path in folder.glob("*.py") if path.name != "options.py"]
    found = {read for path in paths for read in _reads(path.read_text())}
    listed = {name for path in paths for name in _listed(path.read_text())}
    assert ("options", field) in found or (("options", "*") in found and field not in listed)


@pytest.mark.parametrize("field", [field.name for field in fields(BackendOptions)])
def test_what_every_backend_has_is_read_where_hosts_are_planned(field: str) -> None:
    """It is about the process around a backend, which is started before there is one."""
    planning = (PACKAGE / "plugin" / "planning.py").read_text()
    assert ("options", field) in _reads(planning)


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


def test_options_that_are_handed_on_in_a_loop_are_read() -> None:
    """Unless the loop leaves them out by their name, and nothing else takes them up."""
    source = "APART = {'b'}\nfor f in fields(options):\n    use(getattr(options, f.name))\n"

    assert ("options", "*") in _reads(source)
    assert set(_listed(source)) == {"b"}
    assert list(_listed("found = {'c': 1}\nfound['d']")) == []
