"""Suites of paired comparisons, on sides whose truth is known because they are made.

Everything that decides is the gate's own: `PairJudge`, `is_tentative` and `further_pairs`. What is
made are the windows: the logarithm of a figure is its truth, plus the luck of its load, plus that
of the window, plus a drift that goes on evenly through the job.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from math import exp, log1p
from typing import NamedTuple

from machine import BLANKS, CASES, ENERGY, FACTS, RULES, SPEED, with_figures
from simulation import Share, share

from pytest_lem.gate.sides import PairJudge, PairTerms, Side, further_pairs, is_tentative
from pytest_lem.gate.stage import Stage, Window
from pytest_lem.gate.verdict import Verdict
from pytest_lem.results.comparison import Comparison

FIGURES = 2 * CASES
PAIRS, LOADS = 10, 2
#: Shares from here on are told by the per cent.
_FEW = 0.1
JUDGE = PairJudge(PairTerms(figures=FIGURES), "tonight", "backend: a -> b")


class World(NamedTuple):
    """What the windows of a suite are made of, as shares.

    Attributes:
        window_cv: scatter of a window.
        load_cv: scatter of a load, which all of its windows have.
        drift: change from the first window of a stage to its last, on both sides alike.
        worse: change of the truth, on side B.
        is_swapped: whether one side is loaded at a time: A x 5, B x 5, reload, B x 5, A x 5.

    """

    window_cv: float
    load_cv: float = 0.0
    drift: float = 0.0
    worse: float = 0.0
    is_swapped: bool = False


class Found(NamedTuple):
    """What suites came to.

    Attributes:
        flagged: figures that the first stage flagged as worse.
        alarms: figures that both stages flagged.
        suites: suites with at least one of those.
        verdicts: how often each verdict was the last, of all figures.

    """

    flagged: Share
    alarms: Share
    suites: Share
    verdicts: dict[str, float]


def found(world: World, suites: int) -> Found:
    """Run so many suites of fifty figures."""
    counts = [_suite(world, random.Random(f"{world} {number}")) for number in range(suites)]
    alarms = [count[Verdict.REGRESSED] for count in counts]
    return Found(
        flagged=share([count["flagged"] / FIGURES for count in counts]),
        alarms=share([alarm / FIGURES for alarm in alarms]),
        suites=share([float(alarm > 0) for alarm in alarms], 1),
        verdicts={v: sum(c[v] for c in counts) / (FIGURES * suites) for v in Verdict},
    )


def _suite(world: World, chance: random.Random) -> Counter[str]:
    counts: Counter[str] = Counter()
    for blank in BLANKS:
        a, b = (Side(name, with_figures(blank, 1.0, 1.0), FACTS) for name in "ab")
        first = JUDGE.judge(a, b, RULES, _stage(world, chance, PAIRS))
        counts["flagged"] += sum(c.verdict == Verdict.REGRESSED for c in first)
        for comparison in _last(world, chance, a, b, first):
            counts[comparison.verdict] += 1
    return counts


def _last(
    world: World, chance: random.Random, a: Side, b: Side, first: list[Comparison]
) -> list[Comparison]:
    """Return what stands when whatever was flagged was measured again."""
    if not any(map(is_tentative, first)):
        return first
    stage = _stage(world, chance, further_pairs(first, PAIRS))
    return JUDGE.confirmed(first, a, b, RULES, stage)


def _stage(world: World, chance: random.Random, pairs: int) -> Stage:
    """Make the windows of a stage: half of the pairs on each of two loads a side."""
    each = pairs // LOADS
    groups = []
    for group in range(LOADS):
        load_a, load_b = (_luck(chance, world.load_cv) for _ in "ab")
        windows = []
        for pair in range(each):
            at_a, at_b = _places(world, group, pair, each)
            drifts = [world.drift * at / (2 * pairs) for at in (at_a, at_b)]
            one = _window(chance, world, load_a, drifts[0], 0.0)
            other = _window(chance, world, load_b, drifts[1], log1p(world.worse))
            windows.append((one, other))
        groups.append(windows)
    return groups


def _places(world: World, group: int, pair: int, each: int) -> tuple[int, int]:
    """Return where the two windows of a pair stand in the order of their stage."""
    before = 2 * each * group
    if world.is_swapped:
        early, late = before + pair, before + each + pair
        return (early, late) if group % 2 == 0 else (late, early)
    number = each * group + pair
    early, late = 2 * number, 2 * number + 1
    return (early, late) if number % 2 == 0 else (late, early)


def _luck(chance: random.Random, cv: float) -> tuple[float, float]:
    return chance.gauss(0, cv), chance.gauss(0, cv)


def _window(
    chance: random.Random, world: World, load: tuple[float, float], drift: float, worse: float
) -> Window:
    energy, speed = _luck(chance, world.window_cv)
    return {
        ENERGY: exp(energy + load[0] + drift + worse),
        SPEED: exp(speed + load[1] - drift - worse),
    }


def page(effort: int, how: str) -> str:
    """Return what is found in suites, in Markdown."""
    return "\n".join([*_opening(how), *_quiet(effort), *_worse(effort)]) + "\n"


def _opening(how: str) -> Iterator[str]:
    yield "# What a paired comparison finds, and how often it alarms for nothing\n"
    yield f"Made by `tox run -e gate-power`; nothing here is written by hand. {how}\n"
    yield (
        "The judge is the real one; the windows are made. A suite has 50 figures, 10 pairs on two\n"
        "loads a side, 1 % is allowed and a change of 5 % is promised. What the first stage flags\n"
        "is measured again with fresh loads (20 pairs where windows scatter by more than 2 %).\n"
        "All luck is normal and that of energy and speed is apart; real windows may have heavier\n"
        "tails. In brackets stands the 95 % interval of what so many suites can tell.\n"
    )


def _quiet(effort: int) -> Iterator[str]:
    yield "## Nothing has changed\n"
    yield (
        "Stated: at most 2.5 % of suites alarm at all, where loads do not scatter; where they\n"
        "scatter by 1 %, about 3 %.\n"
    )
    yield "| windows | loads | drift | order | first stage flags | suites that alarm | PASS |"
    yield "| --- | --- | --- | --- | --- | --- | --- |"
    for world in QUIET:
        seen = found(world, effort)
        order = "5 A 5 B, 5 B 5 A" if world.is_swapped else "A B, B A"
        yield (
            f"| {_pct(world.window_cv)} | {_pct(world.load_cv)} | {_pct(world.drift)} | {order} | "
            f"{_share(seen.flagged)} | {_share(seen.suites)} | {_pct(seen.verdicts['pass'])} |"
        )
    yield ""


def _worse(effort: int) -> Iterator[str]:
    yield "## Side B is worse\n"
    yield "Figures found by both stages. Stated for 5 %: 100, 89 and 9.5 % at 1, 2 and 5 %.\n"
    yield "| windows | worse by | found | PASS | INCONCLUSIVE |"
    yield "| --- | --- | --- | --- | --- |"
    for cv in (0.01, 0.02, 0.05):
        for change in (0.03, 0.05, 0.10):
            seen = found(World(cv, worse=change), max(2, effort // 10))
            rest = (_pct(seen.verdicts[v]) for v in ("pass", "inconclusive"))
            yield f"| {_pct(cv)} | {_pct(change)} | {_share(seen.alarms)} | {' | '.join(rest)} |"


QUIET = (
    *(World(cv) for cv in (0.01, 0.02, 0.05)),
    *(World(cv, drift=0.03) for cv in (0.01, 0.02)),
    World(0.01, drift=0.03, is_swapped=True),
    World(0.01, load_cv=0.01),
    World(0.01, load_cv=0.01, drift=0.03, is_swapped=True),
)


def _pct(value: float) -> str:
    return f"{100 * value:.3g} %"


def _share(one: Share) -> str:
    value, low, high = (f"{100 * x:.0f}" if x >= _FEW else f"{100 * x:.2g}" for x in one)
    return f"{value} % ({low} to {high})"
