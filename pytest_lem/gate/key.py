"""The key of a history: what two measurements must have in common to be compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from pytest_lem.case import digest
from pytest_lem.errors import config_error, did_you_mean
from pytest_lem.results.comparability import FACTS

#: What defines a case, beside the facts.
_SETTINGS = (
    "backend",
    "batch_size",
    "model",
    "name",
    "options",
    "precision",
    "slo",
    "traffic",
    "unit",
    "workload",
)
#: Those that have further names below them.
_DEEP = frozenset({"options", "slo", "traffic", "workload", "meter"})
#: What must be known, by the kind of case: nobody can say whether the unknown agrees.
_KNOWN = {"infer": ("backend.version",), "serve": ("backend.version",)}
_MODEL = ("model.sha256", "model.revision")


class Difference(NamedTuple):
    """A fact that differs."""

    name: str
    before: Any
    now: Any

    def __str__(self) -> str:
        return f"{self.name}: {_shown(self.before)} -> {_shown(self.now)}"


class UnderTest:
    """The fields that are meant to differ. A name covers all that stand below it."""

    def __init__(self, names: Sequence[str], origin: str = "--lem-under-test") -> None:
        self.names = tuple(names)
        for name in self.names:
            _check(name, origin)

    def covers(self, field: str) -> bool:
        """Tell whether a field is under test."""
        return any(field == name or field.startswith(f"{name}.") for name in self.names)

    def rest(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields that must agree."""
        if not self.names:
            return dict(fields)
        return {name: value for name, value in fields.items() if not self.covers(name)}

    def chosen(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the fields under test."""
        if not self.names:
            return {}
        return {name: value for name, value in fields.items() if self.covers(name)}


def identity(kind: str, settings: Mapping[str, Any], under_test: UnderTest) -> str:
    """Return what tells cases apart, less what is under test."""
    return digest({"kind": kind, "settings": under_test.rest(settings)})


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Return the fields that differ, by name."""
    names = sorted(before.keys() | now.keys())
    pairs = ((name, before.get(name), now.get(name)) for name in names)
    return [Difference(*pair) for pair in pairs if pair[1] != pair[2]]


def comparable(value: Any) -> Any:
    """Return plain data in which equal numbers look the same: 300 and 300.0 are one limit."""
    if isinstance(value, Mapping):
        return {name: comparable(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [comparable(inner) for inner in value]
    is_whole = isinstance(value, float) and value.is_integer()
    return int(value) if is_whole else value


def unknown_facts(kind: str, facts: Mapping[str, Any]) -> list[str]:
    """Return the facts that have to be known and are not."""
    unknown = [name for name in _KNOWN.get(kind, ()) if facts.get(name) is None]
    if kind in _KNOWN and all(facts.get(name) is None for name in _MODEL):
        unknown.append(_MODEL[0])
    if facts.get("gpu.count") and None in facts.get("gpu.name", [None]):
        unknown.append("gpu.name")
    return unknown


def _check(name: str, origin: str) -> None:
    known = {*FACTS, *_SETTINGS, *(fact.partition(".")[0] for fact in FACTS)}
    if name not in known and name.partition(".")[0] not in _DEEP:
        raise config_error(f"{origin}: no field {name!r}; {did_you_mean(name, sorted(known))}")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    return "unknown" if value is None else str(value)
