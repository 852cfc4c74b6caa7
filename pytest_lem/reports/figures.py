"""Figures as people read them: a scaled unit, and no more digits than the uncertainty allows."""

from __future__ import annotations

from math import floor, log10
from typing import TYPE_CHECKING

from pytest_lem.energy.reading import Tier

if TYPE_CHECKING:
    from pytest_lem.results.record import Metric, Record

#: Marks an estimate wherever it is printed.
ESTIMATE_MARK = "~"
#: Stands for a value that is not known.
UNKNOWN = "-"

#: What figures are called where there is little room.
SHORT_NAMES = {
    "energy_per_output_token_j": "J/token",
    "energy_per_input_token_j": "J/prompt token",
    "energy_per_request_j": "J/request",
    "energy_per_good_request_j": "J/good request",
    "energy_per_call_j": "J/call",
    "energy_per_unit_j": "J/unit",
    "output_throughput_tok_s": "token/s",
    "request_throughput_req_s": "request/s",
    "goodput_req_s": "good/s",
    "unit_throughput_per_s": "unit/s",
    "call_duration_s": "s/call",
    "ttft_s": "TTFT",
    "tpot_s": "TPOT",
    "peak_host_memory_bytes": "host memory",
    "peak_device_memory_bytes": "device memory",
}
_PREFIXES = ((1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n"))


def scaled(value: float, unit: str) -> str:
    """Return a value with three digits and the prefix that suits it: `12.3 mJ`."""
    factor, prefix = _prefix(value)
    return f"{digits(value / factor)} {prefix}{unit}"


def energy(metric: Metric, unit: str) -> str:
    """Return joules with their mark and relative uncertainty: `~612 mJ ±81 %`."""
    if metric.value is None:
        return UNKNOWN
    mark = ESTIMATE_MARK if metric.tier == Tier.ESTIMATED else ""
    return f"{mark}{scaled(metric.value, unit)} {spread(metric)}".rstrip()


def is_prefill(record: Record) -> bool:
    """Tell whether the windows held nothing but the prefill, so that a token is a prompt's."""
    return record.metrics["energy_per_input_token_j"].value is not None


def per_token(record: Record) -> Metric:
    """Return the energy per output token or, for a prefill, per prompt token."""
    name = "energy_per_input_token_j" if is_prefill(record) else "energy_per_output_token_j"
    return record.metrics[name]


def plain(metric: Metric, unit: str) -> str:
    """Return a value with its unit, or the sign for unknown."""
    return UNKNOWN if metric.value is None else scaled(metric.value, unit)


def rate(metric: Metric) -> str:
    """Return a rate without its unit, which the column has: `23.1`."""
    return UNKNOWN if metric.value is None else digits(metric.value)


def duration(seconds: float) -> str:
    """Return a time span in words: `45 s`, `2 min 10 s`, `1 h 5 min`."""
    whole = round(seconds)
    if whole < 60:  # noqa: PLR2004 - seconds of a minute
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:  # noqa: PLR2004 - minutes of an hour
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min"


def counted(count: int, noun: str) -> str:
    """Return a number of things in words: `1 case`, `2 cases`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def spread(metric: Metric) -> str:
    """Return the relative uncertainty of a metric: `±4 %`."""
    if metric.u is None or not metric.value:
        return "±?"
    percent = 100 * metric.u / abs(metric.value)
    return f"±{percent:.0f} %" if percent >= 1 else f"±{percent:.1g} %"


def _prefix(value: float) -> tuple[float, str]:
    size = abs(_threedigits(value))
    return next(((f, p) for f, p in _PREFIXES if size >= f), _PREFIXES[-1] if size else (1.0, ""))


def digits(value: float) -> str:
    """Return a number with three digits."""
    if value == 0:
        return "0"
    places = max(0, 2 - floor(log10(abs(_threedigits(value)))))
    return f"{value:.{places}f}"


def _threedigits(value: float) -> float:
    """Return what is left after rounding, so that 999.9 counts as a thousand."""
    return float(f"{value:.2e}")
