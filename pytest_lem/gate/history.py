"""The history test: is a figure worse than the sessions before it, beyond what is allowed?

A session is one number, the logarithm of a figure; how sessions scatter is estimated from the
history, with a prior that stands in while there are few. Rounds within one session know nothing of
that scatter and are never tested against another session.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from math import fsum, sqrt

from scipy.special import stdtr, stdtrit

#: Weight of the prior scatter, in sessions.
PRIOR_SESSIONS = 4
#: From so many sessions on, the scatter counts as found out rather than assumed.
SETTLED_SESSIONS = 8
#: How often the gate has to find a change for it to count as found, over both of its tests.
POWER = 0.8
#: What each of two independent tests needs for that.
_OF_TWO = sqrt(POWER)


@dataclass(slots=True)
class History:
    """Earlier estimates of one figure.

    Attributes:
        logs: their logarithms, one for each session, at least one.
        prior_cv: scatter between sessions, as a share, that is assumed before any is seen.
        resolution: scatter, as a share, below which the figure cannot be told at all.
        sessions: how many stand behind it; less logarithms where several make one.
        mean: of the logarithms.
        degrees: degrees of freedom of the scatter.
        scatter: the standard deviation of a session, the prior pooled with what was seen.
        error: the standard error of a new session's distance from the mean.

    """

    logs: Sequence[float]
    prior_cv: float
    resolution: float = 0.0
    sessions: int = 0
    mean: float = field(init=False)
    degrees: int = field(init=False)
    scatter: float = field(init=False)
    error: float = field(init=False)

    def __post_init__(self) -> None:
        """Work out what all tests need."""
        count = len(self.logs)
        self.sessions = self.sessions or count
        mean = self.mean = fsum(self.logs) / count
        self.degrees = count + PRIOR_SESSIONS - 1
        seen = fsum([(x - mean) ** 2 for x in self.logs])
        least = (count - 1) * self.resolution**2
        squares = PRIOR_SESSIONS * self.prior_cv**2 + max(seen, least)
        self.scatter = max(sqrt(squares / self.degrees), self.resolution)
        self.error = self.scatter * sqrt(1 + 1 / count)

    @property
    def is_settled(self) -> bool:
        """Tell whether there are enough sessions to know the scatter."""
        return len(self.logs) >= SETTLED_SESSIONS


def p_value(worsening: float, allowed: float, history: History) -> float:
    """Return how likely so large a worsening is where the true one is just what is allowed.

    One-sided. `worsening` is the distance of the new session's logarithm from the mean, counted to
    the worse, `allowed` how large it may be.
    """
    return float(stdtr(history.degrees, (allowed - worsening) / history.error))


def interval(change: float, history: History, *, confidence: float = 0.95) -> tuple[float, float]:
    """Return the interval of a change of the logarithm."""
    half = _quantile(history.degrees, (1 + confidence) / 2) * history.error
    return change - half, change + half


def least_found(allowed: float, history: History, *, alpha: float, power: float = _OF_TWO) -> float:
    """Return the least worsening of the logarithm that one test finds with this power.

    That is the power of each of two, the first and its repetition, unless told otherwise.
    """
    degrees = history.degrees
    quantiles = _quantile(degrees, 1 - alpha) + _quantile(degrees, power)
    return allowed + quantiles * history.error


@cache
def _quantile(degrees: int, probability: float) -> float:
    """Return a quantile of Student's t; a run asks for few of them, and often."""
    return float(stdtrit(degrees, probability))
