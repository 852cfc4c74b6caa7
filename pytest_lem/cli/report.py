"""`lem report`: the figures of a run, and what they are against a baseline."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_lem.cli.cost import cost_of
from pytest_lem.cli.export import export, export_windows, put
from pytest_lem.cli.printing import complain, draw, drawn, say
from pytest_lem.cli.reference import find_session
from pytest_lem.cli.shape import CASES, SHEETS, Shape
from pytest_lem.gate.afterwards import history_for, judge_session, unmeasured
from pytest_lem.gate.baseline import Baseline
from pytest_lem.gate.judge import Judge, Terms
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.promise import promise_of
from pytest_lem.gate.rule import DEFAULTS, rules_of
from pytest_lem.gate.verdict import FAILING
from pytest_lem.reports.cases import case_sheet
from pytest_lem.reports.choice import choose_columns, sort_rows
from pytest_lem.reports.document import document
from pytest_lem.reports.markdown import markdown
from pytest_lem.reports.overview import overview
from pytest_lem.reports.summary import Gate, Summary, summary_of
from pytest_lem.results.session import Session
from pytest_lem.results.store import Store

_FORMATS: dict[str, Callable[[Summary], str]] = {
    "json": document,
    "md": markdown,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What a run is compared with, as it was typed."""

    baseline: str
    fail_on: Sequence[str]
    under_test: Sequence[str]
    promise_percent: float | None


def run(
    reference: str,
    *,
    store: Path,
    against: Against | None,
    cost: tuple[Path | None, Sequence[str]],
    fields: Sequence[str],
    shape: Shape,
    html: Path | None = None,
) -> int:
    """Print or write the report of a run; return 1 when a verdict fails, else 0.

    `cost` are a file and assignments of settings from which figures are derived; `html` is the file
    that becomes a page instead.
    Raises LemError for whatever is not there, cannot be read or makes no sense.
    """
    gc.disable()  # a hundred thousand entries stay until the end; to look for garbage costs as much
    home = Store(store)
    if shape.rows != CASES:
        export_windows(home, reference, shape)
        return 0
    session = find_session(home, reference)
    session.cost = cost_of(session, *cost).model_dump(mode="json")
    summary = summary_of(session, fields, "--group-by")
    baseline = None
    if against:
        gate, baseline = _judged(home, session, against)
        summary.compare(gate)
    if shape.sort:
        sort_rows(summary, shape.sort, "--sort")
    if html is None:
        _show(summary, shape)
    else:
        from pytest_lem.cli.page import write_page

        say(write_page(home, reference, html, summary=summary, baseline=baseline))
    return 1 if summary.gate and summary.gate.has_failed else 0


def _judged(store: Store, session: Session, against: Against) -> tuple[Gate, Baseline]:
    """Compare a run with its baseline, as the plugin does while it measures."""
    rules = rules_of(against.fail_on, "--fail-on") if against.fail_on else DEFAULTS
    under_test = UnderTest(against.under_test, "--under-test")
    terms = Terms(promise=promise_of(against.promise_percent, rules, "--promise"))
    sessions = store.each(against.baseline, Path())
    baseline = history_for(session, against.baseline, sessions, under_test)
    comparisons = judge_session(Judge(baseline, terms, session.run), session, rules)
    gate = Gate(
        baseline=baseline.name,
        sessions=baseline.sessions,
        rules=list(map(str, rules)) if against.fail_on else ["defaults"],
        comparisons=comparisons,
        unmeasured=unmeasured(baseline, session),
        has_failed=any(c.verdict in FAILING for c in comparisons),
    )
    return gate, baseline


def _show(summary: Summary, shape: Shape) -> None:
    if shape.form in SHEETS:
        export(case_sheet(summary), shape)
        for note in summary.gaps():  # its lines have no room for sentences
            complain(note)
        return
    if shape.columns:
        choose_columns(summary, shape.columns, "--columns")
    if shape.form != "table":
        put(_FORMATS[shape.form](summary), shape.output)
    elif shape.output is None:
        draw(lambda **screen: overview(summary, **screen))
    else:
        put(drawn(lambda **screen: overview(summary, **screen)), shape.output)
