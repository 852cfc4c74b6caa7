"""Doubts: why a figure cannot be judged at all, whatever the baseline says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pytest_lem.energy.reading import Tier
from pytest_lem.flags import Flag
from pytest_lem.gate.rule import Rule
from pytest_lem.gate.verdict import Cause, Verdict
from pytest_lem.results.entry import Entry

#: Flags that spoil every figure, and those that spoil measured energy.
_OF_ALL = {
    Flag.CONTENDED: Cause.CONTENDED,
    Flag.DUPLICATE_KEY: Cause.DUPLICATE_KEY,
    Flag.OTHER_SIDE_BUSY: Cause.OTHER_SIDE_BUSY,
}
_OF_ENERGY = {Flag.SHORT_WINDOW: Cause.SHORT_WINDOW, Flag.SHORTENED: Cause.SHORTENED}
#: Flags under which energy decides nothing.
_UNDECIDED = {Flag.BRIEF_WINDOW: Cause.BRIEF_WINDOW, Flag.UNSTEADY: Cause.UNSTEADY}


def doubts(entry: Entry, rule: Rule, *, allows_estimates: bool) -> tuple[Verdict, list[Cause]]:
    """Return INVALID, INCONCLUSIVE or PASS, with the reasons."""
    if found := list(_spoilt(entry, rule, allows_estimates=allows_estimates)):
        return Verdict.INVALID, found
    if not rule.is_energy or entry.tier == Tier.ESTIMATED:
        return Verdict.PASS, []
    undecided = _caused(_UNDECIDED, entry)
    return (Verdict.INCONCLUSIVE if undecided else Verdict.PASS), undecided


def _spoilt(entry: Entry, rule: Rule, *, allows_estimates: bool) -> Iterator[Cause]:
    figure = entry.figures.get(rule.metric)
    if entry.validity == "invalid":
        yield Cause.INVALID_ROUNDS
    if figure is None or not figure.is_usable:
        yield Cause.NO_VALUE
    yield from _caused(_OF_ALL, entry)
    if not rule.is_energy:
        return
    if entry.origin == "simulated":
        yield Cause.SIMULATED
    if entry.tier == Tier.ESTIMATED:
        if not allows_estimates:
            yield Cause.ESTIMATED
    else:
        yield from _caused(_OF_ENERGY, entry)


def _caused(causes: Mapping[Flag, Cause], entry: Entry) -> list[Cause]:
    """Return those causes whose flags a case has; most have none."""
    if not entry.flags:
        return []
    return [cause for flag, cause in causes.items() if flag in entry.flags]
