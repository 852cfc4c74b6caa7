"""A stage: pairs of windows that were measured by turns, with the figures of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import exp, fsum, log

from pytest_lem.gate.paired import Pairs
from pytest_lem.results.entry import is_credible

#: Figures of one window, by name.
Window = Mapping[str, float]
#: Pairs of windows, A first, grouped by the loads that they ran on.
Stage = Sequence[Sequence[tuple[Window, Window]]]


def pairs_of(stage: Stage, metric: str) -> Pairs | None:
    """Return a figure's pairs; None where a window does not have it, or is no measurement."""
    groups = [
        [_log_ratio(a.get(metric), b.get(metric)) for a, b in group] for group in stage if group
    ]
    if not groups or any(x is None for group in groups for x in group):
        return None
    return Pairs([[x for x in group if x is not None] for group in groups])


def _log_ratio(a: float | None, b: float | None) -> float | None:
    is_known = a is not None and b is not None and min(a, b) > 0
    return log(b / a) if is_known and a and b and is_credible(a) and is_credible(b) else None


def level(stage: Stage, metric: str) -> float:
    """Return the figure of side A, the geometric mean of its windows."""
    logs = [log(a[metric]) for group in stage for a, _ in group]
    return exp(fsum(logs) / len(logs))
