"""Budgets: limits that a test sets on its own energy."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_lem.energy.reading import Tier

if TYPE_CHECKING:
    from pytest_lem.results.record import Metric, Record


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most joules allowed for one call or request, and for one unit of work."""

    max_joules: float | None = None
    max_joules_per_unit: float | None = None

    @property
    def is_set(self) -> bool:
        """Tell whether there is any limit."""
        return self.max_joules is not None or self.max_joules_per_unit is not None

    def breaches(self, record: Record) -> list[str]:
        """Return a sentence for each limit that the record does not keep.

        It fails closed: an unknown or invalid energy keeps no limit.
        """
        is_call = record.case.kind == "call"
        limits = (
            ("energy_per_call_j" if is_call else "energy_per_request_j", self.max_joules),
            (
                "energy_per_unit_j" if is_call else "energy_per_output_token_j",
                self.max_joules_per_unit,
            ),
        )
        found = (_breach(record, name, limit) for name, limit in limits if limit is not None)
        return [sentence for sentence in found if sentence]


def _breach(record: Record, name: str, limit: float) -> str | None:
    metric = record.metrics[name]
    if record.validity == "invalid":
        return f"energy budget of {limit:g} {metric.unit} cannot be judged: " + ", ".join(
            record.reasons
        )
    if record.origin == "simulated":
        return (
            f"energy budget of {limit:g} {metric.unit} cannot be judged: the energy is simulated; "
            "take another --lem-meter, or the budget out"
        )
    if metric.value is None:
        return f"energy budget of {limit:g} {metric.unit} cannot be judged: {metric.reason}"
    if metric.value <= limit:
        return None
    return f"over the energy budget: {_figure(metric)} is more than {limit:g} {metric.unit}"


def _figure(metric: Metric) -> str:
    spread = "" if metric.u is None else f" +- {metric.u:.2g}"
    mark = " (an estimate)" if metric.tier == Tier.ESTIMATED else ""
    return f"{metric.value:.4g}{spread} {metric.unit}{mark}"
