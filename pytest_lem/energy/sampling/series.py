"""The samples of all devices over a stretch of time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import fmean, median

from pytest_lem.energy.sampling.track import Source, Track

#: Samples farther apart than so many intervals leave a gap.
_LATE = 2.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """Which processes were on a board at a moment; `kind` is compute, graphics or mps."""

    time_s: float
    device: str
    kind: str
    pids: tuple[int, ...]


class Series:
    """What was sampled, device by device, with times in seconds of CLOCK_MONOTONIC.

    Every sample reads all devices one after the other, so that the first one speaks for the rate.

    Attributes:
        tracks: the samples by device: UUIDs of GPUs, `package-0`, `dram-0`, `machine`.
        interval_s: the time between two samples that was asked for.
        faults: devices that could not be sampled, each with a sentence that says why.
        looks: the processes on the boards, once a second; a kind that the driver refuses to list
            is not there.
        from_s: since when there should be samples; None: since the first one.
        until_s: until when there should be samples; None: until the last one.

    """

    def __init__(
        self,
        tracks: Mapping[str, Track],
        *,
        interval_s: float,
        faults: Mapping[str, str] | None = None,
        looks: Iterable[Look] = (),
        from_s: float | None = None,
        until_s: float | None = None,
    ) -> None:
        self.tracks = dict(tracks)
        self.interval_s = interval_s
        self.faults = dict(faults or {})
        self.looks = list(looks)
        self.from_s = from_s
        self.until_s = until_s

    @property
    def devices(self) -> list[str]:
        """Return the names of the devices."""
        return list(self.tracks)

    @property
    def times_s(self) -> list[float]:
        """Return when the samples were taken."""
        return list(next(iter(self.tracks.values())).times_s) if self.tracks else []

    @property
    def achieved_interval_s(self) -> float | None:
        """Return the median time between two samples; None with fewer than two."""
        steps = [after - before for before, after in pairwise(self.times_s)]
        return median(steps) if steps else None

    @property
    def gaps(self) -> list[tuple[float, float]]:
        """Return the stretches without samples, also before the first and after the last one."""
        edges = ([self.from_s] if self.from_s is not None else []) + self.times_s
        edges += [self.until_s] if self.until_s is not None else []
        return [
            (before, after)
            for before, after in pairwise(edges)
            if after - before > _LATE * self.interval_s
        ]

    def add(self, rows: Sequence[Sequence[float | None]], looks: Iterable[Look] = ()) -> None:
        """Append a sample: for each device, in their order, its time and then its values."""
        for track, (time_s, *values) in zip(self.tracks.values(), rows, strict=True):
            if time_s is not None:
                track.add(time_s, values)
        self.looks += looks

    def between(self, start_s: float, end_s: float) -> Series:
        """Return the samples from `start_s` to `end_s`; what they do not cover of it is a gap."""
        return Series(
            {device: track.between(start_s, end_s) for device, track in self.tracks.items()},
            interval_s=self.interval_s,
            faults=self.faults,
            looks=[look for look in self.looks if start_s <= look.time_s <= end_s],
            from_s=start_s,
            until_s=end_s,
        )

    def source(self, device: str) -> Source | None:
        """Return where the power of a device comes from; None where it has none."""
        track = self.tracks.get(device)
        return track.source if track else None

    def column(
        self, device: str, name: str, start_s: float = -inf, end_s: float = inf
    ) -> tuple[list[float], list[float]]:
        """Return times and values of what is known; empty for what was not sampled."""
        track = self.tracks.get(device)
        return track.known(name, start_s, end_s) if track else ([], [])

    def mean(
        self, device: str, name: str, start_s: float = -inf, end_s: float = inf
    ) -> float | None:
        """Return the mean of the samples, in the unit of the column; None without any."""
        _, values = self.column(device, name, start_s, end_s)
        return fmean(values) if values else None

    def maximum(
        self, device: str, name: str, start_s: float = -inf, end_s: float = inf
    ) -> float | None:
        """Return the largest sample, in the unit of the column; None without any."""
        return max(self.column(device, name, start_s, end_s)[1], default=None)

    def first(
        self, device: str, name: str, start_s: float = -inf, end_s: float = inf
    ) -> float | None:
        """Return the earliest sample, in the unit of the column; None without any."""
        return next(iter(self.column(device, name, start_s, end_s)[1]), None)

    def last(
        self, device: str, name: str, start_s: float = -inf, end_s: float = inf
    ) -> float | None:
        """Return the latest sample, in the unit of the column; None without any."""
        return next(reversed(self.column(device, name, start_s, end_s)[1]), None)
