"""An entry: one case of one session, as much of it as comparing and listing need."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import field
from functools import cache
from itertools import chain
from statistics import fmean
from typing import Any, Literal, NamedTuple

from pydantic import ConfigDict, Field
from pydantic.dataclasses import dataclass

from pytest_lem.case import digest
from pytest_lem.energy.reading import TIERS, Domain, Energy, Tier, headline
from pytest_lem.flags import Flag
from pytest_lem.measure.round import is_on_gpu
from pytest_lem.results.definitions import GATEABLE
from pytest_lem.results.nodeid import without_cycle
from pytest_lem.results.record import (
    RESUMED_FROM,
    CaseSettings,
    Comparability,
    EnergyRecord,
    Record,
    RequestRecord,
    RoundRecord,
)
from pytest_lem.results.statistics import percentile, root_sum
from pytest_lem.results.timing import known, tpot_s, ttft_s

#: Figures that an entry has: what can be gated, what a change is explained by, and arithmetic.
FIGURES = (
    *GATEABLE,
    "power_mean_w",
    "batch_occupancy",
    "flops_per_token",
    "mfu",
    "energy_per_flop_j",
)
#: Those of callables, and those that every kind has; all others are of models.
OF_CALLS = frozenset(
    {"energy_per_call_j", "energy_per_unit_j", "unit_throughput_per_s", "call_duration_s"}
)
OF_ANY = frozenset({"power_mean_w"})
SMALLEST, LARGEST = 1e-30, 1e30
#: Times are stored to the microsecond.
_CLOCK_S = 1e-6

#: Flags of a case that stands for nothing that could be compared.
_SPOILT = frozenset({Flag.CONTENDED, Flag.DUPLICATE_KEY})

#: Flags under which measured energy decides nothing.
_BRIEF = frozenset(
    {
        Flag.SHORT_WINDOW,
        Flag.BRIEF_WINDOW,
        Flag.SHORTENED,
        Flag.UNSTEADY,
        Flag.WINDOW_BELOW_LATENCY,
    }
)

State = Literal["joined", "waiting", "never"]


class Figure(NamedTuple):
    """A value, and the share of it below which it cannot be told."""

    value: float
    resolution: float

    @property
    def is_usable(self) -> bool:
        """Tell whether it can be a measurement: above 0, and not beyond all measure."""
        return SMALLEST < self.value < LARGEST and 0 <= self.resolution <= 1


@dataclass(slots=True, kw_only=True, config=ConfigDict(extra="ignore", allow_inf_nan=False))
class Entry:
    """One case of one session. Several measurements of it (cycles) are pooled.

    Not a model but a dataclass: a history has a hundred thousand of them.
    """

    key: str
    digest: str = Field(pattern="^[0-9a-f]{64}$")
    kind: str
    nodeid: str
    settings: dict[str, Any] = Field(description="What defines the case, by dotted names.")
    comparability: str = Field(description="Name of its facts, which stand once in a session.")
    source_sha256: str | None = None
    origin: str
    measured_in: str | None = Field(
        default=None, description="The run in which it was measured; null: its own."
    )
    status: Literal["ok", "failed"]
    validity: Literal["valid", "invalid", "unknown"]
    reasons: list[str] = field(default_factory=list)
    flags: list[str] = field(default_factory=list)
    tier: str | None = Field(description="Of the energy.")
    figures: Mapping[str, Figure]
    unknown: dict[str, str] = Field(
        default_factory=dict, description="Figures without a value, and why."
    )
    measurements: dict[str, list[float]] = Field(
        default_factory=dict, description="Figures of each cycle, where there are several."
    )
    output_tokens: float | None = Field(
        default=None, description="Mean output length of a request."
    )
    has_fixed_length: bool = False
    outputs: list[list[int]] | None = Field(
        default=None,
        description="Greedy output ids of one repetition, where a gate compares them.",
    )
    start_c: float | None = Field(
        default=None, description="Mean temperature at the start of a round."
    )
    sm_clock_mhz: float | None = None
    power_cap_share: float | None = Field(
        default=None, description="Share of time that the power cap slowed the GPUs down."
    )
    unjudged: list[str] = Field(
        default_factory=list, description="Figures that were not to be trusted when it was saved."
    )
    verdict: str | None = Field(
        default=None, description="What the gate said; null: nothing was gated."
    )
    state: State = Field(
        default="never", description="Whether it is in the history, or waits for it."
    )

    @property
    def is_sound(self) -> bool:
        """Tell whether it may be compared with at all."""
        return is_unspoilt(self.validity, self.flags) and bool(self.figures)

    @property
    def doubtful(self) -> list[str]:
        """Return the figures of energy, where they are not to be trusted; an estimate is one."""
        is_brief = self.tier != Tier.ESTIMATED and not _BRIEF.isdisjoint(self.flags)
        is_doubtful = is_brief or self.origin == "simulated"
        return [name for name in self.figures if name.startswith("energy")] if is_doubtful else []


def entry_of(records: Sequence[Record]) -> Entry:
    """Make the entry of a case from its records: one, or one for each cycle.

    Sums are pooled first and divided last, latencies are those of all requests together.
    """
    first = records[0]
    cycles = [r for r in records if r.repetition == 1]
    found = {name: _pooled(name, records) for name in figures_of(first.case.kind)}
    values = {n: v for n, v in found.items() if isinstance(v, float)}
    return Entry(
        key=first.case.key,
        digest=first.case.digest,
        kind=first.case.kind,
        nodeid=without_cycle(first.nodeid),
        settings=flat_settings(first.case.settings),
        comparability=facts_name(first.comparability) if first.comparability else "",
        source_sha256=first.source_sha256,
        origin=first.origin,
        measured_in=next((run for r in records if (run := r.extensions.get(RESUMED_FROM))), None),
        status="failed" if any(r.status == "failed" for r in records) else "ok",
        validity=max((r.validity for r in records), key=("valid", "unknown", "invalid").index),
        reasons=sorted({reason for r in records for reason in r.reasons}),
        flags=sorted({flag for r in records for flag in r.flags}),
        tier=_tier(records),
        figures={n: Figure(v, _resolution(n, v, records)) for n, v in values.items()},
        unknown={n: why for n, why in found.items() if isinstance(why, str)},
        measurements=_each(values, cycles) if len(cycles) > 1 else {},
        output_tokens=_output_tokens(records),
        has_fixed_length=_has_fixed_length(first),
        outputs=first.quality.get("outputs"),
        start_c=_mean_condition(records, "temperatures", "start_c"),
        sm_clock_mhz=_mean_condition(records, "clocks", "sm_mhz"),
        power_cap_share=_mean_condition(records, "throttling", "power_cap_share"),
    )


def is_unspoilt(validity: str, flags: Sequence[str]) -> bool:
    """Tell whether a case of that validity, with these flags, stands for anything."""
    return validity == "valid" and _SPOILT.isdisjoint(flags)


def is_credible(value: float) -> bool:
    """Tell whether a number can be anything that was measured: numbers beyond would overflow."""
    return value == 0 or SMALLEST < abs(value) < LARGEST


@cache
def figures_of(kind: str) -> tuple[str, ...]:
    """Return the figures that a kind of case can have."""
    is_call = kind == "call"
    return tuple(name for name in FIGURES if name in OF_ANY or (name in OF_CALLS) == is_call)


def facts_name(facts: Comparability) -> str:
    """Return the name under which a session has the facts of its entries: theirs, board and all."""
    return digest({"refuse": facts.refuse, "warn": facts.warn})


def flat_settings(settings: CaseSettings) -> dict[str, Any]:
    """Return the settings of a case by dotted names, nulls left out."""
    return dict(_flat(settings.model_dump()))


def _flat(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in tree.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        elif value is not None:
            yield f"{prefix}{name}", value


def _pooled(name: str, records: Sequence[Record]) -> float | str:
    """Return a figure of all records, or why it is unknown."""
    metrics = [r.metrics.get(name) for r in records]
    values = [m.value for m in metrics if m is not None and m.value is not None]
    if len(values) < len(metrics):
        lacking = (m for m in metrics if m is None or m.value is None)
        return next((m.reason if m else None) or "no value" for m in lacking)
    if len(values) == 1:
        return values[0]
    if name in _LATENCIES:
        samples = known(_LATENCIES[name], list(_requests(records)))
        return percentile(samples, 0.5) if samples else _NOTHING
    return _weighted(name, values, records) if name in _WEIGHTS else max(values)


def _weighted(name: str, values: Sequence[float], records: Sequence[Record]) -> float | str:
    """Return the ratio of the sums behind several ratios."""
    weights = [sum(map(_WEIGHTS[name], r.rounds)) for r in records]
    if not sum(weights):
        return _NOTHING
    if name == "batch_occupancy":  # a harmonic mean over requests
        return sum(weights) / sum(w / v for v, w in zip(values, weights, strict=True))
    return sum(v * w for v, w in zip(values, weights, strict=True)) / sum(weights)


def _each(names: Mapping[str, float], records: Sequence[Record]) -> dict[str, list[float]]:
    return {
        name: [v for r in records if (v := r.metrics[name].value) is not None] for name in names
    }


def _resolution(name: str, value: float, records: Sequence[Record]) -> float:
    """Return the share of a figure that edges of windows or the clock may hide."""
    if name.startswith("energy") or name == "power_mean_w":
        energies = [e for record in records for r in record.rounds for e in _headline(record, r)]
        hidden_j = root_sum([e.u_random_j for e in energies])
        total_j = sum(e.value_j or 0.0 for e in energies)
        return hidden_j / total_j if hidden_j and total_j else 0.0
    return _CLOCK_S / value if name in _LATENCIES and value > 0 else 0.0


def _headline(record: Record, r: RoundRecord) -> list[Energy]:
    energies = [_energy(e) for e in r.energies]
    return headline(energies, on_gpu=is_on_gpu(record.applied))


def _energy(e: EnergyRecord) -> Energy:
    return Energy(
        domain=Domain(e.domain),
        device=e.device,
        tier=Tier(e.tier),
        value_j=e.value,
        u_random_j=e.u_random,
    )


def _tier(records: Sequence[Record]) -> str | None:
    """Return the worst tier of the energy of the cycles."""
    name = "energy_per_call_j" if records[0].case.kind == "call" else _PER_REQUEST
    found = [m.tier for r in records if (m := r.metrics.get(name)) and m.tier]
    return max(map(Tier, found), key=TIERS.index, default=None)


def _requests(records: Sequence[Record]) -> Iterator[RequestRecord]:
    """Yield the requests that were answered."""
    found = chain.from_iterable(r.requests for record in records for r in record.rounds)
    return (request for request in found if request.error is None)


def _output_tokens(records: Sequence[Record]) -> float | None:
    lengths = [r.output_tokens for r in _requests(records) if r.output_tokens is not None]
    return fmean(lengths) if lengths else None


def _has_fixed_length(record: Record) -> bool:
    workload = (record.case.settings.model_extra or {}).get("workload") or {}
    return bool(workload.get("ignore_eos"))


def _mean_condition(records: Sequence[Record], facts: str, name: str) -> float | None:
    found = [
        value
        for record in records
        for r in record.rounds
        for device in (getattr(r, facts) or {}).values()
        if device and (value := device.get(name)) is not None
    ]
    return fmean(found) if found else None


_NOTHING = "the rounds hold nothing to work it out from"
_PER_REQUEST = "energy_per_request_j"
_LATENCIES = {"ttft_s": ttft_s, "tpot_s": tpot_s}
#: What a figure is divided by: that many of it are in each round.
_WEIGHTS: dict[str, Callable[[RoundRecord], float]] = {
    "energy_per_output_token_j": lambda r: r.work.output_tokens or 0,
    "energy_per_input_token_j": lambda r: r.work.input_tokens or 0,
    "energy_per_request_j": lambda r: r.work.requests or 0,
    "energy_per_good_request_j": lambda r: r.work.good_requests or 0,
    "energy_per_call_j": lambda r: r.work.calls or 0,
    "energy_per_unit_j": lambda r: r.work.units or 0,
    "output_throughput_tok_s": lambda r: r.t1 - r.t0,
    "request_throughput_req_s": lambda r: r.t1 - r.t0,
    "goodput_req_s": lambda r: r.t1 - r.t0,
    "unit_throughput_per_s": lambda r: r.t1 - r.t0,
    "power_mean_w": lambda r: r.t1 - r.t0,
    "call_duration_s": lambda r: r.work.calls or 0,
    "batch_occupancy": lambda r: r.work.requests or 0,
    "flops_per_token": lambda r: r.work.output_tokens or 0,
    "mfu": lambda r: r.t1 - r.t0,
    "energy_per_flop_j": lambda r: r.work.flops or 0,
}
