"""Pages made of a few records, and a parser that reads them back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import pytest

from pytest_lem.errors import FailureKind, LemError
from pytest_lem.reports.html import page as page_module
from pytest_lem.reports.html.page import html_page
from pytest_lem.reports.html.view import Material, View
from pytest_lem.results.record import Record
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile

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


@pytest.fixture
def make_page(monkeypatch) -> Callable[..., str]:
    """Return a function that makes the page of records, with a charting library of one line."""
    monkeypatch.setattr(page_module, "charting_script", lambda: "const Plotly = {};")

    def make(*records: Record, series=None, gate=None, past=None, exit_status=0, **facts) -> str:
        run = Run(
            id="20260102T030405-abcdef",
            started="2026-01-02T03:04:05+00:00",
            started_monotonic=0.0,
            exit_status=exit_status,
            preset="standard",
            meters={"rapl": "package-0"},
            versions={"pytest-lem": "0.1.0"},
        )

        def samples(record):
            if series is None:
                raise LemError("the series is gone", kind=FailureKind.DATA)
            return series

        run_file = RunFile(run=run, records=list(records), **facts)
        return html_page(Material(run_file=run_file, read=samples, gate=gate, past=past or {}))

    return make


@pytest.fixture
def page(make_page, read) -> Callable[..., Node]:
    """Return a function that makes a page of records and reads it back."""
    return lambda *records, **fields: read(make_page(*records, **fields))


@pytest.fixture
def view() -> Callable[..., View]:
    """Return a function that makes the view of a record."""

    def make(record, **fields):
        return View(record=record, anchor="case-1", name=record.case.key, **fields)

    return make
