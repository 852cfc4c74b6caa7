"""One line for a case, printed when it is done."""

from __future__ import annotations

from pytest_lem.reports.figures import energy, is_prefill, per_token, plain, rate
from pytest_lem.results.record import Record


def progress_line(record: Record) -> str:
    """Return the key with its two or three main figures, or with what went wrong."""
    if record.status == "failed" or not record.rounds:
        return f"{_name(record)}: failed ({record.failure_kind})"
    metrics = record.metrics
    if record.case.kind == "call":
        figures = [energy(metrics["energy_per_call_j"], "J/call")]
        figures.append(plain(metrics["call_duration_s"], "s"))
    else:
        unit = "J/prompt token" if is_prefill(record) else "J/token"
        figures = [energy(per_token(record), unit)]
        figures.append(f"{rate(metrics['output_throughput_tok_s'])} token/s")
    return f"{_name(record)}: {', '.join(figures)}"


def _name(record: Record) -> str:
    """Return the key, with what sets this measurement apart from others of the case."""
    name = record.case.key
    if record.cycle:
        name += f" cycle {record.cycle}"
    if record.origin == "resumed":
        name += " (resumed)"
    return f"{name} (again)" if record.repetition > 1 else name
