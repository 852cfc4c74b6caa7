"""The rounds of a case, pooled: sums first, divided last."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pytest_lem.energy.reading import TIERS, Tier, headline
from pytest_lem.measure.round import Round
from pytest_lem.results.definitions import METRICS
from pytest_lem.results.record import Metric
from pytest_lem.results.statistics import expanded, ratio, ratio_scatter, root_sum, total

Count = Callable[[Round], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Joules for one of something, with both parts of the standard uncertainty."""

    value_j: float
    u_random_j: float | None
    u_systematic_j: float | None


class Pool:
    """The rounds of a case, with the energy that counts for its main figures."""

    def __init__(self, rounds: Sequence[Round], *, on_gpu: bool) -> None:
        self.rounds = rounds
        self.requests = [request for r in rounds for request in r.requests]
        self.answered = [request for request in self.requests if request["error"] is None]
        self.on_gpu = on_gpu
        self.chosen = [headline(r.energies, on_gpu=on_gpu) for r in rounds]
        parts = [energy for energies in self.chosen for energy in energies]
        self.tier = max((e.tier for e in parts), key=TIERS.index, default=Tier.NONE)
        self.domains = sorted({e.domain for e in parts})
        self.reason = self._why_unknown()

    def _why_unknown(self) -> str | None:
        if not self.rounds:
            return "no round was completed"
        if any(not energies for energies in self.chosen):
            return (
                "no sensor of the GPU could be read" if self.on_gpu else "no meter covers this work"
            )
        reasons = (e.reason for energies in self.chosen for e in energies if e.value_j is None)
        return next((reason or "a meter gave no value" for reason in reasons), None)

    @property
    def joules(self) -> list[float]:
        """Return the energy of each round; only where `reason` is None."""
        return [sum(e.value_j or 0.0 for e in energies) for energies in self.chosen]

    def energy_over(self, name: str, count: Count) -> Metric:
        """Return joules over a count, with both parts of the uncertainty."""
        definition = METRICS[name]
        if self.reason:
            return definition.null(self.reason)
        counts = known_counts([count(r) for r in self.rounds])
        if counts is None:
            return definition.null(why_no_count(name))
        share = self.share(counts)
        return definition.of(
            share.value_j,
            n=len(counts),
            u=expanded(share.u_random_j, share.u_systematic_j),
            tier=self.tier,
            domains=self.domains,
        )

    def share(self, counts: Sequence[float], joules: Sequence[float] | None = None) -> Share:
        """Return joules over known counts; only where `reason` is None.

        `joules` are those of each round, the gross ones unless told otherwise. The random part is
        what they scatter or what the edges of the windows can hide, whichever is larger; repetition
        does not lessen the systematic part.
        """
        if joules is None:
            joules = self.joules
        edges = root_sum([e.u_random_j for part in self.chosen for e in part])
        scatter = ratio_scatter(joules, counts) or 0.0
        value_j = ratio(joules, counts)
        return Share(
            value_j=value_j,
            u_random_j=None if edges is None else max(edges / sum(counts), scatter),
            u_systematic_j=self.u_systematic(value_j),
        )

    def u_systematic(self, value: float) -> float | None:
        """Return the standard uncertainty that the gain of the sources leaves in a figure.

        The same gain is in all that they measure, so it is a part of the figure: of a difference,
        or of a power, as of the joules; only where `reason` is None.
        """
        systematic_j = total([e.u_systematic_j for part in self.chosen for e in part])
        return None if systematic_j is None else abs(value) * systematic_j / sum(self.joules)

    def rate(self, name: str, count: Count) -> Metric:
        """Return a count per second."""
        counts = known_counts([count(r) for r in self.rounds])
        if counts is None:
            return METRICS[name].null(why_no_count(name))
        windows = [r.window_s for r in self.rounds]
        return METRICS[name].of(
            ratio(counts, windows), n=len(counts), u=expanded(ratio_scatter(counts, windows))
        )

    def duration_per_call(self) -> Metric:
        """Return seconds per call."""
        definition = METRICS["call_duration_s"]
        calls = known_counts([r.work.calls for r in self.rounds])
        if calls is None:
            return definition.null(why_no_count("call_duration_s"))
        windows = [r.window_s for r in self.rounds]
        return definition.of(
            ratio(windows, calls), n=len(calls), u=expanded(ratio_scatter(windows, calls))
        )


def why_no_count(name: str) -> str:
    """Say why there is nothing to divide by."""
    if METRICS[name].unit in {"J/unit", "unit/s"}:
        return "no `work` was stated for it"
    return "this kind of case does not count that"


def known_counts(counts: Sequence[float | None]) -> list[float] | None:
    """Return the counts if each is known and there is anything to divide by."""
    known = [count for count in counts if count is not None]
    return known if known and len(known) == len(counts) and sum(known) > 0 else None
