"""Figures in the page: scaled, marked, and with the reason where there is none."""

from __future__ import annotations

from pytest_lem.energy.reading import Tier
from pytest_lem.reports.figures import ESTIMATE_MARK, digits, scaled, spread
from pytest_lem.reports.html.markup import Markup, element, joined
from pytest_lem.results.record import Metric, Record

UNKNOWN = "—"
#: Of a figure that was stored without one.
NO_REASON = "no reason is stored"
#: Units of which a prefix makes no sense.
_PLAIN = frozenset({"1", "token/s", "request/s", "unit/s", "FLOP/token"})


def figure_text(metric: Metric, *, is_brief: bool = False) -> str:
    """Return a figure with its mark and its uncertainty: `~612 mJ/call ±81 %`, or `—`.

    A brief one leaves out what the head of its column says: what joules are divided by, and the
    unit of a rate.
    """
    if metric.value is None:
        return UNKNOWN
    mark = ESTIMATE_MARK if metric.tier == Tier.ESTIMATED else ""
    has_spread = metric.u is not None or metric.tier is not None
    amount = _amount(metric.value, metric.unit, is_brief=is_brief)
    return f"{mark}{amount}{f' {spread(metric)}' if has_spread else ''}"


def figure(metric: Metric | None, *, is_brief: bool = False) -> Markup:
    """Return a figure for the page; of an unknown one the reason is there to read as well."""
    if metric is None:
        return unknown("this release does not have it in its record")
    if metric.value is None:
        return unknown(metric.reason or NO_REASON)
    return element("span", figure_text(metric, is_brief=is_brief), class_="figure")


def counted(count: int, noun: str) -> str:
    """Return a number of things in words: `1 case`, `2 cases`."""
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def unknown(reason: str) -> Markup:
    """Return the sign for what is not known, with the reason."""
    return element(
        "span",
        UNKNOWN,
        element("span", f" unknown: {reason}", class_="unseen"),
        class_="unknown",
        title=reason,
    )


def number_cell(metric: Metric | None) -> Markup:
    """Return a cell of a table that can be sorted by the number."""
    value = None if metric is None or metric.value is None else repr(metric.value)
    return element("td", figure(metric, is_brief=True), class_="number", data_value=value or "")


def marks(record: Record) -> Markup:
    """Return the signs beside the name of a case, each with its meaning in words."""
    found = []
    if record.status == "failed":
        found.append(_mark("✗", "failed", "bad"))
    if record.validity == "invalid":
        found.append(_mark("!", "invalid: not to be trusted", "bad"))
    if record.origin in {"simulated", "resumed"}:
        found.append(_mark("◌", record.origin, "note"))
    return joined(found)


def _mark(sign: str, meaning: str, kind: str) -> Markup:
    text = element("span", f" {meaning} ", class_="unseen")
    return element("span", sign, text, class_=f"mark {kind}", title=meaning)


def _amount(value: float, unit: str, *, is_brief: bool) -> str:
    if unit in _PLAIN:
        return digits(value) if is_brief or unit == "1" else f"{digits(value)} {unit}"
    first, slash, rest = unit.partition("/")
    return scaled(value, first) if is_brief else f"{scaled(value, first)}{slash}{rest}"
