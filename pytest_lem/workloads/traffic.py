"""Traffic: how requests arrive.

Imports the standard library only, because the host process uses it under any interpreter.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any

from pytest_lem.errors import FailureKind, LemError

CLOSED = "closed"
#: Fewer requests in a window would say little, and chance might leave none.
_LEAST_REQUESTS = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """What arrives when. Fields are described in `config.traffic`.

    `times_s` are those of a replay, from the first on. Limits on failures and on latency are no
    part of it: they judge what came of it.
    """

    arrivals: str
    concurrency: int | None = None
    rate: float | None = None
    burstiness: float | None = None
    times_s: tuple[float, ...] | None = None
    max_concurrency: int | None = None
    ramp_s: float = 0.0

    @property
    def is_open(self) -> bool:
        """Tell whether requests come whether or not earlier ones were answered."""
        return self.arrivals != CLOSED

    @property
    def least_window_s(self) -> float:
        """Return for how long a window has to be open so that, on average, ten requests are due."""
        return 0.0 if self.rate is None else _LEAST_REQUESTS / self.rate

    @property
    def lasts_s(self) -> float:
        """Return for how long after the ramp requests are due: a replay ends at some time."""
        return inf if self.times_s is None else self.times_s[-1] - self.ramp_s

    @property
    def label(self) -> str:
        """Return what stands in keys and tables, such as `poisson-2.5`."""
        rate = None if self.rate is None else f"{self.rate:g}"
        shape = f"{self.burstiness:g}" if self.arrivals == "gamma" else None
        limit = f"max{self.max_concurrency}" if self.max_concurrency else None
        words = (self.arrivals, rate or self.concurrency, shape, limit)
        return "-".join(str(word) for word in words if word is not None)

    def schedule(self, seed: int) -> Iterator[float]:
        """Yield when each request is due, in seconds since the start; equal seeds, equal times.

        The first is due at once. A closed loop has the starts of its users only.
        """
        if self.arrivals == CLOSED:
            users = self.concurrency or 1
            yield from (user * self.ramp_s / users for user in range(users))
        elif self.times_s is not None:
            yield from self.times_s
        else:
            # As a text: of a number, the sign would not count.
            yield from self._endless(random.Random(str(seed)))  # noqa: S311 - no secret

    def _endless(self, chance: random.Random) -> Iterator[float]:
        """Yield the times of a renewal process: gaps of mean 1/rate, drawn independently."""
        assert self.rate  # noqa: S101 - the settings ask for it
        due_s, mean_s = 0.0, 1 / self.rate
        shape = self.burstiness or 1.0
        while True:
            yield due_s
            if self.arrivals == "constant":
                due_s += mean_s
            else:  # a gamma distribution of shape 1 is the exponential one of a Poisson process
                due_s += chance.gammavariate(shape, mean_s / shape)

    def canonical(self) -> dict[str, Any]:
        """Return what defines it; the times of a replay stand in it as they are."""
        return {
            "arrivals": self.arrivals,
            "concurrency": self.concurrency,
            "rate": self.rate,
            "burstiness": self.burstiness,
            "times_s": list(self.times_s) if self.times_s else None,
            "max_concurrency": self.max_concurrency,
            "ramp_s": self.ramp_s,
        }

    @classmethod
    def from_plain(cls, fields: dict[str, Any]) -> Traffic:
        """Make it from plain JSON."""
        times = fields.get("times_s")
        return cls(**{**fields, "times_s": tuple(times) if times else None})


def read_times(path: Path) -> tuple[float, ...]:
    """Return the times of a replay, from its first on.

    Raises LemError (`data`) for a file that cannot be read or is not a list of times in order.
    """
    try:
        lines = path.read_text(encoding="utf-8").split()
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise _data(f"cannot read the timestamps {path}: {why}") from error
    times: list[float] = []
    for number, text in enumerate(lines, 1):
        try:
            times.append(float(text))
        except ValueError:
            raise _data(f"{path}: time {number} is `{text[:40]}`, which is no number") from None
        is_finite = abs(times[-1]) < float("inf")  # false for NaN too
        if not is_finite or (len(times) > 1 and times[-1] < times[-2]):
            raise _data(f"{path}: time {number} is {text[:40]}; times are finite and in order")
    if not times:
        raise _data(f"{path} has no times; write one on each line, in seconds")
    return tuple(time - times[0] for time in times)


def _data(sentence: str) -> LemError:
    return LemError(sentence, kind=FailureKind.DATA)
