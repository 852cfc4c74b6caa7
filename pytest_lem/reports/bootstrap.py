"""How far off a mean over cycles may be: a bootstrap, seeded, so that it always comes out alike."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from math import exp, log, sqrt
from statistics import fmean
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

#: With fewer cycles there is nothing to draw from.
LEAST_CYCLES = 3
CONFIDENCE = 0.95
_DRAWS = 2000
_SEED = 6


def interval(value: float, cases: Sequence[Sequence[float]]) -> tuple[float, float] | None:
    """Return the 95 % interval of a figure from what each cycle measured, case by case.

    None where a case has fewer than three cycles. Cycles are drawn, not cases: those that have the
    same number of them share the draw, since what disturbs a cycle disturbs all that is in it. In a
    draw a case is the mean of its cycles, and several cases are their geometric mean; how these
    scatter, as a share, is laid around `value`.
    """
    least = min(map(len, cases), default=0)
    if least < LEAST_CYCLES or min(map(min, cases)) <= 0:
        return None
    import numpy as np

    logs: Any = sum(np.log(_shares(len(case)) @ np.asarray(case)) for case in cases) / len(cases)
    center = fmean(log(fmean(case)) for case in cases)
    tail = _tail(least)
    low, high = np.quantile(logs, [tail, 1 - tail])
    return value * exp(low - center), value * exp(high - center)


@cache
def _shares(cycles: int) -> NDArray[np.float64]:
    """Return the share of each cycle in each draw, shaped (draws, cycles)."""
    import numpy as np

    generator = np.random.default_rng([_SEED, cycles])
    return generator.multinomial(cycles, [1 / cycles] * cycles, size=_DRAWS) / cycles


@cache
def _tail(cycles: int) -> float:
    """Return the share of draws that is left out at each end.

    Plain percentiles are too narrow for few cycles; these are the expanded ones of T. Hesterberg,
    "What Teachers Should Know About the Bootstrap", The American Statistician 69 (2015), 371-386.
    With three or four cycles nothing is left out: the interval ends at the extremes.
    """
    from scipy.special import ndtr, stdtrit

    quantile = stdtrit(cycles - 1, (1 + CONFIDENCE) / 2)
    return float(ndtr(-sqrt(cycles / (cycles - 1)) * quantile))
