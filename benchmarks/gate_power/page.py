"""The page that a run of the simulation writes: figures, and beside them what was stated."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from machine import CASES, WITHIN_CV
from simulation import INDEPENDENT, SHARED, Grown, Rates, Share, Step

from pytest_lem.gate.judge import Terms
from pytest_lem.gate.rule import DEFAULT_PERCENT
from pytest_lem.gate.verdict import Verdict

FIGURES = 2 * CASES
#: False alarms over a night of fifty figures, by whose luck the repetition has.
STATED_ALARMS = {INDEPENDENT: 0.001, SHARED: 0.1}
#: Change found, by sessions of history and change: at 2 % scatter and at 1 %.
STATED_FOUND = {(1, 0.15): (0.69, 0.92), (2, 0.10): (0.38, 0.64), (8, 0.10): (0.80, 1.0),
                (8, 0.05): (0.07, 0.19)}  # fmt: skip


class Found(NamedTuple):
    """All that was simulated; keys are sessions of history, scatter and change."""

    quiet: dict[tuple[int, float], Rates]
    worse: dict[tuple[int, float, float], Rates]
    least: dict[tuple[int, float], Rates]
    steps: dict[tuple[float, bool], Step]
    grown: dict[float, dict[tuple[int, int], Grown]]


def page(found: Found, how: str) -> str:
    """Return the whole page in Markdown; `how` says what made it."""
    parts = (_opening(how), _quiet(found), _verdicts(found), _worse(found), _least(found))
    later = (_steps(found), _grown(found))
    return "\n".join(line for part in (*parts, *later) for line in part).rstrip() + "\n"


def _opening(how: str) -> Iterator[str]:
    terms = Terms()
    yield "# What the gate finds, and how often it alarms for nothing\n"
    yield _prose(f"Made by `tox run -e gate-power`; nothing here is written by hand. {how}")
    yield _prose(
        f"""The gate is the real one: the code that judges a session in a run of pytest judges made
        sessions here, saves them and reads them as its history. Only the measurements are made. The
        logarithm of a figure is its truth plus the luck of its session plus the luck of the
        measurement. Both are normal; together they make figures of different sessions scatter by 1,
        2 or 4 %, of which the luck of a measurement is {_percent(WITHIN_CV)}. **How real sessions
        scatter is not known from this**: where they have heavier tails, or wander over weeks, the
        figures below are too good."""
    )
    yield _prose(
        f"""The gate's terms are the defaults: {DEFAULT_PERCENT:g} % is allowed, the level of one
        measurement is {terms.alpha:g}, a change of {_percent(terms.promise)} is promised, and a
        scatter of {_percent(terms.prior_cv)} between sessions is assumed until there are sessions
        to tell it from. A night has {CASES} cases of two figures, energy per token and throughput,
        each with luck of its own."""
    )
    yield _prose(
        """What is flagged is measured again in the same job, and only what both measurements flag
        is an alarm. How much luck the two have in common, nobody knows before it is measured on a
        machine. Both ends are shown: the repetition has luck of its own (independent), or all of
        the session's luck once more (shared). About false alarms, each flagged measurement is
        repeated many times and the mean counts."""
    )
    yield _prose(
        """In brackets stands the 95 % interval of what the simulation can tell, or its upper end.
        *Stated* is what the method was chosen for, before there was code."""
    )


def _quiet(found: Found) -> Iterator[str]:
    yield "## Nothing has changed: false alarms\n"
    yield _prose(
        f"""How many figures of 100,000, each compared in one night, and how many alarms in a night
        of {FIGURES} figures. Stated, for 1 and 2 % of scatter: {STATED_ALARMS[INDEPENDENT]:g} a
        night if independent, about {STATED_ALARMS[SHARED]:g} if shared."""
    )
    yield from _table(
        "scatter", "sessions of history", "flagged by the first, of 100,000",
        "alarms, independent", "a night", "alarms, shared", "a night", "as stated",
    )  # fmt: skip
    for (sessions, scatter), rates in found.quiet.items():
        cells = [c for alarms in rates.alarms.values() for c in (_rare(alarms), _nightly(alarms))]
        is_claimed = scatter <= Terms().prior_cv
        held = _alarms_held(rates) if is_claimed else "nothing stated"
        yield _row(_percent(scatter), str(sessions), _rare(rates.flagged), *cells, held)
    yield ""
    yield _prose(
        """At 4 % the sessions scatter twice as much as is assumed before they are seen, and the
        gate alarms more often than was stated, the less so the longer the history: set
        `gate.session_cv` to what the machine shows."""
    )


def _alarms_held(rates: Rates) -> str:
    """Say whether the figures of a night are at most what was stated."""
    nights = [(s, STATED_ALARMS[mode]) for mode, s in rates.alarms.items()]
    if all(FIGURES * s.high <= stated for s, stated in nights):
        return "yes"
    if any(FIGURES * s.low > stated for s, stated in nights):
        return "**no**"
    return "about" if all(s.value > 0 for s, _ in nights) else "too few to tell"


def _verdicts(found: Found) -> Iterator[str]:
    yield "## Nothing has changed: what a figure is told\n"
    yield _prose(
        """PASS means that the promised change would have been found in four of five nights; where
        it would not, the verdict is PROVISIONAL, which fails nothing either."""
    )
    names = (Verdict.PASS, Verdict.PROVISIONAL, Verdict.IMPROVED, Verdict.REGRESSED)
    yield from _table("scatter", "sessions of history", *(name.upper() for name in names))
    for (sessions, scatter), rates in found.quiet.items():
        shares = (_percent(rates.verdicts[name], 3) for name in names)
        yield _row(_percent(scatter), str(sessions), *shares)
    yield ""


def _worse(found: Found) -> Iterator[str]:
    yield "## A figure has become worse: how often that is found\n"
    yield _prose(
        """In one night, by both measurements. The stated figures are for a repetition with luck of
        its own, from 2 % of scatter to 1 %."""
    )
    yield from _table(
        "sessions of history", "worse by", "2 %, independent", "1 %, independent", "stated",
        "as stated", "2 %, shared", "1 %, shared",
    )  # fmt: skip
    for sessions, change in dict.fromkeys((k, change) for k, _, change in found.worse):
        rates = [found.worse[sessions, scatter, change] for scatter in (0.02, 0.01)]
        stated = STATED_FOUND.get((sessions, change))
        independent, shared = ([r.alarms[m] for r in rates] for m in (INDEPENDENT, SHARED))
        yield _row(
            str(sessions),
            _percent(change),
            *map(_common, independent),
            "-" if stated is None else f"{100 * stated[0]:.0f} to {100 * stated[1]:.0f} %",
            _found_held(independent, stated),
            *map(_common, shared),
        )
    yield ""
    yield _prose("A history cannot tell small changes from the scatter.")


def _found_held(shares: Sequence[Share], stated: tuple[float, float] | None) -> str:
    """Say whether what is found is at least what was stated; those have two digits."""
    if stated is None:
        return "-"
    is_held = all(s.high >= one - 0.005 for s, one in zip(shares, stated, strict=True))
    return "yes" if is_held else "**no**"


def _least(found: Found) -> Iterator[str]:
    yield "## Is the least change that would be found stated rightly?\n"
    yield _prose(
        """Each comparison prints it. Here every figure is worse by just what its own comparison
        says; four of five (80 %) should be found."""
    )
    yield from _table(
        "scatter", "sessions of history", "stated, the mean", "found, independent", "shared"
    )
    for (sessions, scatter), rates in found.least.items():
        both = (_common(rates.alarms[mode]) for mode in (INDEPENDENT, SHARED))
        yield _row(_percent(scatter), str(sessions), _percent(rates.least_found, 3), *both)
    yield ""
    yield _prose(
        "More are found where sessions scatter less than is assumed, fewer where they scatter more."
    )


def _steps(found: Found) -> Iterator[str]:
    yield "## A step that stays, in a job that saves every night\n"
    yield _prose(
        """Eight sessions of history, then energy rises by 10 % and stays. Each night is saved to
        the history it is compared with. What regressed waits for a person and does not join, so
        that later nights alarm as well. The last rows show the same nights with everything let in:
        the step becomes its own baseline."""
    )
    yield from _table("scatter", "joins", "night 1", "night 2", "night 3", "on all three")
    for (scatter, is_guarded), step in found.steps.items():
        joins = "as the gate admits" if is_guarded else "everything"
        cells = map(_common, (*step.nights, step.always))
        yield _row(_percent(scatter), joins, *cells)
    yield ""
    yield _prose(
        """Only energy was gated, by repetitions with luck of their own. A night that misses the
        step lets it in, after which the others find it less often."""
    )


def _grown(found: Found) -> Iterator[str]:
    yield "## From the first night on\n"
    yield _prose(
        """A history that grows by its own admission, nothing changes, and nobody accepts what
        waits. Repetitions share the luck of the session, which is the worse case for false
        alarms."""
    )
    yield from _table(
        "scatter", "nights", f"alarms a night of {FIGURES} figures", "PASS", "PROVISIONAL",
        "cases that wait, of all so far",
    )  # fmt: skip
    for scatter, spans in found.grown.items():
        for (first, last), grown in spans.items():
            nights = str(first) if first == last else f"{first} to {last}"
            shares = (_percent(grown.verdicts[v], 3) for v in (Verdict.PASS, Verdict.PROVISIONAL))
            waiting = _percent(grown.waiting, 2)
            yield _row(_percent(scatter), nights, _nightly(grown.alarms), *shares, waiting)
    yield ""


def _prose(text: str) -> str:
    return textwrap.fill(" ".join(text.split()), width=100, break_on_hyphens=False) + "\n"


def _table(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield _row(*["---"] * len(names))


def _row(*cells: str) -> str:
    return f"| {' | '.join(cells)} |"


def _percent(value: float, digits: int = 4) -> str:
    return "< 0.01 %" if 0 < value < 1e-4 else f"{100 * value:.{digits}g} %"


def _common(share: Share) -> str:
    """Return a share that is often above nothing."""
    return f"{100 * share.value:.0f} % ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _rare(share: Share) -> str:
    """Return how many of a hundred thousand figures."""
    if share.value == 0:
        return f"none (< {_many(share.high)})"
    return f"{_many(share.value)} (< {_many(share.high)})"


def _many(value: float) -> str:
    count = 1e5 * value
    return f"{count:,.0f}" if count >= 10 else f"{count:.2g}"


def _nightly(share: Share) -> str:
    if share.value == 0:
        return f"none (< {FIGURES * share.high:.2g})"
    return f"{FIGURES * share.value:.2g} (< {FIGURES * share.high:.2g})"
