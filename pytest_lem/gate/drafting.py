"""What the judges have in common: a comparison is begun, judged step by step, and told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, log

from pytest_lem.gate.rule import Rule
from pytest_lem.gate.sentence import sentence
from pytest_lem.gate.verdict import Cause, Verdict
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.entry import Entry

#: What logarithms of equal figures may differ by.
_ROUNDING = 1e-9
#: With free length, less than this share of the baseline's output is a regression by itself.
_LEAST_LENGTH = 0.9


def draft(entry: Entry, rule: Rule, *, baseline: str, run: str, promise: float) -> Comparison:
    """Begin the comparison of a figure; nothing is decided yet, so that it would fail."""
    figure = entry.figures.get(rule.metric)
    return Comparison(
        case=entry.key,
        digest=entry.digest,
        nodeid=entry.nodeid,
        metric=rule.metric,
        unit=METRICS[rule.metric].unit,
        baseline=baseline,
        candidate=run,
        verdict=Verdict.INVALID,
        value=figure.value if figure else None,
        theta=rule.theta,
        absolute=rule.absolute or None,
        promise=max(promise, 2 * rule.theta),
    )


def with_verdict(
    comparison: Comparison,
    verdict: Verdict | None,
    reasons: Sequence[Cause],
    differences: Sequence[str] = (),
) -> Comparison:
    """Give a comparison its verdict, and put the reasons for it before the cautions."""
    comparison.reasons = [*map(str, reasons), *comparison.reasons]
    comparison.differences = list(differences)
    if verdict is not None:
        comparison.verdict = str(verdict)
    return comparison


def told(comparison: Comparison) -> Comparison:
    """Give a comparison its sentence."""
    comparison.message = sentence(comparison)
    return comparison


def length_doubt(
    entry: Entry, beside: Mapping[str, Sequence[float]]
) -> tuple[Verdict, list[Cause]] | None:
    """Judge the output length, without which energy says nothing; None where it is as before."""
    lengths = beside.get("output_tokens")
    if lengths is None:
        return None
    before, now = lengths
    if entry.has_fixed_length:
        return (Verdict.INVALID, [Cause.LENGTH_DIFFERS]) if before != now else None
    is_short = now < _LEAST_LENGTH * before
    return (Verdict.REGRESSED, [Cause.SHORTER_OUTPUT]) if is_short else None


def quality_doubt(share: float | None, least: float | None) -> tuple[Verdict, list[Cause]] | None:
    """Judge what was said, without which energy says nothing; None where it is good enough.

    `share` is how much of the baseline's output came again, `least` how much has to.
    """
    if least is None:
        return None
    if share is None:
        return Verdict.INVALID, [Cause.OUTPUTS_UNKNOWN]
    return (Verdict.REGRESSED, [Cause.OUTPUTS_DIFFER]) if share < least else None


def judged_exactly(compared: Comparison, rule: Rule, before: float) -> Comparison:
    """Decide by the plain ratio to what the figure was before."""
    allowed = rule.allowed(before)
    worsening = rule.worsening(log(compared.ratio or 1.0))
    compared.mde, compared.interval = exp(allowed) - 1, None
    limit = allowed + _ROUNDING
    if worsening > limit:
        return with_verdict(compared, Verdict.REGRESSED, [])
    return with_verdict(compared, Verdict.IMPROVED if worsening < -limit else Verdict.PASS, [])
