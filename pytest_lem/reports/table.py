"""The terminal table."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple

from rich.console import RenderableType
from rich.text import Text

from pytest_lem.energy.reading import Tier
from pytest_lem.flags import Flag, explained
from pytest_lem.reports.console import text_from
from pytest_lem.reports.figures import (
    ESTIMATE_MARK,
    UNKNOWN,
    energy,
    is_prefill,
    per_token,
    plain,
    rate,
)
from pytest_lem.reports.fitting import (
    is_too_narrow,
    kept,
    stacked,
    wanted,
)
from pytest_lem.reports.grid import Column, grid
from pytest_lem.reports.idle import idle_cell
from pytest_lem.reports.ledger import ledger
from pytest_lem.reports.marks import marked
from pytest_lem.results.record import Metric, Record

Shown = tuple[str, Callable[[Record], str]]


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


_CYCLE: Shown = ("cycle", lambda r: str(r.cycle or ""))
_IDLE: Shown = ("idle", idle_cell)
_INFER_NAMES: tuple[Shown, ...] = (
    ("backend", _setting("backend")),
    ("model", lambda r: str(r.case.settings.model).rstrip("/").rpartition("/")[2]),
    ("precision", _precision),
    ("batch", _setting("batch_size")),
    ("workload", lambda r: str((r.case.settings.model_extra or {})["workload"]["name"])),
    ("options", _options),
    _CYCLE,
)
_INFER_FIGURES: tuple[Shown, ...] = (
    ("J/token", lambda r: energy(per_token(r), "J")),
    ("token/s", lambda r: rate(r.metrics["output_throughput_tok_s"])),
    ("TTFT", lambda r: plain(r.metrics["ttft_s"], "s")),
    ("TPOT", lambda r: plain(r.metrics["tpot_s"], "s")),
    ("E2E", lambda r: plain(r.metrics["e2e_latency_s"], "s")),
    ("power", lambda r: _power_mark(r) + plain(r.metrics["power_mean_w"], "W")),
    _IDLE,
    ("memory", lambda r: plain(_memory(r), "B")),
)
_SERVE_NAMES: tuple[Shown, ...] = (
    *_INFER_NAMES[:3],
    ("traffic", lambda r: r.case.key.split("/")[4]),
    *_INFER_NAMES[4:],
)
_SERVE_FIGURES: tuple[Shown, ...] = (
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
    _IDLE,
)
_CALL_NAMES: tuple[Shown, ...] = (("case", lambda r: r.case.key), _CYCLE)
_CALL_FIGURES: tuple[Shown, ...] = (
    ("J/call", lambda r: energy(r.metrics["energy_per_call_j"], "J")),
    ("J/unit", lambda r: energy(r.metrics["energy_per_unit_j"], "J")),
    ("unit", lambda r: str((r.case.settings.model_extra or {}).get("unit") or UNKNOWN)),
    ("s/call", lambda r: plain(r.metrics["call_duration_s"], "s")),
    ("power", lambda r: _power_mark(r) + plain(r.metrics["power_mean_w"], "W")),
    _IDLE,
)
#: What names a row where there is only one.
_ROW_NAMES = frozenset({"batch", "case", "traffic"})


class _Kind(NamedTuple):
    """How cases of a kind are shown. `dispensable` is given up where it is narrow, in its order."""

    name: str
    names: Sequence[Shown]
    figures: Sequence[Shown]
    dispensable: Sequence[str]


_KINDS = (
    _Kind("infer", _INFER_NAMES, _INFER_FIGURES,
          ("idle", "memory", "power", "E2E", "TPOT", "TTFT")),
    _Kind("serve", _SERVE_NAMES, _SERVE_FIGURES,
          ("idle", "power", "E2E", "TPOT", "request/s", "TTFT", "token/s")),
    _Kind("call", _CALL_NAMES, _CALL_FIGURES,
          ("idle", "power", "unit", "s/call")),
)  # fmt: skip


def render(records: Sequence[Record], *, width: int, is_colored: bool, verbosity: int) -> str:
    """Return the tables as text: one for models, one for callables, failures and notes below.

    Ids are shown to the letter, whatever markup they resemble. With verbosity 1 and more, the
    generated text, the rounds and their domains follow.
    """
    return text_from(_parts(records, width, verbosity), width=width, is_colored=is_colored)


def _parts(records: Sequence[Record], width: int, verbosity: int) -> list[RenderableType]:
    measured = [r for r in records if r.rounds]
    parts: list[RenderableType] = []
    for kind in _KINDS:
        rows = [r for r in measured if r.case.kind == kind.name]
        if rows:
            parts += _table(rows, kind, width)
    if verbosity > 0:
        parts += [part for r in measured for part in ledger(r, width)]
    return parts + _failures(records) + _notes(measured)


def _table(rows: Sequence[Record], kind: _Kind, width: int) -> list[RenderableType]:
    """Return a caption with what all rows share, and what tells them apart with their figures."""
    names = kind.names
    common = [c for c in names if len({c[1](r) for r in rows}) == 1]
    if len(rows) == 1:  # then all is common, and one column has to name the row
        common = [c for c in common if c[0] not in _ROW_NAMES]
    varying = [c for c in names if c not in common and c[0] != "options"] or list(names[:1])
    varying += [c for c in names if c not in common and c[0] == "options" and any(map(c[1], rows))]
    shared = ", ".join(f"{name} {cell(rows[0])}" for name, cell in common if cell(rows[0]))
    known = {name: cell for name, cell in kind.figures if any(_is_known(cell(r)) for r in rows)}
    named = [_width(column, rows) for column in varying]
    named[0] = max(len(varying[0][0]), *(len(_marked(r, varying[0][1](r))) for r in rows))
    widths = {name: _width((name, cell), rows) for name, cell in known.items()}
    shown = kept(widths, _dispensable(kind, known), width - wanted(named))
    figures = [(name, known[name]) for name in shown]
    is_narrow = is_too_narrow(named, [widths[name] for name in shown], width)
    draw = _stack if is_narrow else _grid
    return [*([Text(shared, style="bold")] if shared else []), *draw(rows, varying, figures, width)]


def _dispensable(kind: _Kind, known: Collection[str]) -> list[str]:
    """Return the figures that may be given up: where nothing tells goodput, never the tokens."""
    return [name for name in kind.dispensable if name != "token/s" or "good/s" in known]


def _grid(
    rows: Sequence[Record], names: Sequence[Shown], figures: Sequence[Shown], width: int
) -> list[RenderableType]:
    """Return a table with a column for each name and figure."""
    heads = [Column(name) for name, _ in names]
    heads += [Column(name, is_number=True) for name, _ in figures]
    lines = [[cell(record) for _, cell in (*names, *figures)] for record in rows]
    for line, record in zip(lines, rows, strict=True):
        line[0] = _marked(record, line[0])
    return [grid(heads, lines, width, styles=list(map(_style, rows)))]


def _stack(
    rows: Sequence[Record], names: Sequence[Shown], figures: Sequence[Shown], _: int
) -> list[RenderableType]:
    """Return lines for each row, where a table would be cut."""
    return [
        part
        for r in rows
        for part in stacked(
            _marked(r, ", ".join(_spoken(name, cell(r)) for name, cell in names)),
            [(name, cell(r)) for name, cell in figures],
            style=_style(r),
        )
    ]


def _spoken(name: str, cell: str) -> str:
    """Return a name with what it means; a case and a word speak for themselves."""
    return f"{name} {cell}" if cell.isdecimal() else cell


def _width(column: Shown, rows: Sequence[Record]) -> int:
    return max(len(column[0]), *(len(column[1](r)) for r in rows))


def _failures(records: Sequence[Record]) -> list[RenderableType]:
    return [
        Text(_marked(r, f"{_of_cycle(r)}: {r.failure_kind}: {r.message}"), style="red")
        for r in records
        if r.status == "failed"
    ]


def _of_cycle(record: Record) -> str:
    key = record.case.key
    return key if record.cycle is None else f"{key}, cycle {record.cycle}"


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


def _marked(record: Record, name: str) -> str:
    is_invalid = record.validity == "invalid"
    return marked(name, is_failed=record.status == "failed", is_invalid=is_invalid)


def _style(record: Record) -> str:
    return "red" if record.status == "failed" or record.validity == "invalid" else ""
