"""The terminal table."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rich.console import RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from pytest_lem.energy.reading import Tier
from pytest_lem.flags import Flag, explained
from pytest_lem.reports.console import text_from
from pytest_lem.reports.derived import derived_lines
from pytest_lem.reports.figures import (
    ESTIMATE_MARK,
    UNKNOWN,
    energy,
    is_prefill,
    per_token,
    plain,
    rate,
)
from pytest_lem.results.record import (
    EnergyRecord,
    Metric,
    PhaseRecord,
    Record,
    RoundRecord,
    WorkRecord,
)
from pytest_lem.results.statistics import expanded

Column = tuple[str, Callable[[Record], str]]


def _options(record: Record) -> str:
    options = (record.case.settings.model_extra or {}).get("options") or {}
    return " ".join(f"{name}={value}" for name, value in options.items())


def _setting(name: str) -> Callable[[Record], str]:
    return lambda r: str(getattr(r.case.settings, name))


def _precision(record: Record) -> str:
    """Return the precision; where it was left to the model's file, what was found there."""
    asked = str(record.case.settings.precision)
    return str(record.applied.get("precision", asked)) if asked == "auto" else asked


def _failed(record: Record) -> str:
    """Return the share of failed requests, where there are any."""
    share = record.metrics["request_failure_rate"].value
    return f"{share:.1%}" if share else UNKNOWN


_CYCLE: Column = ("cycle", lambda r: str(r.cycle or ""))
_INFER_NAMES: tuple[Column, ...] = (
    ("backend", _setting("backend")),
    ("model", lambda r: str(r.case.settings.model).rstrip("/").rpartition("/")[2]),
    ("precision", _precision),
    ("batch", _setting("batch_size")),
    ("workload", lambda r: str((r.case.settings.model_extra or {})["workload"]["name"])),
    ("options", _options),
    _CYCLE,
)
_INFER_FIGURES: tuple[Column, ...] = (
    ("J/token", lambda r: energy(per_token(r), "J")),
    ("token/s", lambda r: rate(r.metrics["output_throughput_tok_s"])),
    ("TTFT", lambda r: plain(r.metrics["ttft_s"], "s")),
    ("TPOT", lambda r: plain(r.metrics["tpot_s"], "s")),
    ("E2E", lambda r: plain(r.metrics["e2e_latency_s"], "s")),
    ("power", lambda r: _power_mark(r) + plain(r.metrics["power_mean_w"], "W")),
    ("memory", lambda r: plain(_memory(r), "B")),
)
_SERVE_NAMES: tuple[Column, ...] = (
    *_INFER_NAMES[:3],
    ("traffic", lambda r: r.case.key.split("/")[4]),
    *_INFER_NAMES[4:],
)
_SERVE_FIGURES: tuple[Column, ...] = (
    ("J/token", lambda r: energy(per_token(r), "J")),
    ("J/good request", lambda r: energy(r.metrics["energy_per_good_request_j"], "J")),
    ("good/s", lambda r: rate(r.metrics["goodput_req_s"])),
    ("request/s", lambda r: rate(r.metrics["request_throughput_req_s"])),
    ("token/s", lambda r: rate(r.metrics["output_throughput_tok_s"])),
    ("TTFT", lambda r: plain(r.metrics["ttft_s"], "s")),
    ("TPOT", lambda r: plain(r.metrics["tpot_s"], "s")),
    ("E2E", lambda r: plain(r.metrics["e2e_latency_s"], "s")),
    ("failed", _failed),
    ("power", lambda r: _power_mark(r) + plain(r.metrics["power_mean_w"], "W")),
)
_CALL_NAMES: tuple[Column, ...] = (("case", lambda r: r.case.key), _CYCLE)
_CALL_FIGURES: tuple[Column, ...] = (
    ("J/call", lambda r: energy(r.metrics["energy_per_call_j"], "J")),
    ("J/unit", lambda r: energy(r.metrics["energy_per_unit_j"], "J")),
    ("unit", lambda r: str((r.case.settings.model_extra or {}).get("unit") or UNKNOWN)),
    ("s/call", lambda r: plain(r.metrics["call_duration_s"], "s")),
    ("power", lambda r: _power_mark(r) + plain(r.metrics["power_mean_w"], "W")),
)
#: What names a row where there is only one.
_ROW_NAMES = frozenset({"batch", "case", "traffic"})
#: Figures that a narrow terminal gives up, the first first.
_DISPENSABLE = ("memory", "power", "E2E", "unit", "TPOT", "s/call", "request/s", "TTFT")
#: Width that a name needs at most before it is folded.
_NAME_WIDTH = 40
#: Characters of a device that are shown: enough of a UUID to tell boards apart.
_DEVICE_WIDTH = 12


def render(records: Sequence[Record], *, width: int, is_colored: bool, verbosity: int) -> str:
    """Return the tables as text: one for models, one for callables, failures and notes below.

    Ids are shown to the letter, whatever markup they resemble. With verbosity 1 and more, the
    generated text, the rounds and their domains follow.
    """
    return text_from(_parts(records, width, verbosity), width=width, is_colored=is_colored)


def _parts(records: Sequence[Record], width: int, verbosity: int) -> list[RenderableType]:
    measured = [r for r in records if r.rounds]
    parts: list[RenderableType] = []
    for kind, names, figures in (
        ("infer", _INFER_NAMES, _INFER_FIGURES),
        ("serve", _SERVE_NAMES, _SERVE_FIGURES),
        ("call", _CALL_NAMES, _CALL_FIGURES),
    ):
        rows = [r for r in measured if r.case.kind == kind]
        if rows:
            parts += _table(rows, names, figures, width)
    if verbosity > 0:
        parts += [part for r in measured for part in _details(r)]
    return parts + _failures(records) + _notes(measured)


def _table(
    rows: Sequence[Record], names: Sequence[Column], figures: Sequence[Column], width: int
) -> list[RenderableType]:
    """Return a caption with what all rows share, and a table of what tells them apart."""
    common = [c for c in names if len({c[1](r) for r in rows}) == 1]
    if len(rows) == 1:  # then all is common, and one column has to name the row
        common = [c for c in common if c[0] not in _ROW_NAMES]
    varying = [c for c in names if c not in common and c[0] != "options"] or list(names[:1])
    varying += [c for c in names if c not in common and c[0] == "options" and any(map(c[1], rows))]
    shared = ", ".join(f"{name} {cell(rows[0])}" for name, cell in common if cell(rows[0]))
    known = [c for c in figures if any(_is_known(c[1](r)) for r in rows)]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, _ in varying:
        table.add_column(name, overflow="fold")
    shown = _fitting(rows, varying, known, width)
    for name, _ in shown:
        table.add_column(name, justify="right", no_wrap=True)
    for record in rows:
        cells = [Text(cell(record)) for _, cell in (*varying, *shown)]
        cells[0] = Text(_mark(record)) + cells[0]
        table.add_row(*cells, style=_style(record))
    return [Text(shared, style="bold"), table] if shared else [table]


def _fitting(
    rows: Sequence[Record], names: Sequence[Column], figures: Sequence[Column], width: int
) -> list[Column]:
    """Leave out dispensable figures until the rest fits beside the names."""
    left = list(figures)
    named = sum(min(_NAME_WIDTH, _width(c, rows)) for c in names)
    for name in _DISPENSABLE:
        if named + sum(_width(c, rows) for c in left) <= width:
            break
        left = [column for column in left if column[0] != name]
    return left


def _width(column: Column, rows: Sequence[Record]) -> int:
    gap = 2
    return max(len(column[0]), *(len(column[1](r)) for r in rows)) + gap


def _details(record: Record) -> list[RenderableType]:
    """Return the generated text of one case, and its ledger: phases, then rounds."""
    table = Table(box=None, pad_edge=False)
    for name in ("step", "time", "energy", "±", "of", "tokens"):
        table.add_column(name, justify="right", no_wrap=True)
    for phase in record.phases:
        _add_rows(table, phase.name, phase, phase.work)
    for r in record.rounds:
        _add_rows(table, f"round {r.seq}", r, r.work)
    parts: list[RenderableType] = [Text(record.case.key, style="bold")]
    if record.sample:
        parts.append(Padding(Text(f"{record.sample.prompt!r} -> {record.sample.text!r}"), (0, 2)))
    parts += [Padding(Text(line), (0, 2)) for line in derived_lines(record)]
    return [*parts, Padding(table, (0, 2))]


def _add_rows(
    table: Table, name: str, stretch: PhaseRecord | RoundRecord, work: WorkRecord | None
) -> None:
    """Add a row for each device that was read over a stretch of time."""
    tokens = work.output_tokens if work else None
    shown = UNKNOWN if tokens is None else str(tokens)
    length = f"{stretch.t1 - stretch.t0:.3f} s"
    if not stretch.energies:
        table.add_row(name, length, UNKNOWN, UNKNOWN, UNKNOWN, shown)
    for e in stretch.energies:
        value = UNKNOWN if e.value is None else f"{e.value:.3f} J"
        u_j = expanded(e.u_random, e.u_systematic)
        spread = UNKNOWN if u_j is None else f"{u_j:.2g} J"
        table.add_row(name, length, value, spread, Text(_device(e)), shown)


def _device(energy: EnergyRecord) -> str:
    """Return what tells devices apart, without the tail of a UUID."""
    return energy.device[:_DEVICE_WIDTH]


def _failures(records: Sequence[Record]) -> list[RenderableType]:
    return [
        Text(f"{r.case.key}: {r.failure_kind}: {r.message}", style="red")
        for r in records
        if r.status == "failed"
    ]


def _notes(records: Sequence[Record]) -> list[RenderableType]:
    """Explain every mark, flag and reason that occurs, once."""
    flags = sorted({flag for r in records for flag in r.flags})
    reasons = sorted({reason for r in records for reason in r.reasons})
    notes = [f"! {explained(reason)}" for reason in reasons]
    for flag in flags:
        sign = ESTIMATE_MARK if flag in {Flag.ESTIMATED, Flag.SIMULATED} else "*"
        notes.append(f"{sign} {explained(flag)}{_where(flag, records)}")
    if any(is_prefill(r) for r in records):
        notes.append("* J/token of a prefill-only workload is per prompt token")
    return [Text(note, style="dim") for note in notes]


def _where(flag: str, records: Sequence[Record]) -> str:
    """Say how many cases a flag concerns when it is not all of them."""
    count = sum(flag in r.flags for r in records)
    return "" if count == len(records) else f" ({count} of {len(records)} cases)"


def _memory(record: Record) -> Metric:
    device = record.metrics["peak_device_memory_bytes"]
    return device if device.value is not None else record.metrics["peak_host_memory_bytes"]


def _power_mark(record: Record) -> str:
    """Return the mark of an estimate where the energy of a record is one."""
    power = record.metrics["power_mean_w"]
    return ESTIMATE_MARK if power.tier == Tier.ESTIMATED and power.value is not None else ""


def _is_known(cell: str) -> bool:
    return cell != UNKNOWN


def _mark(record: Record) -> str:
    return "! " if record.validity == "invalid" else ""


def _style(record: Record) -> str:
    return "red" if record.status == "failed" or record.validity == "invalid" else ""
