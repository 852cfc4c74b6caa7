"""What every report has to keep, ours and strangers'.

The suite runs over all reports registered under the entry point `pytest_lem.reports`. To check
your own: install your package beside pytest-lem and run

    pytest tests/contract/test_reports.py -k your_report

Each is given runs with nothing in them, with every kind of case, with nothing known, and with names
that mean something in some format.
"""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet as pq

from pytest_lem.case import Case, call_case, infer_case, serve_case
from pytest_lem.energy.reading import Domain, Energy, Tier
from pytest_lem.energy.sampling.archive import write_series
from pytest_lem.energy.sampling.series import Series
from pytest_lem.energy.sampling.track import Track
from pytest_lem.errors import FailureKind
from pytest_lem.measure.round import Measurement, Round, Work
from pytest_lem.registry import REPORTS, entries
from pytest_lem.reports.faces import rendered, report_named
from pytest_lem.reports.material import Material, StoredRun, material_of
from pytest_lem.reports.protocol import Report
from pytest_lem.reports.summary import Gate, summary_of
from pytest_lem.results.build import Context, build_record
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.record import Record, SeriesRecord
from pytest_lem.results.run import Run
from pytest_lem.results.runfile import RunFile, read_run, write_run
from pytest_lem.results.session import session_of
from pytest_lem.workloads.workload import Workload

#: What ends an element, a cell, a line or a label somewhere, or turns the direction of a text.
HOSTILE = (
    "t::test[</script><script>alert(1)</script>\"'&]",
    "=1+1|cmd",
    "a,b;c\td",
    "two\nlines\r\n# of `it`",
    "[bold]*_|_*[/bold] :smile: {curly} $HOME \\",
    "\u202etxt.exe \x1b[31m\x00",
    "half of a pair \udc80",
    "z" * 3000,
    "数据 ✓ café",
)
OPTIONS = {"group-by", "sort", "columns", "rows"}
#: A figure of energy that is nothing: `0 J`, `0.00 mJ`, never part of another number.
NO_JOULES = re.compile(r"(?<![\d.])0(?:\.0*)?\s?[munkµ]?J\b")


def run_id(number: int) -> str:
    """Return the name of a run."""
    return f"2026010{number}T030405-abcdef"


def record(case: Case, joules: float | None, **fields: Any) -> Record:
    """Return what was measured of a case in a window of 2 s."""
    energy = Energy(
        domain=Domain.PACKAGE,
        device="package-0",
        tier=Tier.COUNTER,
        value_j=joules,
        u_random_j=joules and 0.1,
        u_systematic_j=joules and 0.0,
        reason=None if joules else "the sensor slept",
    )
    is_call = case.kind == "call"
    work = Work(calls=4) if is_call else Work(requests=2, input_tokens=6, output_tokens=8)
    rounds = [Round(seq=0, start_s=10.0, end_s=12.0, energies=[energy], work=work)]
    context = Context(nodeid=f"t.py::{case.key}"[:60], cycle=fields.pop("cycle", None))
    return build_record(case, Measurement(rounds=rounds), context, **fields)


def kinds() -> Iterator[Case]:
    """Yield a case of every kind that there is, or that a run file may have."""
    model = {"backend": "vllm", "model": "org/small", "precision": "float32", "options": {}}
    workload = Workload().canonical(1)
    yield call_case("t::sort")
    yield infer_case(**model, batch_size=2, workload=workload)
    yield infer_case(**model, batch_size=4, workload=workload)
    yield serve_case(**model, label="r2", workload=workload, traffic={"rate": 2.0}, slo={})


def every_kind(joules: float | None) -> list[Record]:
    """Return a case of every kind, one of them failed, and one of a kind that is yet to come."""
    found = [record(case, joules) for case in kinds()]
    failure = (FailureKind.OOM, "it does not fit; take a smaller batch")
    found.append(record(call_case("t::big"), None, failure=failure))
    later = record(infer_case(backend="x", model="m", precision="float32", batch_size=1,
                              workload=Workload().canonical(1), options={}), joules)  # fmt: skip
    later.case.kind = "train"
    return [*found, later]


def stored(
    folder: Path, records: Sequence[Record], *, number: int = 1, is_gated: bool = False
) -> StoredRun:
    """Return a run as the store has it: its file is written, and read when it is asked for."""
    run = Run(
        id=run_id(number),
        started=f"2026-01-0{number}T03:04:05+00:00",
        started_monotonic=0.0,
        exit_status=0,
    )
    home = folder / run.id
    write_run(RunFile(run=run, records=list(records)), home / "run.json")
    summary = summary_of(session_of(run, records, {}), (), "")
    if is_gated:
        summary.compare(gate(records[0]))
    return StoredRun(summary=summary, load=lambda: (home, read_run(home / "run.json")))


def gate(judged: Record) -> Gate:
    """Return what was said of a record, and of one that is missing."""
    common = {"metric": "energy_per_call_j", "baseline": "main", "candidate": "x"}
    comparisons = [
        Comparison(case=judged.case.key, digest=judged.case.digest, verdict="regressed",
                   ratio=1.25, interval=[1.125, 1.375], mde=0.0625, sessions=3, **common),
        Comparison(case="gone", verdict="missing", reasons=["not_measured"], **common),
    ]  # fmt: skip
    return Gate(baseline="main", sessions=3, rules=["defaults"], comparisons=comparisons,
                unmeasured=["elsewhere"], has_failed=True)  # fmt: skip


def empty(folder: Path) -> Material:
    """Return a session in which nothing was measured."""
    return material_of([stored(folder, [])])


def whole(folder: Path) -> Material:
    """Return every kind of case, compared with a baseline, one of them with samples."""
    records = every_kind(8.0)
    track = Track(("power_w",))
    track.add(10.0, [100.0])
    track.add(11.0, [None])
    path = folder / run_id(1) / "a.npz"
    path.parent.mkdir(parents=True)
    write_series(Series({"package-0": track}, interval_s=1.0), path)
    records[0].series = SeriesRecord(
        path="a.npz", interval_s=1.0, achieved_interval_s=1.0, samples=2
    )
    return material_of([stored(folder, records, is_gated=True)])


def unknown(folder: Path) -> Material:
    """Return every kind of case, of none of which the energy is known."""
    return material_of([stored(folder, every_kind(None))])


def hostile(folder: Path) -> Material:
    """Return cases whose names mean something in one format or another."""
    return material_of([stored(folder, [record(call_case(name), 8.0) for name in HOSTILE])])


def cycles(folder: Path) -> Material:
    """Return a case that was measured in three cycles."""
    records = [record(call_case("t::sort"), 8.0 + n, cycle=n) for n in (1, 2, 3)]
    return material_of([stored(folder, records)])


def several(folder: Path) -> Material:
    """Return three runs: of one case they share all, of another one run knows nothing."""
    first = [record(call_case("t::sort"), 8.0), record(call_case("t::find"), None)]
    second = [record(call_case("t::sort"), 6.0), record(call_case("t::find"), 4.0)]
    runs = [first, second, [record(call_case("t::new"), 2.0)]]
    return material_of([stored(folder, found, number=n) for n, found in enumerate(runs, 1)])


MATERIALS: dict[str, Callable[[Path], Material]] = {
    made.__name__: made for made in (empty, whole, unknown, hostile, cycles, several)
}


@pytest.fixture(params=list(MATERIALS))
def material(request: pytest.FixtureRequest, tmp_path: Path) -> Material:
    """Return what a report is given."""
    return MATERIALS[request.param](tmp_path)


@pytest.fixture(params=sorted(entries(REPORTS)))
def name(request: pytest.FixtureRequest) -> str:
    """Return the name of a report."""
    return str(request.param)


@pytest.fixture
def report(name: str) -> Report:
    """Return a report as a command makes it."""
    return report_named(name)


def test_a_report_is_called_what_it_is_registered_as(name: str, report: Report) -> None:
    """The name in messages is the name that people type, and it can stand before a colon."""
    assert report.name == name
    assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name)


def test_a_report_says_what_it_needs_and_follows(report: Report) -> None:
    """In words that a command can check before anything is measured."""
    assert all(isinstance(module, str) for module in report.requires)
    assert isinstance(report.install, str)
    assert not report.requires or report.install.strip()
    assert set(report.follows) <= OPTIONS
    assert report.is_printable in {True, False}


def test_looking_at_a_report_imports_none_of_what_it_needs(name: str, report: Report) -> None:
    """A session that will write it at its end has not loaded a library before it measures."""
    code = f"import sys; from pytest_lem.registry import *; load(REPORTS, {name!r}); print(*[m for "
    code += f"m in {list(report.requires)!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_there_is_content_whatever_was_measured(
    name: str, report: Report, material: Material
) -> None:
    """Also of nothing, and also of names that no encoding has."""
    content = rendered(name, report, material)
    assert content
    if report.is_printable:
        content.decode()


def test_the_same_run_gives_the_same_report(name: str, report: Report, material: Material) -> None:
    """To the byte, so that reports can be compared."""
    assert rendered(name, report, material) == rendered(name, report, material)


def test_a_report_changes_nothing(
    name: str, report: Report, material: Material, tmp_path: Path
) -> None:
    """Neither what it was given nor what is stored: others are made of the same."""

    def state() -> list[Any]:
        files = {path: path.read_bytes() for path in sorted(tmp_path.rglob("*")) if path.is_file()}
        dumps = [run.run_file.model_dump(mode="python") for run in material.runs]
        entries_ = [repr(part.session.entries) for part in material.summary.parts]
        rows = [repr(row) for row in material.summary.rows]
        return [files, dumps, entries_, rows, repr(material.summary.gate), material.summary.chosen]

    before = state()
    rendered(name, report, material)
    assert state() == before


def test_what_is_unknown_is_never_nothing(name: str, report: Report, tmp_path: Path) -> None:
    """A sensor that slept does not make work free of charge."""
    content = rendered(name, report, unknown(tmp_path))
    if report.is_printable or content.startswith(b"<!"):
        text = re.sub(r"<script.*?</script>", "", content.decode(), flags=re.DOTALL)
        assert NO_JOULES.findall(text) == []
    if read := READERS.get(name):
        cells = [value for row in read(content) for value in joules(row)]
        assert set(cells) == {None}
        assert len(cells) >= len(every_kind(None))


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_a_program_reads_the_names_back(kind: str, tmp_path: Path) -> None:
    """Each case is one row, whatever its name does elsewhere; half a pair alone is replaced."""
    content = rendered(kind, report_named(kind), hostile(tmp_path))
    found = [row["key"] for row in READERS[kind](content)]
    assert len(found) == len(HOSTILE)
    readable = [key for key in HOSTILE if key.isprintable() and not key.startswith("=")]
    assert set(readable) <= set(found)


@pytest.mark.parametrize("kind", ["csv", "parquet", "json"])
def test_rows_of_several_runs_name_their_run(kind: str, tmp_path: Path) -> None:
    """The same case of two runs stays two rows."""
    rows = READERS[kind](rendered(kind, report_named(kind), several(tmp_path)))
    found = {(row["run"], row["key"]) for row in rows}
    first, second, third = map(run_id, (1, 2, 3))
    assert len(rows) == len(found)
    assert found == {
        (first, "t::sort"), (first, "t::find"), (second, "t::sort"), (second, "t::find"),
        (third, "t::new"),
    }  # fmt: skip


def joules(row: dict[str, Any]) -> list[Any]:
    """Return the energies of a row, None where unknown."""
    found = [v for n, v in row.items() if n.startswith("energy_per") and n.endswith("_j")]
    return [None if value in {None, ""} else value for value in found]


def _of_csv(content: bytes) -> list[dict[str, Any]]:
    return list(csv.DictReader(io.StringIO(content.decode(), newline="")))


def _of_parquet(content: bytes) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = pq.read_table(io.BytesIO(content)).to_pylist()
    return rows


def _of_json(content: bytes) -> list[dict[str, Any]]:
    def refuse(word: str) -> None:
        raise AssertionError(word)

    document = json.loads(content, parse_constant=refuse)
    return [
        {**row, **{name: figure["value"] for name, figure in row["figures"].items()}}
        for part in document.get("runs", [document])
        for row in part["rows"]
    ]


#: How programs read what is made for them.
READERS: dict[str, Callable[[bytes], list[dict[str, Any]]]] = {
    "csv": _of_csv,
    "parquet": _of_parquet,
    "json": _of_json,
}
