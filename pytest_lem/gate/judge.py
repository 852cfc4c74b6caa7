"""The judge: what each gated figure of a case is against its history."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, isinf, log

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


@dataclass(frozen=True, slots=True)
class _Subject:
    """What is judged: a figure of an entry, and what there is to compare it with."""

    entry: Entry
    facts: Comparability
    rule: Rule
    found: Found
    around: Surroundings
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
        found = self.baseline.find(entry, facts)
        chosen = [rule for rule in rules if applies(rule, entry)]
        around = surroundings(entry, facts, found, self.baseline.under_test)
        subjects = (_Subject(entry, facts, rule, found, around, is_repeatable) for rule in chosen)
        judged = [self._judged(subject) for subject in subjects]
        for comparison in judged:
            comparison.m = len(judged)
        return [told(comparison) for comparison in judged]

    def _judged(self, subject: _Subject) -> Comparison:
        blank = draft(
            subject.entry,
            subject.rule,
            baseline=self.baseline.name,
            run=self.run,
            promise=self.terms.promise,
        )
        doubt, causes = doubts(
            subject.entry, subject.rule, allows_estimates=self.terms.allows_estimates
        )
        if doubt is Verdict.INVALID:
            return with_verdict(blank, doubt, causes)
        if forbidden := _incomparable(subject, self.baseline.under_test):
            cause, differing = forbidden
            return with_verdict(blank, Verdict.INCOMPARABLE, [cause], differing)
        metric = subject.rule.metric
        resolution = subject.entry.figures[metric].resolution
        history = subject.found.history(metric, self.terms.prior_cv, resolution)
        if history is None:
            return self._without_history(blank)
        compared = self._compared(blank, subject, history)
        if doubt is Verdict.INCONCLUSIVE:
            return with_verdict(compared, doubt, causes)
        return self._decided(compared, subject, history)

    def _decided(self, compared: Comparison, subject: _Subject, history: History) -> Comparison:
        wrong = length_doubt(subject.entry, subject.around.beside)
        if wrong := wrong or self._quality_doubt(compared, subject):
            return with_verdict(compared, *wrong)
        if subject.rule.metric in EXACT:
            return judged_exactly(compared, subject.rule, exp(history.mean))
        return self._tested(compared, subject, history)

    def _quality_doubt(
        self, compared: Comparison, subject: _Subject
    ) -> tuple[Verdict, list[Cause]] | None:
        """Hold what was said against the last session that has its outputs."""
        if self.terms.least_agreement is None or subject.entry.kind != "infer":
            return None
        pasts = (p.entry.outputs for p in reversed(subject.found.past))
        before = next((outputs for outputs in pasts if outputs), None)
        if before is None and subject.entry.outputs:  # later nights have this one's
            compared.reasons.append(str(Cause.NO_OUTPUTS))
            return None
        compared.agreement = agreement(before, subject.entry.outputs)
        return quality_doubt(compared.agreement, self.terms.least_agreement)

    def _without_history(self, blank: Comparison) -> Comparison:
        if self.terms.is_saving:
            return with_verdict(blank, Verdict.PROVISIONAL, [Cause.FIRST_SESSION])
        return with_verdict(blank, Verdict.MISSING, [Cause.NO_HISTORY])

    def _compared(self, blank: Comparison, subject: _Subject, history: History) -> Comparison:
        """Say how the figure changed, and what else did."""
        entry, rule, found = subject.entry, subject.rule, subject.found
        change = log(entry.figures[rule.metric].value) - history.mean
        speed = speed_ratio(rule.metric, entry, found)
        blank.ratio = exp(change)
        blank.interval = [exp(x) for x in interval(change, history)]
        blank.sessions = history.sessions or len(history.logs)
        blank.scatter = history.scatter
        blank.attribution = attribution(exp(change), speed) if speed else None
        blank.beside = subject.around.beside
        blank.under_test = subject.around.under_test
        blank.reasons = [str(cause) for cause in subject.around.cautions]
        if not history.is_settled:
            blank.reasons.append(str(Cause.SCATTER_ASSUMED))
        return blank

    def _tested(self, compared: Comparison, subject: _Subject, history: History) -> Comparison:
        """Decide by the history test, to the worse and to the better."""
        rule, is_repeatable = subject.rule, subject.is_repeatable
        allowed = rule.allowed(exp(history.mean))
        if isinf(allowed):
            return with_verdict(compared, Verdict.INVALID, [Cause.NEVER_FAILS])
        compared.promise = max(compared.promise or 0.0, 2 * (exp(allowed) - 1))
        worsening = rule.worsening(log(compared.ratio or 1.0))
        p = p_value(worsening, allowed, history)
        p_better = p_value(-worsening, allowed, history)
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


def _incomparable(subject: _Subject, under_test: UnderTest) -> tuple[Cause, list[str]] | None:
    """Return why an entry cannot be compared, with the facts in question; None where it can."""
    unknown = unknown_facts(subject.entry.kind, subject.facts.refuse)
    if unknown := [name for name in unknown if not under_test.covers(name)]:
        return Cause.FACTS_UNKNOWN, unknown
    if subject.found.is_ambiguous:
        return Cause.AMBIGUOUS, []
    if subject.found.differing:
        return Cause.FACTS_DIFFER, [str(difference) for difference in subject.found.differing]
    return None
