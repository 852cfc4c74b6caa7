"""Several counters over one window, however often they go round in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from threading import Event, Lock, Thread

from pytest_lem.energy.cpu.counter import Counter, CounterFault
from pytest_lem.energy.cpu.odometer import Odometer, turn_s
from pytest_lem.flags import Reason, text_of

#: Counters are read at least so often; more often where a turn may be short.
MAX_PERIOD_S = 30.0


class Leg:
    """One counter from the first edge of a window to the last."""

    def __init__(self, counter: Counter) -> None:
        self.counter = counter
        self.turn_s = turn_s(counter.range_uj, counter.max_power_w)
        self._odometer = Odometer(range_uj=counter.range_uj, turn_s=self.turn_s)
        self._fault: CounterFault | None = None

    def read(self, now_s: float) -> None:
        """Read the first edge, then whatever follows.

        A reading that fails is made up for by the next one, unless it was the first.
        """
        if self._fault is not None and not self._odometer.has_begun:
            return
        try:
            self._odometer.advance(self.counter.read_uj(), now_s)
        except CounterFault as fault:
            self._fault = fault
        else:
            self._fault = None

    def used_uj(self) -> int:
        """Return the energy in microjoules; raises CounterFault where it is unknown."""
        if self._fault is not None:
            raise self._fault
        if self._odometer.is_lost:
            raise CounterFault(Reason.WRAPPED, text_of(Reason.WRAPPED))
        if self._odometer.used_uj == 0:
            raise CounterFault(
                Reason.COUNTER_STILL, "the RAPL counter stood still while work was done"
            )
        return self._odometer.used_uj


class Trip:
    """The window: a thread reads the counters before any of them can have gone round."""

    def __init__(self, counters: Sequence[Counter], now: Callable[[], float]) -> None:
        self._legs = [Leg(counter) for counter in counters]
        self._now = now
        self._lock = Lock()
        self._is_over = Event()
        self._thread = Thread(target=self._keep_reading, name="lem-rapl", daemon=True)

    @property
    def period_s(self) -> float:
        """Return the time between two readings: a quarter of the shortest turn, at most 30 s."""
        return min([MAX_PERIOD_S, *(leg.turn_s / 4 for leg in self._legs)])

    def begin(self) -> None:
        """Start the thread and read the first edge."""
        with self._lock:
            self._thread.start()
            for leg in self._legs:
                leg.read(self._now())

    def advance(self, *, is_last: bool = False) -> None:
        """Read all counters, unless the last reading was made."""
        with self._lock:
            if self._is_over.is_set():
                return
            for leg in self._legs:
                leg.read(self._now())
            if is_last:
                self._is_over.set()

    def finish(self) -> list[Leg]:
        """Read the last edge, end the thread and return what each counter did."""
        self.advance(is_last=True)
        self.stop()
        return self._legs

    def stop(self) -> None:
        """End the thread."""
        self._is_over.set()
        self._thread.join()

    def _keep_reading(self) -> None:
        while not self._is_over.wait(self.period_s):
            self.advance()
