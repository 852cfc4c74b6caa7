"""The terminal table."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pytest_lem.energy.reading import Tier
from pytest_lem.measure.flags import Flag, Reason
from pytest_lem.reports.figures import ESTIMATE_MARK, UNKNOWN, energy, plain, rate
from pytest_lem.results.record import Record

Column = tuple[str, Callable[[Record], str]]

_INFER_COLUMNS: tuple[Column, ...] = (
    ("J/token", lambda r: energy(_first_of(r), "J")),
    ("token/s", lambda r: rate(r.metrics["output_throughput_tok_s"])),
    ("TTFT", lambda r: plain(r.metrics["ttft_s"], "s")),
    ("TPOT", lambda r: plain(r.metrics["tpot_s"], "s")),
    ("E2E", lambda r: plain(r.metrics["e2e_latency_s"], "s")),
    ("power", lambda r: energy_mark(r) + plain(r.metrics["power_mean_w"], "W")),
    ("memory", lambda r: plain(_memory(r), "B")),
)
_CALL_COLUMNS: tuple[Column, ...] = (
    ("J/call", lambda r: energy(r.metrics["energy_per_call_j"], "J")),
    ("J/unit", lambda r: energy(r.metrics["energy_per_unit_j"], "J")),
    ("unit", lambda r: str((r.case.settings.model_extra or {}).get("unit") or UNKNOWN)),
    ("s/call", lambda r: plain(r.metrics["call_duration_s"], "s")),
    ("power", lambda r: energy_mark(r) + plain(r.metrics["power_mean_w"], "W")),
)
#: Columns that a narrow terminal gives up, the first first.
_DISPENSABLE = ("memory", "power", "E2E", "unit", "TPOT", "s/call", "TTFT")
_ROUND_COLUMNS = ("round", "window", "energy", "domain", "tokens")


def render(records: Sequence[Record], *, width: int, is_colored: bool, verbosity: int) -> str:
    """Return the tables as text: one for models, one for callables, failures and notes below.

    Every id is escaped. With verbosity 1 and more, the rounds and their domains follow.
    """
    buffer = io.StringIO()
    console = Console(
        file=buffer,
        width=width,
        force_terminal=is_colored,
        color_system="standard" if is_colored else None,
        highlight=False,
        legacy_windows=False,
    )
    ok = [r for r in records if r.rounds]
    for kind, columns in (("infer", _INFER_COLUMNS), ("call", _CALL_COLUMNS)):
        rows = [r for r in ok if r.case.kind == kind]
        if rows:
            console.print(_table(rows, _fitting(rows, columns, width)))
    if verbosity > 0:
        for record in ok:
            console.print(_rounds(record))
    for line in (*_failures(records), *_notes(ok)):
        console.print(line)
    return buffer.getvalue()


def energy_mark(record: Record) -> str:
    """Return the mark of an estimate where the energy of a record is one."""
    power = record.metrics["power_mean_w"]
    return ESTIMATE_MARK if power.tier == Tier.ESTIMATED and power.value is not None else ""


def _first_of(record: Record):  # type: ignore[no-untyped-def]  # noqa: ANN202
    """Return the energy per output token or, for a prefill, per prompt token."""
    prefill = record.metrics["energy_per_input_token_j"]
    return prefill if prefill.value is not None else record.metrics["energy_per_output_token_j"]


def _memory(record: Record):  # type: ignore[no-untyped-def]  # noqa: ANN202
    device = record.metrics["peak_device_memory_bytes"]
    return device if device.value is not None else record.metrics["peak_host_memory_bytes"]


def _table(rows: Sequence[Record], columns: Sequence[Column]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("case", overflow="fold", ratio=None)
    for name, _ in columns:
        table.add_column(name, justify="right", no_wrap=True)
    for record in rows:
        cells = [Text(_mark(record) + record.case.key, style=_style(record))]
        table.add_row(*cells, *(Text(cell(record)) for _, cell in columns))
    return table


def _fitting(rows: Sequence[Record], columns: Sequence[Column], width: int) -> list[Column]:
    """Leave out the dispensable columns until the rest fits, the case itself on 40 characters."""
    left = list(columns)
    case_width = min(40, max(len(r.case.key) for r in rows))
    for name in _DISPENSABLE:
        taken = sum(max(len(n), *(len(cell(r)) for r in rows)) + 2 for n, cell in left)
        if case_width + taken <= width:
            break
        left = [column for column in left if column[0] != name]
    return left


def _rounds(record: Record) -> Table:
    table = Table(box=None, pad_edge=False, title=Text(record.case.key), title_justify="left")
    for name in _ROUND_COLUMNS:
        table.add_column(name, justify="right")
    for r in record.rounds:
        for e in r.energies:
            value = UNKNOWN if e.value is None else f"{e.value:.3f} J"
            tokens = UNKNOWN if r.work.output_tokens is None else str(r.work.output_tokens)
            window = f"{r.t1 - r.t0:.3f} s"
            table.add_row(str(r.seq), window, value, Text(f"{e.domain} {e.device}"), tokens)
    return table


def _failures(records: Sequence[Record]) -> list[Text]:
    return [
        Text(f"{r.case.key}: {r.failure_kind}: {r.message}", style="red")
        for r in records
        if r.status == "failed"
    ]


def _notes(records: Sequence[Record]) -> list[Text]:
    """Explain every mark, flag and reason that occurs, once."""
    flags = sorted({Flag(flag) for r in records for flag in r.flags})
    reasons = sorted({Reason(reason) for r in records for reason in r.reasons})
    notes = [f"! {reason}: {reason.text}" for reason in reasons]
    for flag in flags:
        sign = ESTIMATE_MARK if flag is Flag.ESTIMATED else "*"
        notes.append(f"{sign} {flag}: {flag.text}{_where(flag, records)}")
    if any(r.metrics["energy_per_input_token_j"].value is not None for r in records):
        notes.append("* J/token of a prefill-only workload is per prompt token")
    return [Text(note, style="dim") for note in notes]


def _where(flag: Flag, records: Sequence[Record]) -> str:
    """Say how many cases a flag concerns when it is not all of them."""
    count = sum(flag in r.flags for r in records)
    return "" if count == len(records) else f" ({count} of {len(records)} cases)"


def _mark(record: Record) -> str:
    return "! " if record.validity == "invalid" else ""


def _style(record: Record) -> str:
    return "red" if record.status == "failed" or record.validity == "invalid" else ""
