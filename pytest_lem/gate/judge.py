"""The judge: what each gated figure of a case is against its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, isinf, log
from typing import NamedTuple

from pytest_lem.gate.agreement import agreement
from pytest_lem.gate.attribution import attribution
from pytest_lem.gate.baseline import Baseline, Found
from pytest_lem.gate.context import Surroundings, speed_ratio, surroundings
from pytest_lem.gate.doubt import doubts
from pytest_lem.gate.drafting import (
    draft,
    judged_exactly,
    length_doubt,
    quality_doubt,
    told,
    with_verdict,
)
from pytest_lem.gate.history import POWER, History, interval, least_found, p_value
from pytest_lem.gate.key import UnderTest, unknown_facts
from pytest_lem.gate.rule import Rule
from pytest_lem.gate.verdict import Cause, Verdict
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.definitions import EXACT
from pytest_lem.results.entry import Entry, figures_of
from pytest_lem.results.record import Comparability

#: Changes beyond are as good as infinite, which no file can hold.
_LARGEST_LOG = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms a gate decides.

    Attributes:
        alpha: how often a figure without any change may be flagged by one of the two tests.
        promise: change, as a share, that the gate undertakes to find; at least twice the allowed.
        prior_cv: scatter between sessions that is assumed before any is seen.
        allows_estimates: whether an estimated energy may be gated.
        least_agreement: share of the last session's output that has to come again; None: any will
            do.
        is_saving: whether the run adds to the history, so that a case without one begins it.

    """

    alpha: float = 0.01
    promise: float = 0.10
    prior_cv: float = 0.02
    allows_estimates: bool = False
    least_agreement: float | None = None
    is_saving: bool = False


class _Case(NamedTuple):
    """What all figures of a case share.

    Attributes:
        forbidden: why it cannot be compared, with the facts in question; None where it can.

    """

    entry: Entry
    found: Found
    around: Surroundings
    forbidden: tuple[Cause, list[str]] | None
    is_repeatable: bool


@dataclass(frozen=True, slots=True)
class Judge:
    """Compares entries of a run with a baseline. Pure: it reads and writes nothing."""

    baseline: Baseline
    terms: Terms
    run: str

    def judge(
        self,
        entry: Entry,
        facts: Comparability,
        rules: Sequence[Rule],
        *,
        is_repeatable: bool = True,
    ) -> list[Comparison]:
        """Return a comparison for each rule that applies to the kind of the case.

        REGRESSED and IMPROVED are what one measurement says: `confirmed` needs a second one.
        Where there can be none (`is_repeatable`), the level is that of two tests together.
        """
        found, under_test = self.baseline.find(entry, facts), self.baseline.under_test
        around = surroundings(entry, facts, found, under_test)
        forbidden = _incomparable(entry, facts, found, under_test)
        case = _Case(entry, found, around, forbidden, is_repeatable)
        judged = [self._judged(case, rule) for rule in rules if applies(rule, entry)]
        for comparison in judged:
            comparison.m = len(judged)
        return [told(comparison) for comparison in judged]

    def _judged(self, case: _Case, rule: Rule) -> Comparison:
        blank = draft(
            case.entry,
            rule,
            baseline=self.baseline.name,
            run=self.run,
            promise=self.terms.promise,
        )
        doubt, causes = doubts(case.entry, rule, allows_estimates=self.terms.allows_estimates)
        if doubt is Verdict.INVALID:
            return with_verdict(blank, doubt, causes)
        if case.forbidden:
            cause, differing = case.forbidden
            return with_verdict(blank, Verdict.INCOMPARABLE, [cause], differing)
        figure = case.entry.figures[rule.metric]
        history = case.found.history(rule.metric, self.terms.prior_cv, figure.resolution)
        if history is None:
            return self._without_history(blank, case.found)
        compared = _compared(blank, case, log(figure.value) - history.mean, history)
        if doubt is Verdict.INCONCLUSIVE:
            return with_verdict(compared, doubt, causes)
        return self._decided(compared, case, rule, history)

    def _decided(
        self, compared: Comparison, case: _Case, rule: Rule, history: History
    ) -> Comparison:
        wrong = length_doubt(case.entry, case.around.beside)
        if wrong := wrong or self._quality_doubt(compared, case):
            return with_verdict(compared, *wrong)
        if rule.metric in EXACT:
            return judged_exactly(compared, rule, exp(history.mean))
        return self._tested(compared, rule, history, is_repeatable=case.is_repeatable)

    def _quality_doubt(
        self, compared: Comparison, case: _Case
    ) -> tuple[Verdict, list[Cause]] | None:
        """Hold what was said against the last session that has its outputs."""
        if self.terms.least_agreement is None or case.entry.kind != "infer":
            return None
        pasts = (p.field("outputs") for p in reversed(case.found.past))
        before = next((outputs for outputs in pasts if outputs), None)
        if before is None and case.entry.outputs:  # later nights have this one's
            compared.reasons.append(str(Cause.NO_OUTPUTS))
            return None
        compared.agreement = agreement(before, case.entry.outputs)
        return quality_doubt(compared.agreement, self.terms.least_agreement)

    def _without_history(self, blank: Comparison, found: Found) -> Comparison:
        if found.is_itself:
            return with_verdict(blank, Verdict.PROVISIONAL, [Cause.ONLY_ITSELF])
        if self.terms.is_saving:
            return with_verdict(blank, Verdict.PROVISIONAL, [Cause.FIRST_SESSION])
        return with_verdict(blank, Verdict.MISSING, [Cause.NO_HISTORY])

    def _tested(
        self, compared: Comparison, rule: Rule, history: History, *, is_repeatable: bool
    ) -> Comparison:
        """Decide by the history test, to the worse and to the better."""
        allowed = rule.allowed(exp(history.mean))
        if isinf(allowed):
            return with_verdict(compared, Verdict.INVALID, [Cause.NEVER_FAILS])
        compared.promise = max(compared.promise or 0.0, 2 * (exp(allowed) - 1))
        worsening = rule.worsening(log(compared.ratio or 1.0))
        p = p_value(worsening, allowed, history)
        # A change to the one side says nothing of the other.
        p_better = p_value(-worsening, allowed, history) if worsening < 0 else 1.0
        alpha = self.terms.alpha if is_repeatable else self.terms.alpha**2
        compared.p, compared.alpha = p, alpha
        least = (
            least_found(allowed, history, alpha=alpha)
            if is_repeatable
            else least_found(allowed, history, alpha=alpha, power=POWER)
        )
        compared.mde = exp(min(least, _LARGEST_LOG)) - 1
        if p <= alpha:
            return with_verdict(compared, Verdict.REGRESSED, [])
        if p_better <= alpha:
            return with_verdict(compared, Verdict.IMPROVED, [])
        if not is_repeatable and min(p, p_better) <= self.terms.alpha:
            return with_verdict(compared, Verdict.PROVISIONAL, [Cause.NOT_REPEATABLE])
        return _unremarkable(compared)


def _compared(blank: Comparison, case: _Case, change: float, history: History) -> Comparison:
    """Say how the logarithm of a figure changed, and what else did."""
    ratio = exp(change)
    speed = speed_ratio(blank.metric, case.entry, case.found)
    low, high = interval(change, history)
    blank.ratio = ratio
    blank.interval = [exp(low), exp(high)]
    blank.sessions = history.sessions
    blank.scatter = history.scatter
    blank.attribution = attribution(ratio, speed) if speed else None
    blank.beside = case.around.beside
    blank.under_test = case.around.under_test
    blank.reasons = list(case.around.cautions)
    if not history.is_settled:
        blank.reasons.append(str(Cause.SCATTER_ASSUMED))
    return blank


def applies(rule: Rule, entry: Entry) -> bool:
    """Tell whether a case of that kind has the metric."""
    return rule.metric in figures_of(entry.kind)


def _unremarkable(comparison: Comparison) -> Comparison:
    """Decide PASS where the gate would have found what it promises, else PROVISIONAL."""
    if (comparison.mde or 0.0) <= (comparison.promise or 0.0):
        return with_verdict(comparison, Verdict.PASS, [])
    return with_verdict(comparison, Verdict.PROVISIONAL, [Cause.TOO_COARSE])


def needs_repetition(comparisons: Sequence[Comparison]) -> bool:
    """Tell whether something has to be measured again before it counts."""
    return any(c.p is not None and c.verdict in _TENTATIVE for c in comparisons)


def confirmed(first: Comparison, second: Comparison) -> Comparison:
    """Return what two measurements of a figure in one job say together.

    Only what both flag to the same side counts. A second measurement that cannot be judged leaves
    nothing confirmed, and says why.
    """
    if first.verdict not in _TENTATIVE or first.p is None:
        return first
    if second.p is None:
        return replace(second, p=first.p)
    repeated = replace(first, p_repeated=second.p)
    if second.verdict == first.verdict:
        return told(repeated)
    return told(with_verdict(_unremarkable(repeated), None, [Cause.NOT_REPEATED]))


_TENTATIVE = frozenset({Verdict.REGRESSED, Verdict.IMPROVED})


def _incomparable(
    entry: Entry, facts: Comparability, found: Found, under_test: UnderTest
) -> tuple[Cause, list[str]] | None:
    """Return why an entry cannot be compared, with the facts in question; None where it can."""
    unknown = unknown_facts(entry.kind, facts.refuse)
    if unknown := [name for name in unknown if not under_test.covers(name)]:
        return Cause.FACTS_UNKNOWN, unknown
    if found.is_ambiguous:
        return Cause.AMBIGUOUS, []
    if found.differing:
        return Cause.FACTS_DIFFER, [str(difference) for difference in found.differing]
    return None
