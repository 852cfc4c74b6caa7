"""Derived figures as people read them, always with the word that they are derived."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_lem.energy.reading import Tier
from pytest_lem.reports.figures import ESTIMATE_MARK, digits, scaled, spread
from pytest_lem.results.derived import DERIVED, basis_of, cost_in
from pytest_lem.results.record import Record

_WORDS = {
    "facility_energy_per_output_token_j": "J/token of the facility",
    "emissions_per_1000_output_tokens_gco2e": "emissions/1k tokens",
    "cost_per_million_output_tokens": "cost/1M tokens",
}
#: Heads of their columns.
DERIVED_TITLES = {name: f"{_WORDS[name]} (derived)" for name in DERIVED}


def derived_text(name: str, value: float, unit: str) -> str:
    """Return a figure with its unit: `12.3 mgCO2e`, `0.450 EUR`, as nobody pays in mEUR."""
    if name.startswith("cost"):
        return f"{digits(value)} {unit}"
    return scaled(value, unit.partition("/")[0])


def derived_lines(record: Record) -> Iterator[str]:
    """Yield a line for each figure of a record that has a value, and what they rest on."""
    named = ((name, record.derived.get(name)) for name in DERIVED)
    known = {name: m for name, m in named if m is not None and m.value is not None}
    for name, metric in known.items():
        mark = ESTIMATE_MARK if metric.tier == Tier.ESTIMATED else ""
        text = derived_text(name, metric.value or 0.0, metric.unit)
        yield f"{DERIVED_TITLES[name]}: {mark}{text} {spread(metric)}"
    basis = basis_of(cost_in(record.requested.get("cost")))
    if known and basis:
        yield basis
