"""`lem report`: the figures of runs, and what one of them is against a baseline."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from pytest_lem.cli.cost import cost_of
from pytest_lem.cli.export import put
from pytest_lem.cli.printing import complain, draw, say
from pytest_lem.cli.reference import find_run, find_session, stream_run
from pytest_lem.cli.shape import CASES, TABLE, Shape
from pytest_lem.config.cost import CostSettings
from pytest_lem.errors import LemError, config_error
from pytest_lem.gate.afterwards import history_for, judge_session, unmeasured
from pytest_lem.gate.baseline import Baseline
from pytest_lem.gate.judge import Judge, Terms
from pytest_lem.gate.key import UnderTest
from pytest_lem.gate.promise import promise_of
from pytest_lem.gate.rule import DEFAULTS, rules_of
from pytest_lem.gate.verdict import FAILING
from pytest_lem.reports.choice import choose_columns, sort_rows
from pytest_lem.reports.faces import rendered
from pytest_lem.reports.material import Material, StoredRun, material_of, past_of
from pytest_lem.reports.overview import overview
from pytest_lem.reports.summary import Gate, summary_of
from pytest_lem.results.derived import derive_again, derived_names
from pytest_lem.results.runfile import RunFile
from pytest_lem.results.session import Session
from pytest_lem.results.store import Store

#: Formats whose lines have no room for sentences.
_BARE = ("csv", "parquet")
_MB = 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """What a run is compared with, as it was typed."""

    baseline: str
    fail_on: Sequence[str]
    under_test: Sequence[str]
    promise_percent: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What is to be known of each run, as it was typed. `cost` are a file and assignments."""

    against: Against | None
    cost: tuple[Path | None, Sequence[str]]
    fields: Sequence[str]
    rows: str


def run(
    references: Sequence[str],
    *,
    store: Path,
    against: Against | None,
    cost: tuple[Path | None, Sequence[str]],
    fields: Sequence[str],
    shape: Shape,
) -> int:
    """Print or write the report of runs; return 1 when a verdict fails, else 0.

    `cost` are a file and assignments of settings from which figures are derived.
    Raises LemError for whatever is not there, cannot be read or makes no sense.
    """
    gc.disable()  # a hundred thousand entries stay until the end; to look for garbage costs as much
    wanted = Wanted(against=against, cost=cost, fields=fields, rows=shape.rows)
    runs = _stored_runs(Store(store), references, wanted)
    material = material_of(runs, rows=shape.rows, columns=shape.columns)
    if shape.sort:
        sort_rows(material.summary, shape.sort, "--sort")
    _show(material, shape)
    gate = material.summary.gate
    return 1 if gate and gate.has_failed else 0


def _stored_runs(store: Store, references: Sequence[str], wanted: Wanted) -> list[StoredRun]:
    """Find the runs; of several, what is wrong with one names it."""
    if len(references) == 1:
        return [_stored_run(store, references[0], wanted)]
    runs: dict[str, StoredRun] = {}
    for reference in references:
        try:
            run = _stored_run(store, reference, wanted)
        except LemError as error:
            raise LemError(f"{reference}: {error}", kind=error.kind) from None
        if run.id in runs:
            raise config_error(f"{reference}: the run {run.id} is named twice; name each run once")
        runs[run.id] = run
    return list(runs.values())


def _stored_run(store: Store, reference: str, wanted: Wanted) -> StoredRun:
    """Find a run, with what is asked of it."""
    if wanted.rows != CASES:
        return _windows(store, reference)
    session = find_session(store, reference)
    settings = cost_of(session, *wanted.cost)
    session.cost = settings.model_dump(mode="json")
    summary = summary_of(session, wanted.fields, "--group-by")
    baseline = None
    if wanted.against:
        gate, baseline = _judged(store, session, wanted.against)
        summary.compare(gate)
    return StoredRun(
        summary=summary,
        load=partial(_load, store, reference, settings),
        load_past=partial(past_of, session, baseline, store),
    )


def _windows(store: Store, reference: str) -> StoredRun:
    """Return a run of which only the windows are shown: its file has them, and its session not."""
    folder, stream = stream_run(store, reference)
    session = Session(run=stream.run.id, started=stream.run.started)
    return StoredRun(
        summary=summary_of(session, (), ""),
        load=partial(find_run, store, reference),
        stream=lambda: (folder, stream),
    )


def _load(store: Store, reference: str, cost: CostSettings) -> tuple[Path, RunFile]:
    """Read a run file, with the figures that these settings derive."""
    folder, run_file = find_run(store, reference)
    if derived_names(cost):
        for record in run_file.records:
            derive_again(record, cost)
    return folder, run_file


def _judged(store: Store, session: Session, against: Against) -> tuple[Gate, Baseline]:
    """Compare a run with its baseline, as the plugin does while it measures."""
    rules = rules_of(against.fail_on, "--fail-on") if against.fail_on else DEFAULTS
    under_test = UnderTest(against.under_test, "--under-test")
    terms = Terms(promise=promise_of(against.promise_percent, rules, "--promise"))
    sessions = store.each(against.baseline, Path(), is_lazy=True)
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


def _show(material: Material, shape: Shape) -> None:
    if shape.form == TABLE and shape.output is None:
        summary = choose_columns(material.summary, shape.columns, "--columns")
        draw(lambda **screen: overview(summary, **screen))
        return
    content = rendered(shape.form, shape.report, material)
    put(content, shape.output, shape.flag)
    if shape.form == "html":
        records = sum(len(run.run_file.records) for run in material.runs)
        say(f"{shape.output}: {records} records, {len(content) / _MB:.1f} MB")
    elif shape.form in _BARE and shape.rows == CASES:
        for note in material.summary.gaps():
            complain(note)
