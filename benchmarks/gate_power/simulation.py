"""Nights of a gate, on figures whose truth is known because they are made.

Everything that decides is the gate's own: `Baseline`, `Judge`, `needs_repetition`, `confirmed` and
`admit`. What is made are the measurements.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from math import log1p, sqrt
from statistics import fmean, stdev
from typing import NamedTuple

from machine import (
    BLANKS,
    CASES,
    ENERGY,
    FACTS,
    RULES,
    SPEED,
    Luck,
    Machine,
    session_of,
    with_figures,
)

from pytest_lem.gate.admission import admit
from pytest_lem.gate.judge import Judge, Terms, confirmed, needs_repetition
from pytest_lem.gate.rule import Rule
from pytest_lem.gate.verdict import Verdict
from pytest_lem.results.comparison import Comparison
from pytest_lem.results.entry import Entry

#: Whether a repetition has luck of its own, or that of the measurement it repeats.
INDEPENDENT, SHARED = "independent", "shared"
#: The longest history that was looked at: about two months of nights.
LONG = 50

Admission = Callable[[Entry, Sequence[Comparison]], None]


class Share(NamedTuple):
    """A share that was counted, with its 95 % interval."""

    value: float
    low: float
    high: float


class Effort(NamedTuple):
    """How much is simulated.

    Attributes:
        suites: histories of their own.
        nights: nights that are compared with each of them; none of them joins it.
        repetitions: how often what was flagged is measured again. One of them would be what a
            night does; the share of many says the same with less scatter.

    """

    suites: int
    nights: int = 1
    repetitions: int = 1


class Rates(NamedTuple):
    """What became of figures that were all equally worse.

    Attributes:
        flagged: regressed by the first measurement.
        alarms: regressed by the repetition as well, by whose luck that had.
        verdicts: how often each verdict was the last, by the first way of repeating.
        least_found: what the gate says it would find, the mean, as a share.

    """

    flagged: Share
    alarms: dict[str, Share]
    verdicts: dict[str, float]
    least_found: float


def rates(
    sessions: int,
    session_cv: float,
    effort: Effort,
    *,
    worse: float = 0.0,
    is_own_least: bool = False,
    modes: Sequence[str] = (INDEPENDENT, SHARED),
) -> Rates:
    """Compare nights with histories of so many sessions.

    `worse` is the change of the truth, as a share; with `is_own_least` it is, for each figure, the
    change that the gate says it finds in four of five nights.
    """
    counts = [
        _suite(
            Machine(session_cv, f"{sessions} {session_cv} {worse} {is_own_least} {number}"),
            sessions,
            effort,
            modes,
            None if is_own_least else (log1p(worse), log1p(worse)),
        )
        for number in range(effort.suites)
    ]
    each = 2 * CASES * effort.nights
    return Rates(
        flagged=share([c["flagged"] / each for c in counts]),
        alarms={mode: share([c[mode, Verdict.REGRESSED] / each for c in counts]) for mode in modes},
        verdicts={v: fmean(c[modes[0], v] / each for c in counts) for v in Verdict},
        least_found=fmean(c["least"] / each for c in counts),
    )


def _suite(
    machine: Machine, sessions: int, effort: Effort, modes: Sequence[str], worse: Luck | None
) -> Counter[object]:
    """Count what nights against one history come to."""
    judge = Judge(machine.history(sessions), Terms(), "tonight")
    counts: Counter[object] = Counter()
    for _ in range(effort.nights):
        for blank in BLANKS:
            change = worse or _own_least(judge, blank)
            luck = machine.luck()
            first = judge.judge(machine.measured(blank, luck, change), FACTS, RULES)
            counts["least"] += sum(c.mde or 0.0 for c in first)
            counts["flagged"] += sum(c.verdict == Verdict.REGRESSED for c in first)
            for mode in modes:
                last = _repeated(
                    judge,
                    machine,
                    blank,
                    first,
                    worse=change,
                    effort=effort,
                    luck=luck if mode == SHARED else None,
                )
                for comparison, weight in last:
                    counts[mode, comparison.verdict] += weight
    return counts


def _own_least(judge: Judge, blank: Entry) -> Luck:
    """Return, as logarithms, what the gate says of each figure of a case it would find."""
    energy, speed = judge.judge(with_figures(blank, 1.0, 1.0), FACTS, RULES)
    return log1p(energy.mde or 0.0), log1p(speed.mde or 0.0)


def _repeated(
    judge: Judge,
    machine: Machine,
    blank: Entry,
    first: list[Comparison],
    *,
    worse: Luck,
    luck: Luck | None,
    effort: Effort,
) -> Iterable[tuple[Comparison, float]]:
    """Measure again what has to be, with that luck or with luck of its own each time.

    Returns what then stands, and how much each counts.
    """
    if not needs_repetition(first):
        return ((comparison, 1.0) for comparison in first)
    found = []
    for _ in range(effort.repetitions):
        entry = machine.measured(blank, luck or machine.luck(), worse)
        second = judge.judge(entry, FACTS, RULES)
        found += [confirmed(*pair) for pair in zip(first, second, strict=True)]
    return ((comparison, 1 / effort.repetitions) for comparison in found)


def share(suites: Sequence[float], figures: int = 2 * CASES) -> Share:
    """Return the mean over suites of so many figures, which know nothing of each other.

    Of what was never seen in n figures, the truth is below 3/n with 95 %, and likewise of what was
    always seen; nights against the same history count once.
    """
    value, rest = fmean(suites), 3 / (figures * len(suites))
    if value in {0, 1}:
        return Share(value, max(0.0, value - rest), min(1.0, value + rest))
    half = 1.96 * stdev(suites) / sqrt(len(suites))
    return Share(value, max(0.0, value - half), min(1.0, value + half))


def night(
    judge: Judge,
    machine: Machine,
    name: str,
    *,
    worse: float = 0.0,
    mode: str = INDEPENDENT,
    rules: Sequence[Rule] = RULES,
    admission: Admission = admit,
) -> list[list[Comparison]]:
    """Measure all cases, judge them and save the session; return what is said of each case."""
    change = (log1p(worse), log1p(worse))
    entries, told = [], []
    for blank in BLANKS:
        luck = machine.luck()
        entry = machine.measured(blank, luck, change)
        found = judge.judge(entry, FACTS, rules)
        if needs_repetition(found):
            own = luck if mode == SHARED else machine.luck()
            again = machine.measured(blank, own, change)
            pairs = zip(found, judge.judge(again, FACTS, rules), strict=True)
            found = [confirmed(*pair) for pair in pairs]
            entry = _pooled(entry, again)
        admission(entry, found)
        entries.append(entry)
        told.append(found)
    judge.baseline.add(session_of(name, entries))
    return told


def _pooled(first: Entry, second: Entry) -> Entry:
    """Return both measurements of a night as one entry, as a session file has them."""
    return with_figures(
        first,
        *(fmean((first.figures[m].value, second.figures[m].value)) for m in (ENERGY, SPEED)),
    )


def join_all(entry: Entry, comparisons: Sequence[Comparison]) -> None:
    """Admit whatever was measured: what the gate must not do, for comparison."""
    entry.state = "joined"


@dataclass(frozen=True, slots=True)
class Step:
    """How often a step that stays was found: on each night, and on all of them."""

    nights: list[Share]
    always: Share


def step(
    session_cv: float,
    suites: int,
    *,
    worse: float = 0.10,
    nights: int = 3,
    sessions: int = 8,
    admission: Admission = admit,
) -> Step:
    """Let the energy rise once and stay, in a job that saves each night to its own history.

    Only energy is gated: a second figure that is flagged would help to keep the entry out.
    """
    found: list[list[float]] = []
    for number in range(suites):
        machine = Machine(session_cv, f"step {session_cv} {number}")
        judge = Judge(machine.history(sessions), Terms(is_saving=True), "tonight")
        alarms = [
            [
                told[0].verdict == Verdict.REGRESSED
                for told in night(
                    judge, machine, f"later-{n}", worse=worse, rules=RULES[:1], admission=admission
                )
            ]
            for n in range(nights)
        ]
        each = [fmean(alarm) for alarm in alarms]
        found.append([*each, fmean(all(case) for case in zip(*alarms, strict=True))])
    shares = [share(column, CASES) for column in zip(*found, strict=True)]
    return Step(nights=shares[:-1], always=shares[-1])


class Grown(NamedTuple):
    """What a job without any change says in some of its nights.

    Attributes:
        alarms: false ones, of all figures.
        verdicts: how often each verdict was given.
        waiting: cases that did not join the history.

    """

    alarms: Share
    verdicts: dict[str, float]
    waiting: float


def grown(
    session_cv: float, suites: int, spans: Sequence[tuple[int, int]], *, mode: str
) -> list[Grown]:
    """Let a history grow from nothing, by the gate's own admission; one answer for each span."""
    counts: list[list[Counter[str]]] = []
    for number in range(suites):
        machine = Machine(session_cv, f"grown {session_cv} {mode} {number}")
        judge = Judge(machine.history(0), Terms(is_saving=True), "tonight")
        counts.append(
            [
                _tallied(judge, night(judge, machine, f"{n:04}", mode=mode))
                for n in range(spans[-1][1])
            ]
        )
    return [_of_span([suite[first - 1 : last] for suite in counts]) for first, last in spans]


def _tallied(judge: Judge, told: Sequence[Sequence[Comparison]]) -> Counter[str]:
    counts = Counter(c.verdict for found in told for c in found)
    joined = sum(len(past) for past in judge.baseline.cases.values())
    counts["joined so far"] = joined
    counts["nights so far"] = judge.baseline.sessions
    return counts


def _of_span(suites: Sequence[Sequence[Counter[str]]]) -> Grown:
    def mean(name: str) -> list[float]:
        return [fmean(night[name] / (2 * CASES) for night in nights) for nights in suites]

    waiting = [
        1 - nights[-1]["joined so far"] / (CASES * nights[-1]["nights so far"]) for nights in suites
    ]
    return Grown(
        alarms=share(mean(Verdict.REGRESSED)),
        verdicts={verdict: fmean(mean(verdict)) for verdict in Verdict},
        waiting=fmean(waiting),
    )
