"""Pages made of a few records, and a parser that reads them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.reports.html import page as page_module
from pytest_lem.reports.html.page import html_page
from pytest_lem.reports.html.view import View
from pytest_lem.reports.material import History, StoredRun, material_of
from pytest_lem.reports.summary import summary_of
from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile
from pytest_lem.results.session import session_of

_VOID = {"meta", "link", "input", "wbr"}


@dataclass
class Node:
    """An element of a page."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list[Any] = field(default_factory=list)

    @property
    def text(self) -> str:
        """Return the text in it, without that of scripts."""
        return "".join(
            c if isinstance(c, str) else c.text
            for c in self.children
            if isinstance(c, str) or c.tag not in {"script", "style"}
        )

    @property
    def raw(self) -> str:
        """Return its own text, also that of a script."""
        return "".join(c for c in self.children if isinstance(c, str))

    def every(self, tag: str, **attributes: str) -> list[Node]:
        """Return all elements of that name below it, with these attributes."""
        wanted = {name.rstrip("_").replace("_", "-"): v for name, v in attributes.items()}
        return [
            node
            for node in self._below()
            if node.tag == tag and wanted.items() <= node.attributes.items()
        ]

    def one(self, tag: str, **attributes: str) -> Node:
        """Return the only such element."""
        (found,) = self.every(tag, **attributes)
        return found

    def _below(self) -> Iterator[Node]:
        for child in self.children:
            if isinstance(child, Node):
                yield child
                yield from child._below()


class _Reader(HTMLParser):
    """Builds the tree, and refuses elements that do not nest."""

    def __init__(self) -> None:
        super().__init__()
        self.root = Node("root")
        self._open = [self.root]

    def handle_starttag(self, tag, attrs):
        node = Node(tag, dict(attrs))
        self._open[-1].children.append(node)
        if tag not in _VOID:
            self._open.append(node)

    def handle_endtag(self, tag):
        assert self._open.pop().tag == tag

    def handle_data(self, data):
        self._open[-1].children.append(data)

    def finish(self):
        self.close()
        assert self._open == [self.root]
        return self.root


@pytest.fixture
def read() -> Callable[[str], Node]:
    """Return a function that parses HTML strictly."""

    def parse(text):
        reader = _Reader()
        reader.feed(text)
        return reader.finish()

    return parse


class Sampled(StoredRun):
    """A run whose samples are given, or gone."""

    def series(self, record):
        """Return the samples of any record."""
        if self.__dict__.get("given") is None:
            raise LemError("the series is gone", kind=FailureKind.DATA)
        return self.__dict__["given"]


@pytest.fixture
def stored_run() -> Callable[..., StoredRun]:
    """Return a function that makes a run of records, as a report gets it."""

    def make(*records: Record, number=1, series=None, gate=None, past=None, exit_status=0, **facts):
        run = Run(
            id=f"2026010{number + 1}T030405-abcdef",
            started=f"2026-01-0{number + 1}T03:04:05+00:00",
            started_monotonic=0.0,
            exit_status=exit_status,
            preset="standard",
            arguments=facts.pop("arguments", []),
            meters={"rapl": "package-0"},
            versions={"pytest-lem": "0.1.0"},
        )
        run_file = RunFile(run=run, records=list(records), **facts)
        summary = summary_of(session_of(run, records, {}), (), "")
        if gate:
            summary.compare(gate)
        found = Sampled(
            summary=summary, load=lambda: (Path(), run_file), load_past=lambda: past or History()
        )
        found.__dict__["given"] = series
        return found

    return make


@pytest.fixture
def make_page(monkeypatch, stored_run) -> Callable[..., str]:
    """Return a function that makes the page of records, with a charting library of one line."""
    monkeypatch.setattr(page_module, "charting_script", lambda: "const Plotly = {};")
    return lambda *records, **fields: html_page(material_of([stored_run(*records, **fields)]))


@pytest.fixture
def several(monkeypatch, stored_run, read) -> Callable[..., Node]:
    """Return a function that makes the page of runs, each a list of records, and reads it back."""
    monkeypatch.setattr(page_module, "charting_script", lambda: "const Plotly = {};")

    def make(*runs: list[Record]) -> Node:
        found = [stored_run(*records, number=n) for n, records in enumerate(runs, 1)]
        return read(html_page(material_of(found)))

    return make


@pytest.fixture
def page(make_page, read) -> Callable[..., Node]:
    """Return a function that makes a page of records and reads it back."""
    return lambda *records, **fields: read(make_page(*records, **fields))


@pytest.fixture
def view(stored_run) -> Callable[..., View]:
    """Return a function that makes the view of a record."""

    def make(record, *, past=None, **fields):
        run = stored_run(record, past=past)
        return View(record=record, anchor="case-1", name=record.case.key, run=run, **fields)

    return make
