"""The counters: whether reading disturbs them, their ticks, and what uncertainty to expect."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

from pytest_lem.cli.doctor.expectation import WINDOWS_S, K, relative_refresh
from pytest_lem.cli.doctor.findings import Row, Section
from pytest_lem.cli.doctor.gpus import Board
from pytest_lem.cli.doctor.trial import Trial, Trials
from pytest_lem.energy.estimated import RELATIVE_HALF_RANGE
from pytest_lem.energy.gpu.counted import ASSUMED_TICK_S
from pytest_lem.energy.rapl import REFRESH_S

_EXPECTED = "expected U (k = 2, random part)"
_SOURCES = {"cached": "tested before", "measured": "tested now"}


def look(
    boards: Sequence[Board], trials: Trials, *, mine: Sequence[str], has_rapl: bool
) -> Section:
    """Try the boards `mine`, by UUID, and say what to expect of every source there is."""
    readable = [board.uuid for board in boards if board.fault is None]
    found = trials.known(readable) | trials.run(mine)
    facts = [_facts(board.uuid, found[board.uuid]) for board in boards if board.uuid in found]
    rows = [Row(board.label, _text(board, found.get(board.uuid))) for board in boards]
    if has_rapl:
        facts.append(_fixed("rapl", relative_refresh, tick_s=REFRESH_S))
        rows.append(Row("RAPL", _refresh()))
    facts.append(_fixed("estimated", _relative_estimate))
    rows.append(Row("estimate", _estimate()))
    problems = [
        f"{board.label}: {found[board.uuid].trouble}"
        for board in boards
        if board.uuid in found and found[board.uuid].trouble
    ]
    return Section(name="counters", facts=facts, rows=rows, problems=problems)


def _facts(uuid: str, trial: Trial) -> dict[str, Any]:
    ticking = trial.ticking
    return {
        "meter": "nvml",
        "device": uuid,
        "observer": trial.source,
        "disturbed": trial.is_disturbed,
        "tick_median_s": trial.tick_s,
        "tick_p90_s": trial.tick_p90_s,
        "rest_w": trial.rest_w,
        "load_w": trial.limit_w,
        "uncertainty": _windows(ticking.relative_uncertainty) if ticking else None,
    }


def _fixed(
    meter: str, relative: Callable[[float], float], tick_s: float | None = None
) -> dict[str, Any]:
    """Return the entry of a source that needs no test."""
    return {
        "meter": meter,
        "device": None,
        "observer": None,
        "disturbed": None,
        "tick_median_s": tick_s,
        "tick_p90_s": None,
        "rest_w": None,
        "load_w": None,
        "uncertainty": _windows(relative),
    }


def _windows(relative: Callable[[float], float]) -> list[dict[str, float]]:
    return [{"window_s": window_s, "relative": relative(window_s)} for window_s in WINDOWS_S]


def _text(board: Board, trial: Trial | None) -> str:
    if trial is None:
        return "the counter cannot be read"
    lines = [_verdict(board, trial)]
    if trial.tick_s and trial.tick_p90_s:
        lines.append(f"tick {1000 * trial.tick_s:.3g} ms, p90 {1000 * trial.tick_p90_s:.3g} ms")
    elif trial.rest_w is not None:
        lines.append(f"tick not measured, {ASSUMED_TICK_S:g} s is assumed")
    if ticking := trial.ticking:
        lines.append(
            f"{_EXPECTED} for {ticking.load_w:g} W, the limit, from {ticking.rest_w:.3g} W:"
        )
        lines.append(_figures(ticking.relative_uncertainty))
    return "\n".join(lines)


def _verdict(board: Board, trial: Trial) -> str:
    """Say whether reading disturbs a counter, or why that is not known."""
    if trial.source == "not_tested":
        return f"not tested{_excuse(board)}"
    source = _SOURCES[trial.source]
    if trial.is_disturbed is None:
        return f"whether reading disturbs it cannot be told ({source})"
    if trial.is_disturbed:
        return f"reading disturbs it ({source}), so that its ticks are not searched for"
    return f"reading does not disturb it ({source})"


def _excuse(board: Board) -> str:
    if board.facts["visible"] is None:
        return ": whether CUDA shows it here cannot be told"
    if not board.is_visible:
        return ": CUDA does not show it here"
    return "" if board.is_testable else ": somebody works on it"


def _figures(relative: Callable[[float], float]) -> str:
    return ", ".join(f"{_percent(relative(s))} in {s:g} s" for s in WINDOWS_S)


def _refresh() -> str:
    return (
        f"refreshed every {1000 * REFRESH_S:g} ms, as documented\n"
        f"{_EXPECTED}:\n{_figures(relative_refresh)}"
    )


def _relative_estimate(window_s: float) -> float:  # noqa: ARG001 - the same in any window
    return K * RELATIVE_HALF_RANGE / sqrt(3)


def _estimate() -> str:
    return (
        f"half range of its constant: {_percent(RELATIVE_HALF_RANGE)}, so that U (k = 2) is "
        f"{_percent(_relative_estimate(0))} in any window"
    )


def _percent(relative: float) -> str:
    return f"{100 * relative:.2g} %"
