"""The settings in force, each with where it comes from, and what the engine says is in force."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_lem.reports.html.markup import Markup, element
from pytest_lem.reports.html.places import without_folders
from pytest_lem.reports.html.view import View
from pytest_lem.results.record import Record

_SEVERAL = 2
#: A setting with its value and its origin, all as text.
Line = tuple[str, str, str]


def shared_configuration(views: Sequence[View]) -> Markup | None:
    """Return the settings that all cases have in common; None with fewer than two cases."""
    if len(views) < _SEVERAL:
        return None
    return element(
        "section",
        element("h2", "Configuration", id="configuration-title"),
        element("p", "Settings in force for every case; what differs stands with each case."),
        element(
            "details",
            element("summary", "Settings and their origins"),
            _table(sorted(_common(views))),
        ),
        aria_labelledby="configuration-title",
    )


def own_configuration(views: Sequence[View]) -> dict[str, Markup]:
    """Return by anchor what is in force for a case, without what it shares with all others."""
    common = _common(views) if len(views) >= _SEVERAL else frozenset()
    return {view.anchor: _own(view.record, common) for view in views}


def _own(record: Record, common: frozenset[Line]) -> Markup:
    own = [line for line in _lines(record) if line not in common]
    applied = [(name, _shown(value)) for name, value in _flat(record.applied)]
    note = "Its settings are those that all cases share." if common and not own else None
    return element(
        "div",
        _table(own) if own else element("p", note or "No settings are stored."),
        element("h4", "What the engine says is in force") if applied else None,
        _pairs(applied) if applied else None,
    )


def _common(views: Sequence[View]) -> frozenset[Line]:
    return frozenset.intersection(*(frozenset(_lines(view.record)) for view in views))


def _lines(record: Record) -> list[Line]:
    """Return a line for each setting, with the origin of it or of what it stands below."""
    origins = record.settings_origin
    return [(n, _shown(v), _origin(n, origins)) for n, v in sorted(_flat(record.requested))]


def _origin(name: str, origins: Mapping[str, str]) -> str:
    while name not in origins and "." in name:
        name = name.rpartition(".")[0]
    return without_folders(origins.get(name, ""))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _shown(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return ", ".join(map(_shown, value)) or "none"
    words = {None: "not set", True: "yes", False: "no"}
    is_word = value is None or isinstance(value, bool)
    return words[value] if is_word else str(value)


def _table(lines: Sequence[Line]) -> Markup:
    rows = [
        element("tr", element("th", name, scope="row"), element("td", value), element("td", origin))
        for name, value, origin in lines
    ]
    heads = [element("th", head, scope="col") for head in ("setting", "value", "from")]
    table = element(
        "table", element("thead", element("tr", *heads)), element("tbody", *rows), class_="plain"
    )
    return element("div", table, class_="scroll")


def _pairs(pairs: Sequence[tuple[str, str]]) -> Markup:
    rows = [
        element("tr", element("th", name, scope="row"), element("td", value))
        for name, value in pairs
    ]
    return element(
        "div", element("table", element("tbody", *rows), class_="plain"), class_="scroll"
    )
