"""The judge of two sides that took turns in one job: what each gated figure of B is against A."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import exp, isinf

from pytest_lem.gate.agreement import Outputs, agreement
from pytest_lem.gate.attribution import attribution
from pytest_lem.gate.baseline import Found
from pytest_lem.gate.context import SPEEDS, beside, cautions
from pytest_lem.gate.doubt import doubts
from pytest_lem.gate.drafting import (
    draft,
    judged_exactly,
    length_doubt,
    quality_doubt,
    told,
    with_verdict,
)
from pytest_lem.gate.judge import applies
from pytest_lem.gate.key import differences
from pytest_lem.gate.paired import (
    FLAG_ALPHA,
    Pairs,
    interval,
    least_found,
    level_of_second,
    p_value,
)
from pytest_lem.gate.past import past_of
from pytest_lem.gate.rule import Rule
from pytest_lem.gate.stage import Stage, level, pairs_of
from pytest_lem.gate.verdict import Cause, Verdict
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.definitions import EXACT
from pytest_lem.results.entry import Entry
from pytest_lem.results.record import Comparability

#: Facts about the machine and the method, in which two sides of one job agree if they ran alike.
_SHARED = ("gpu.", "driver.", "cuda.", "meter.", "method.", "workers", "cpu.model", "cpu.count")
_TENTATIVE = frozenset({Verdict.REGRESSED, Verdict.IMPROVED})
#: Scatter of windows, as a share, from which on ten pairs find too little.
_MUCH_SCATTER = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class PairTerms:
    """On what terms two sides are compared.

    Attributes:
        promise: change, as a share, that the gate undertakes to find; at least twice the allowed.
        allows_estimates: whether an estimated energy may be gated.
        figures: how many figures are gated in the whole suite.
        least_agreement: share of A's output that B must have as well; None: any will do.

    """

    promise: float = 0.05
    allows_estimates: bool = False
    figures: int = 1
    least_agreement: float | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two, with what was measured over all of its loads.

    Attributes:
        outputs: output ids of the requests of a window; None where they say nothing, as without
            greedy decoding.

    """

    name: str
    entry: Entry
    facts: Comparability
    outputs: Outputs | None = None


@dataclass(frozen=True, slots=True)
class _Question:
    """What is judged: a figure of two sides, by one stage, at its level."""

    a: Side
    b: Side
    rule: Rule
    stage: Stage
    alpha: float


@dataclass(frozen=True, slots=True)
class PairJudge:
    """Compares two sides. Pure: it reads and writes nothing.

    Attributes:
        run: the name of the run.
        under_test: what was meant to differ, from what to what.

    """

    terms: PairTerms
    run: str
    under_test: str

    def judge(self, a: Side, b: Side, rules: Sequence[Rule], stage: Stage) -> list[Comparison]:
        """Return a comparison for each rule that applies, by the first stage alone.

        REGRESSED and IMPROVED are tentative: `confirmed` needs a second stage with fresh loads.
        """
        return self._all(a, b, rules, stage, alpha=FLAG_ALPHA)

    def confirmed(
        self, first: Sequence[Comparison], a: Side, b: Side, rules: Sequence[Rule], stage: Stage
    ) -> list[Comparison]:
        """Return what both stages say together; the figures are those of the second.

        What the first has flagged was chosen for being far out, so that only the second shows it as
        it is.
        """
        alpha = level_of_second(self.terms.figures)
        second = self._all(a, b, rules, stage, alpha=alpha)
        return [self._both(*pair) for pair in zip(first, second, strict=True)]

    def _both(self, first: Comparison, second: Comparison) -> Comparison:
        if not is_tentative(first):
            return first
        if second.p is None:  # it cannot be judged, and says why
            return replace(second, p=first.p)
        found = replace(second, p=first.p, p_repeated=second.p, m=first.m)
        if second.verdict == first.verdict:
            return found
        # Whatever else the second says, one measurement alone confirms nothing.
        return told(with_verdict(_unremarkable(found), None, [Cause.NOT_REPEATED]))

    def _all(
        self, a: Side, b: Side, rules: Sequence[Rule], stage: Stage, *, alpha: float
    ) -> list[Comparison]:
        chosen = [rule for rule in rules if applies(rule, b.entry)]
        questions = (_Question(a, b, rule, stage, alpha) for rule in chosen)
        return [told(self._judged(question)) for question in questions]

    def _judged(self, asked: _Question) -> Comparison:
        a, b, promise = asked.a, asked.b, self.terms.promise
        blank = draft(b.entry, asked.rule, baseline=a.name, run=self.run, promise=promise)
        blank.m = self.terms.figures
        blank.under_test = [self.under_test, *_following(a.facts, b.facts)]
        doubt, causes = self._doubt(asked)
        if doubt is Verdict.INVALID:
            return with_verdict(blank, doubt, causes)
        if apart := _apart(a.facts, b.facts):
            return with_verdict(blank, Verdict.INCOMPARABLE, [Cause.SIDES_DIFFER], apart)
        around = Found([past_of(a.name, a.entry, a.facts)])
        blank.beside = beside(b.entry, around)
        blank.reasons = [str(c) for c in cautions(b.entry, b.facts, around, blank.beside)]
        blank.agreement = agreement(a.outputs, b.outputs)
        decided = self._decided(asked, blank)
        if doubt is Verdict.INCONCLUSIVE and decided.verdict != Verdict.INVALID:
            return with_verdict(decided, doubt, causes)
        return decided

    def _decided(self, asked: _Question, blank: Comparison) -> Comparison:
        metric, stage = asked.rule.metric, asked.stage
        before = asked.a.entry.figures[metric].value
        pairs = None if metric in EXACT else pairs_of(stage, metric)
        if metric in EXACT:
            blank.ratio = asked.b.entry.figures[metric].value / before
        elif pairs is None:
            return with_verdict(blank, Verdict.INVALID, [Cause.NO_VALUE])
        else:
            blank = _compared(blank, pairs, pairs_of(stage, SPEEDS.get(metric, "")))
        wrong = length_doubt(asked.b.entry, blank.beside)
        if wrong := wrong or quality_doubt(blank.agreement, self.terms.least_agreement):
            return with_verdict(blank, *wrong)
        if pairs is None:
            return judged_exactly(blank, asked.rule, before)
        return self._tested(blank, asked, pairs)

    def _doubt(self, asked: _Question) -> tuple[Verdict, list[Cause]]:
        """Return the worse doubt about the two sides."""
        allows, sides = self.terms.allows_estimates, (asked.a, asked.b)
        found = [doubts(side.entry, asked.rule, allows_estimates=allows) for side in sides]
        return max(found, key=lambda one: (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.INVALID)
                   .index(one[0]))  # fmt: skip

    def _tested(self, compared: Comparison, asked: _Question, pairs: Pairs) -> Comparison:
        """Decide by the exact test, to the worse and to the better."""
        rule, alpha = asked.rule, asked.alpha
        allowed = rule.allowed(level(asked.stage, rule.metric))
        if isinf(allowed):
            return with_verdict(compared, Verdict.INVALID, [Cause.NEVER_FAILS])
        compared.promise = max(compared.promise or 0.0, 2 * (exp(allowed) - 1))
        worsenings = [rule.worsening(x) for x in pairs.logs]
        compared.p, compared.alpha = p_value(worsenings, allowed), alpha
        compared.mde = exp(least_found(allowed, pairs, figures=self.terms.figures)) - 1
        if compared.p <= alpha:
            return with_verdict(compared, Verdict.REGRESSED, [])
        if p_value([-x for x in worsenings], allowed) <= alpha:
            return with_verdict(compared, Verdict.IMPROVED, [])
        return _unremarkable(compared)


def is_tentative(comparison: Comparison) -> bool:
    """Tell whether a second stage has to show it again."""
    return comparison.p is not None and comparison.verdict in _TENTATIVE


def _compared(blank: Comparison, pairs: Pairs, speeds: Pairs | None) -> Comparison:
    """Say how the figure changed, and what the change is made of."""
    blank.ratio = exp(pairs.middle)
    blank.interval = [exp(x) for x in interval(pairs)]
    blank.pairs = len(pairs.logs)
    blank.scatter, blank.load_scatter = pairs.scatter, pairs.load_scatter
    if speeds is not None:
        ratio = exp(speeds.middle)
        is_time = SPEEDS[blank.metric] == "call_duration_s"
        blank.attribution = attribution(blank.ratio, 1 / ratio if is_time else ratio)
    return blank


def _unremarkable(compared: Comparison) -> Comparison:
    """Decide PASS where the gate would have found what it promises, else INCONCLUSIVE."""
    if (compared.mde or 0.0) <= (compared.promise or 0.0):
        compared.verdict = str(Verdict.PASS)
        return compared
    compared.verdict = str(Verdict.INCONCLUSIVE)
    return with_verdict(compared, None, [Cause.TOO_FEW_PAIRS])


def _following(a: Comparability, b: Comparability) -> list[str]:
    """Return what else differs, which follows from what was meant to: a version, a model."""
    own = [{n: v for n, v in facts.refuse.items() if not n.startswith(_SHARED)} for facts in (a, b)]
    return [str(difference) for difference in differences(*own)]


def _apart(a: Comparability, b: Comparability) -> list[str]:
    """Return the facts of machine and method in which the sides differ."""
    shared = [{n: v for n, v in facts.refuse.items() if n.startswith(_SHARED)} for facts in (a, b)]
    return [str(difference) for difference in differences(*shared)]


def further_pairs(found: Sequence[Comparison], pairs: int) -> int:
    """Return how many pairs the second stage needs: twice as many where windows scatter much."""
    scatters = [c.scatter for c in found if is_tentative(c) and c.scatter is not None]
    return 2 * pairs if max(scatters, default=0.0) > _MUCH_SCATTER else pairs
