"""A run in one line, for who wants no more."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_lem.energy.reading import Tier
from pytest_lem.flags import Flag
from pytest_lem.gate.verdict import ORDER
from pytest_lem.reports.figures import ESTIMATE_MARK, counted, is_prefill, per_token, scaled
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.record import Metric, Record

#: Flags that a word of their own stands for, or that the figure itself shows.
_TOLD = frozenset({Flag.ESTIMATED, Flag.SIMULATED, Flag.NO_ENERGY})
#: Flags that are named; of more, how many there are.
_MOST_FLAGS = 3


def brief(
    records: Sequence[Record], comparisons: Sequence[Comparison] = (), place: str | None = None
) -> str:
    """Return how many cases there are, the range of their energy, what to doubt, and the file.

    `energy: 6 cases, ~9.30 mJ to ~578 mJ/token (estimated), 1 failed; .lem/runs/.../run.json`
    """
    parts = [counted(len({r.case.digest for r in records}), "case")]
    parts += _ranges(records)
    parts += _doubts(records)
    line = f"energy: {', '.join(parts)}"
    if comparisons:
        line += f"; {_verdicts(comparisons)}"
    return f"{line}; {place}" if place else line


def _ranges(records: Sequence[Record]) -> Iterator[str]:
    """Yield the least and the largest energy for each thing that it is divided by."""
    known: dict[str, list[Metric]] = {}
    unknown = 0
    for record in (r for r in records if r.rounds):
        unit, metric = _main(record)
        if metric.value is None:
            unknown += 1
        else:
            known.setdefault(unit, []).append(metric)
    for unit, metrics in known.items():
        yield f"{_range(metrics, unit)}{_source(records, metrics)}"
    if unknown:
        yield f"energy unknown of {unknown}" if known else "energy unknown"


def _main(record: Record) -> tuple[str, Metric]:
    if record.case.kind == "call":
        return "J/call", record.metrics["energy_per_call_j"]
    return "J/prompt token" if is_prefill(record) else "J/token", per_token(record)


def _range(metrics: Sequence[Metric], unit: str) -> str:
    ordered = sorted(metrics, key=lambda m: m.value or 0.0)
    low, high = ordered[0], ordered[-1]
    joule, slash, what = unit.partition("/")
    if low.value == high.value:
        return f"{_marked(low, joule)}{slash}{what}"
    return f"{_marked(low, joule)} to {_marked(high, joule)}{slash}{what}"


def _marked(metric: Metric, unit: str) -> str:
    mark = ESTIMATE_MARK if metric.tier == Tier.ESTIMATED else ""
    return f"{mark}{scaled(metric.value or 0.0, unit)}"


def _source(records: Sequence[Record], metrics: Sequence[Metric]) -> str:
    if any(r.origin == "simulated" for r in records):
        return " (simulated)"
    return " (estimated)" if any(m.tier == Tier.ESTIMATED for m in metrics) else ""


def _doubts(records: Sequence[Record]) -> Iterator[str]:
    """Yield what failed, what is not to be trusted, and the flags."""
    if failed := sum(r.status == "failed" for r in records):
        yield f"{failed} failed"
    if invalid := sum(r.validity == "invalid" for r in records):
        yield f"{invalid} invalid"
    flags = sorted({flag for r in records for flag in r.flags} - _TOLD)
    if flags:
        rest = len(flags) - _MOST_FLAGS
        more = f" and {rest} more" if rest > 0 else ""
        yield f"flags: {' '.join(flags[:_MOST_FLAGS])}{more}"


def _verdicts(comparisons: Sequence[Comparison]) -> str:
    counts = Counter(c.verdict for c in comparisons)
    counted = ", ".join(f"{counts[v]} {v}" for v in reversed(ORDER) if counts[v])
    return f"{counted} against {comparisons[0].baseline}"
