"""Rows of a report: the figures of a case, or the means of a group of cases."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from statistics import fmean, geometric_mean
from typing import Any

from pytest_lem.config.cost import CostSettings
from pytest_lem.energy.reading import TIERS, Tier
from pytest_lem.reports.bootstrap import interval
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.derived import DERIVED, SOURCE, derived_names, factor_of, unit_of
from pytest_lem.results.entry import FIGURES, Entry, Figure

#: A figure is known well enough when half of its interval is at most this share of it.
WIDEST = 0.05
_OF_OTHER_KINDS = "cases of this kind do not have it"


class Sufficiency(StrEnum):
    """Whether a figure was measured often enough."""

    SUFFICIENT = "sufficient"
    WIDE = "wide"
    TOO_FEW_CYCLES = "too_few_cycles"


#: What is a largest value, which no interval describes.
_MAXIMA = frozenset(name for name, metric in METRICS.items() if metric.statistic == "maximum")


@dataclass(slots=True, kw_only=True)
class Estimate:
    """A figure with what it rests on.

    Attributes:
        value: of a case, its cycles pooled; of a group, the geometric mean of its cases.
        interval: 95 % interval over cycles; None where there are too few.
        cases: how many are in it.
        cycles: measurements of each of them, the least.
        missing: cases like them of which it is not known, so that they are not in it.
        unit: its unit.
        reason: why `value` is None.

    """

    name: str
    value: float | None = None
    interval: tuple[float, float] | None = None
    cases: int = 0
    cycles: int = 0
    missing: int = 0
    unit: str
    reason: str | None = None

    @property
    def half_width(self) -> float | None:
        """Return half of the interval as a share of the value."""
        if self.interval is None or not self.value:
            return None
        low, high = self.interval
        return (high - low) / 2 / self.value

    @property
    def sufficiency(self) -> Sufficiency | None:
        """Judge it; None where nothing is known, or for a maximum, which no interval describes."""
        if self.value is None or self.name in _MAXIMA:
            return None
        half_width = self.half_width
        if half_width is None:
            return Sufficiency.TOO_FEW_CYCLES
        return Sufficiency.WIDE if half_width > WIDEST else Sufficiency.SUFFICIENT


@dataclass(slots=True, kw_only=True)
class Row:
    """A row: what names it, whose figures they are, and what a gate said of them."""

    labels: dict[str, Any]
    entries: Sequence[Entry]
    figures: dict[str, Estimate]
    comparisons: list[Comparison] = field(default_factory=list)

    def derive(self, cost: CostSettings) -> None:
        """Add the figures that follow from the energy per output token and the settings."""
        source = self.figures[SOURCE]
        for name in derived_names(cost):
            factor, interval = factor_of(name, cost) or 0.0, source.interval
            self.figures[name] = replace(
                source,
                name=name,
                unit=unit_of(name, cost),
                value=None if source.value is None else source.value * factor,
                interval=interval and (interval[0] * factor, interval[1] * factor),
            )

    @property
    def tier(self) -> str | None:
        """Return the tier of its energy, the worst of several."""
        tiers = [Tier(e.tier) for e in self.entries if e.tier]
        return max(tiers, key=TIERS.index, default=None)

    @property
    def has_failed(self) -> bool:
        """Tell whether any of its cases has failed."""
        return any(entry.status == "failed" for entry in self.entries)

    @property
    def is_invalid(self) -> bool:
        """Tell whether none of its cases is to be trusted."""
        return all(entry.validity == "invalid" for entry in self.entries)


def row_of_case(entry: Entry) -> Row:
    """Return the row of a case."""
    return Row(
        labels={"case": entry.key},
        entries=[entry],
        figures={name: _of_case(name, entry.figures.get(name), entry) for name in FIGURES},
    )


def row_of_group(labels: dict[str, Any], entries: Sequence[Entry]) -> Row:
    """Return the row of a group; cases that are not to be trusted are left out of its means."""
    trusted = [entry for entry in entries if entry.validity != "invalid"]
    return Row(
        labels=labels,
        entries=entries,
        figures={name: _figure(name, trusted) for name in FIGURES},
    )


def _of_case(name: str, figure: Figure | None, entry: Entry) -> Estimate:
    """Return a figure of one case, with an interval where it was measured often enough."""
    unit = METRICS[name].unit
    if figure is None:
        return Estimate(name=name, unit=unit, reason=entry.unknown.get(name, _OF_OTHER_KINDS))
    if name in entry.measurements:
        return _figure(name, [entry])
    return Estimate(name=name, unit=unit, value=figure.value, cases=1, cycles=1)


def _figure(name: str, entries: Sequence[Entry]) -> Estimate:
    unit = METRICS[name].unit
    known = [entry for entry in entries if name in entry.figures]
    if not known:
        return Estimate(name=name, unit=unit, reason=_why_unknown(name, entries))
    if why_not := _unlike(name, known):
        return Estimate(name=name, unit=unit, cases=len(known), reason=why_not)
    kinds = {entry.kind for entry in known}
    values = [entry.figures[name].value for entry in known]
    cycles = [entry.measurements.get(name) or [entry.figures[name].value] for entry in known]
    value = _mean(values)
    return Estimate(
        name=name,
        unit=unit,
        value=value,
        interval=None if name in _MAXIMA else interval(value, cycles),
        cases=len(known),
        cycles=min(map(len, cycles)),
        missing=sum(entry.kind in kinds for entry in entries) - len(known),
    )


def _why_unknown(name: str, entries: Sequence[Entry]) -> str:
    if not entries:
        return "none of the cases is to be trusted"
    reasons = (entry.unknown.get(name) for entry in entries)
    return next((r for r in reasons if r), _OF_OTHER_KINDS)


def _mean(values: Sequence[float]) -> float:
    """Return the geometric mean, or the plain one where a value has no logarithm."""
    if len(values) == 1:
        return values[0]
    return geometric_mean(values) if min(values) > 0 else fmean(values)


def _unlike(name: str, entries: Sequence[Entry]) -> str | None:
    """Return why energies have no common mean: an estimate is never mixed with a measurement."""
    if not is_of_energy(name):
        return None
    sources = {"simulated" if e.origin == "simulated" else str(e.tier) for e in entries}
    if len(sources) == 1:
        return None
    return f"the energies are of different kinds ({', '.join(sorted(sources))}); group by tier too"


def is_of_energy(name: str) -> bool:
    """Tell whether joules are in a figure."""
    return name.startswith("energy") or name == "power_mean_w" or name in DERIVED
