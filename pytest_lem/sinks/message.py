"""What webhooks are told: facts of a run as plain JSON, and one sentence about them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_lem.results.comparison import Comparison
from pytest_lem.results.record import Record
from pytest_lem.results.run import Run

#: Of lists, so that a run in which everything fails is still a message.
_MOST = 50


@dataclass(slots=True, kw_only=True)
class News:
    """What happened. `records` and `comparisons` are those that it is about.

    Attributes:
        tests: how many tests ask for energy; None where that is not known.

    """

    event: str
    project: str
    run: Run
    tests: int | None = None
    records: Sequence[Record] = field(default=())
    comparisons: Sequence[Comparison] = field(default=())

    @property
    def failed(self) -> list[Record]:
        """Return the records of cases that failed."""
        return [record for record in self.records if record.status == "failed"]

    @property
    def verdicts(self) -> dict[str, int]:
        """Return how often each verdict was given."""
        return dict(Counter(c.verdict for c in self.comparisons))


def message_of(news: News, parts: Collection[str]) -> dict[str, Any]:
    """Return the message with the parts that were asked for; what is not known yet is null."""
    return {"event": news.event, **{name: _PARTS[name](news) for name in _PARTS if name in parts}}


def _text(news: News) -> str:
    run = f"{news.project}: run {news.run.id}"
    if news.event == "start":
        tests = "" if news.tests is None else f" with {news.tests} tests"
        return f"{run} has started{tests}"
    if news.event == "failure":
        return f"{run}: " + _listed([f"{r.case.key} failed: {r.message}" for r in news.failed])
    if news.event == "gate":
        sentences = [f"{c.case}: {c.message or c.verdict}" for c in news.comparisons]
        return f"{run}: " + _listed(sentences)
    text = f"{run} has ended: {len(news.records)} measured, {len(news.failed)} failed"
    verdicts = ", ".join(f"{count} {verdict}" for verdict, count in news.verdicts.items())
    return f"{text}; {verdicts}" if verdicts else text


def _listed(sentences: Sequence[str]) -> str:
    more = f" (and {len(sentences) - 1} more)" if sentences[1:] else ""
    return (sentences[0] if sentences else "nothing") + more


def _failures(news: News) -> list[dict[str, Any]]:
    return [
        {
            "case": record.case.key,
            "nodeid": record.nodeid,
            "kind": record.failure_kind,
            "message": record.message,
        }
        for record in news.failed[:_MOST]
    ]


def _comparisons(news: News) -> list[dict[str, Any]]:
    return [
        {
            "case": c.case,
            "metric": c.metric,
            "verdict": c.verdict,
            "reasons": list(c.reasons),
            "ratio": c.ratio,
            "interval": c.interval,
            "message": c.message,
        }
        for c in news.comparisons[:_MOST]
    ]


_PARTS: dict[str, Callable[[News], Any]] = {
    "text": _text,
    "project": lambda news: news.project,
    "run": lambda news: news.run.id,
    "preset": lambda news: news.run.preset,
    "started": lambda news: news.run.started,
    "finished": lambda news: news.run.finished,
    "exit_status": lambda news: news.run.exit_status,
    "tests": lambda news: news.tests,
    "measured": lambda news: len(news.records),
    "failed": lambda news: len(news.failed),
    "verdicts": lambda news: news.verdicts,
    "failures": _failures,
    "comparisons": _comparisons,
}
