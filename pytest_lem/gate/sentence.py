"""A comparison in one sentence."""

from __future__ import annotations

from pytest_lem.gate.verdict import Cause, Verdict, text_of
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.definitions import METRICS

#: More facts than this are counted, not named.
_MOST_DIFFERENCES = 6


def sentence(comparison: Comparison) -> str:
    """Return what a person needs to know: what changed, by how much, against what, and why."""
    text = _sentence(comparison)
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _sentence(comparison: Comparison) -> str:
    if comparison.ratio is None or comparison.verdict in _UNDECIDED:
        return _undecided(comparison)
    if Cause.SHORTER_OUTPUT in comparison.reasons:
        before, now = comparison.beside["output_tokens"]
        return (
            f"{comparison.metric}: {now:.4g} output tokens a request instead of {before:.4g}; "
            + text_of(Cause.SHORTER_OUTPUT)
        )
    if Cause.OUTPUTS_DIFFER in comparison.reasons:
        share = 100 * (comparison.agreement or 0.0)
        return (
            f"{comparison.metric}: {share:.3g} % of the output is that of {comparison.baseline}; "
            + text_of(Cause.OUTPUTS_DIFFER)
        )
    return _changed(comparison)


def change_text(comparison: Comparison) -> str:
    """Return the change in per cent with its interval, as far as they are known."""
    if comparison.ratio is None:
        return ""
    text = f"{signed(100 * (comparison.ratio - 1))} %"
    if comparison.interval:
        low, high = (100 * (x - 1) for x in comparison.interval)
        text += f" [{signed(low)}, {signed(high)}]"
    return text


def parts_text(comparison: Comparison) -> str:
    """Return the changes of power and of speed in per cent, as far as they are known."""
    parts = comparison.attribution
    return f"{signed(parts['power_pct'])} %, {signed(parts['speed_pct'])} %" if parts else ""


def case_text(comparison: Comparison) -> str:
    """Return the case, and of several cycles which one it was."""
    cycle = comparison.cycle
    return comparison.case if cycle is None else f"{comparison.case}, cycle {cycle}"


def signed(percent: float) -> str:
    """Return a change in per cent with its sign; what is too small to be seen is +0.0."""
    text = f"{percent:+.1f}"
    return "+0.0" if text == "-0.0" else text


def _undecided(comparison: Comparison) -> str:
    if Cause.NOT_MEASURED in comparison.reasons:
        return f"in {comparison.baseline}, but not in this run: {text_of(Cause.NOT_MEASURED)}"
    reasons = "; ".join(text_of(reason) for reason in comparison.reasons[:2])
    names = comparison.differences
    listed = ", ".join(names[:_MOST_DIFFERENCES])
    if len(names) > _MOST_DIFFERENCES:
        listed += f" and {len(names) - _MOST_DIFFERENCES} more"
    tail = f" ({listed})" if names else ""
    change = change_text(comparison) if comparison.verdict == Verdict.INCONCLUSIVE else ""
    seen = f"is {change} and " if change else ""
    known = _WORDS[Verdict(comparison.verdict)]
    if Cause.ONLY_ITSELF in comparison.reasons:
        known = "is not compared with"
    words = f"{seen}{known} {comparison.baseline}"
    return f"{comparison.metric} {words}: {reasons}{tail}"


def _changed(c: Comparison) -> str:
    is_lower_better = METRICS[c.metric].direction != "higher"
    worse = "worse than" if ((c.ratio or 1.0) > 1) == is_lower_better else "better than"
    allowed = f"{100 * (c.theta or 0):g} %" + (f" + {c.absolute:g} {c.unit}" if c.absolute else "")
    text = (
        f"{c.metric} is {change_text(c)}, {'as in' if c.ratio == 1 else worse} {c.baseline} "
        f"({_basis(c)}); {allowed} is allowed"
    )
    if parts := c.attribution:
        power, speed = signed(parts["power_pct"]), signed(parts["speed_pct"])
        text += f"; power {power} %, speed {speed} %"
    if c.agreement is not None:
        text += f"; {100 * c.agreement:.3g} % of the output is the same"
    if c.under_test:
        text += f"; {', '.join(c.under_test)}"
    return text


def _basis(c: Comparison) -> str:
    """Say how much the comparison rests on."""
    if c.pairs is not None:
        return f"{c.pairs} pairs"
    return "1 session" if c.sessions == 1 else f"{c.sessions} sessions"


_UNDECIDED = frozenset(
    {Verdict.INVALID, Verdict.INCONCLUSIVE, Verdict.INCOMPARABLE, Verdict.MISSING}
)
_WORDS = {
    Verdict.INVALID: "cannot be judged against",
    Verdict.INCONCLUSIVE: "decides nothing against",
    Verdict.INCOMPARABLE: "cannot be compared with",
    Verdict.MISSING: "has no history in",
    Verdict.PROVISIONAL: "begins a history in",
}
