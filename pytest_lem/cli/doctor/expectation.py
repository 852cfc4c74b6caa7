"""How uncertain windows will be: the formulas of the meters on edges as they should be."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

from pytest_lem.energy.counter.edge import Edge, Stretch
from pytest_lem.energy.counter.settled import REST_S
from pytest_lem.energy.counter.window import energy_between
from pytest_lem.energy.rapl import REFRESH_S

#: The lengths of the windows that are looked at.
WINDOWS_S = (1.0, 5.0, 10.0)
#: The factor of an expanded uncertainty.
K = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticking:
    """A counter with what decides about its windows.

    Attributes:
        tick_s: the length of its tick.
        half_width_s: how well the moment of a tick is known; None for a counter that may not be
            polled, so that the edges are single readings, which may be a tick old.
        rest_w: power before and after the work.
        load_w: power of the work.

    """

    tick_s: float
    half_width_s: float | None
    rest_w: float
    load_w: float

    def relative_uncertainty(self, window_s: float) -> float:
        """Return the expanded random uncertainty of a window (k = 2) as a part of its energy.

        The work begins with an edge, ends in the middle of a tick, and goes to rest at once.
        """
        if self.half_width_s is None:
            before = Stretch(self._single(-REST_S, window_s), self._single(0, window_s))
            end_s = window_s + 1.5 * self.tick_s
            after = Stretch(self._single(end_s, window_s), self._single(end_s + REST_S, window_s))
        else:
            before = Stretch(self._edge(-self.tick_s, window_s), self._edge(0, window_s))
            end_s = window_s + self.tick_s / 2
            after = Stretch(self._edge(end_s, window_s), self._edge(end_s + self.tick_s, window_s))
        joules = energy_between(before, after, 0, window_s, limit_w=None)
        return K * joules.u_j / joules.value_j

    def _edge(self, time_s: float, window_s: float) -> Edge:
        """Return an edge with the energy that was used since the work began."""
        load_s = min(max(time_s, 0), window_s)
        value_j = self.load_w * load_s + self.rest_w * (time_s - load_s)
        half_s = self.tick_s / 2 if self.half_width_s is None else self.half_width_s
        return Edge(time_s, value_j, half_s)

    def _single(self, time_s: float, window_s: float) -> Edge:
        """Return what a single reading shows: the energy half a tick before, on the average."""
        return self._edge(time_s - self.tick_s / 2, window_s)


def relative_refresh(window_s: float) -> float:
    """Return the expanded random uncertainty (k = 2) of a window of RAPL, relative.

    A refresh of the counter is missing, or too much, at each of the two edges (rectangular).
    """
    return K * REFRESH_S * sqrt(2 / 12) / window_s
