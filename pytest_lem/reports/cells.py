"""The figures of a row as people read them, and which of them have a column."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_lem.energy.reading import Tier
from pytest_lem.gate.verdict import Verdict
from pytest_lem.reports.derived import DERIVED_TITLES, derived_text
from pytest_lem.reports.figures import ESTIMATE_MARK, SHORT_NAMES, UNKNOWN, plain, rate
from pytest_lem.reports.grouping import shown
from pytest_lem.reports.marks import marked
from pytest_lem.reports.rows import Estimate, Row, is_of_energy
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.derived import DERIVED

#: Figures that have a column where any row knows them, in the order of the columns, with the unit
#: of the cells; those without one are rates, whose column has it.
_UNITS = {
    "energy_per_output_token_j": "J",
    "energy_per_input_token_j": "J",
    "energy_per_good_request_j": "J",
    "goodput_req_s": None,
    "energy_per_call_j": "J",
    "energy_per_unit_j": "J",
    "output_throughput_tok_s": None,
    "call_duration_s": "s",
    "ttft_s": "s",
    "tpot_s": "s",
    "power_mean_w": "W",
    "mfu": None,
    "peak_device_memory_bytes": "B",
    "peak_host_memory_bytes": "B",
}
#: Figures that a narrow terminal gives up, the first first.
DISPENSABLE = (
    "mfu",
    "peak_host_memory_bytes",
    "peak_device_memory_bytes",
    "power_mean_w",
    "tpot_s",
    "ttft_s",
    "energy_per_unit_j",
)
#: A spread below this many per cent is shown as none.
_LEAST_PERCENT = 0.01
_TITLES = {**SHORT_NAMES, **DERIVED_TITLES, "power_mean_w": "power", "mfu": "MFU"}


def columns_of(rows: Sequence[Row], chosen: Sequence[str] | None = None) -> list[str]:
    """Return the figures that any of the rows knows, or those that somebody chose."""
    if chosen is not None:
        return list(chosen)
    known = (name for name in (*_UNITS, *DERIVED) if name in rows[0].figures)
    return [n for n in known if any(row.figures[n].value is not None for row in rows)]


def title_of(name: str) -> str:
    """Return the head of a column."""
    return _TITLES.get(name, name)


def label_of(row: Row, field: str) -> str:
    """Return what names a row, with the signs of what failed, or is not to be trusted."""
    text = shown(row.labels[field])
    if field != next(iter(row.labels)):
        return text
    is_failed = row.has_failed or any(c.verdict == Verdict.REGRESSED for c in row.comparisons)
    return marked(text, is_failed=is_failed, is_invalid=row.is_invalid)


def figure_cell(row: Row, name: str) -> str:
    """Return a figure with its interval: `12.3 mJ ±4 %`."""
    estimate = row.figures[name]
    if estimate.value is None:
        return UNKNOWN
    if name in DERIVED:
        text = derived_text(name, estimate.value, estimate.unit)
    else:
        metric = METRICS[name].of(estimate.value, n=estimate.cycles)
        unit = _UNITS.get(name, _unit_of(name))
        text = rate(metric) if unit is None else plain(metric, unit)
    is_estimate = is_of_energy(name) and row.tier == Tier.ESTIMATED
    return f"{ESTIMATE_MARK if is_estimate else ''}{text}{_spread(estimate)}"


def _unit_of(name: str) -> str | None:
    """Return the unit of a figure that has a column only where it was chosen; None: a number."""
    unit = METRICS[name].unit.partition("/")[0]
    return unit if unit in {"J", "s", "W", "B"} else None


def _spread(estimate: Estimate) -> str:
    half = estimate.half_width
    if half is None:
        return ""
    percent = 100 * half
    if percent >= 1:
        return f" ±{percent:.0f} %"
    return f" ±{percent:.1g} %" if percent >= _LEAST_PERCENT else " ±0 %"
