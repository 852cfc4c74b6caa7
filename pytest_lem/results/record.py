"""The record of a case, as it is stored. A contract that other tools read.

Readers ignore fields they do not know; a value that is unknown is null, never 0; NaN is refused.
Times within a run are seconds of CLOCK_MONOTONIC.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from pytest_lem.energy.reading import Domain, Tier
from pytest_lem.errors import FailureKind

Validity = Literal["valid", "invalid", "unknown"]
Statistic = Literal["ratio_of_sums", "median", "mean", "maximum", "product", "sum"]


#: The extension of a record that names the run in which it was measured, where that is another.
RESUMED_FROM = "resumed_from"


class Stored(BaseModel):
    """Whatever is stored: unknown fields are ignored, infinities and NaN refused."""

    model_config = ConfigDict(extra="ignore", allow_inf_nan=False, use_enum_values=True)


class CaseSettings(Stored):
    """What defines a case; the first four are always there."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)

    backend: str | None
    model: str | None
    precision: str | None
    batch_size: int | None


class CaseRecord(Stored):
    """The identity of a case."""

    key: str = Field(description="Name of the case, stable over renamed tests.")
    digest: str = Field(description="SHA-256 of the canonical settings.", pattern="^[0-9a-f]{64}$")
    kind: Literal["call", "infer", "serve", "train", "finetune"]
    settings: CaseSettings


class EnergyRecord(Stored):
    """Energy of one device over one window or phase."""

    domain: Domain
    device: str = Field(description="GPU UUID, `package-0`, `dram-0` or `process-tree`.")
    value: float | None = Field(description="Joules; null when unknown.")
    u_random: float | None = Field(description="Standard uncertainty of this window, J (k = 1).")
    u_systematic: float | None = Field(
        description="Standard uncertainty of the source, J (k = 1), common to all windows."
    )
    tier: Tier
    bound: float | None = Field(
        None, description="The most, in J, by which edges can make `value` wrong; gain left out."
    )
    reason: str | None = Field(None, description="Why `value` is null.")
    code: str | None = Field(None, description="Why it is null or not to be trusted, as a word.")


class WorkRecord(Stored):
    """What was done in a window; null where a count has no meaning."""

    calls: int | None = None
    units: float | None = None
    requests: int | None = Field(None, description="Answered ones.")
    due_requests: int | None = Field(None, description="Of traffic: due in the window.")
    failed_requests: int | None = Field(None, description="Those of them that failed.")
    good_requests: int | None = Field(None, description="Those that kept all limits on latency.")
    failed_outside: int | None = Field(
        None, description="Of traffic: failed ones that were due before or after the window."
    )
    input_tokens: int | None = None
    output_tokens: int | None = None
    steps: int | None = None
    samples: int | None = None
    flops: float | None = None


class RequestRecord(Stored):
    """The timeline of a request, in seconds since `t0` of its round."""

    input_tokens: int | None
    output_tokens: int | None = Field(description="Null where the request failed.")
    scheduled: float | None = Field(None, description="When it was due, in an open loop.")
    sent: float
    token_times: list[float] = Field(
        description="When each token was there, or each piece of text; empty: not streamed."
    )
    done: float
    error: str | None = Field(None, description="Why it failed.")
    rank: int | None = Field(None, description="Which of several processes served it.")


class ProcessRecord(Stored):
    """What one of several processes did in a round; times are seconds since its `t0`."""

    rank: int
    pid: int
    device: str
    start: float = Field(description="When it was there, before it waited for the others.")
    end: float = Field(description="When its last batch was done.")
    busy: float = Field(description="Seconds between sending and the end of its batches.")
    requests: int
    input_tokens: int | None
    output_tokens: int
    peak_host_memory_bytes: int | None = None
    peak_device_memory_bytes: int | None = None


class RoundRecord(Stored):
    """One measured window."""

    seq: int
    side: str | None = Field(None, description="`A` or `B` in a paired comparison.")
    pair: int | None = None
    stage: int | None = None
    load_id: str | None = Field(None, description="The loading of the model that served it.")
    t0: float
    t1: float
    energies: list[EnergyRecord]
    work: WorkRecord
    requests: list[RequestRecord] = []
    processes: list[ProcessRecord] = Field(
        [], description="Each of several processes by itself; empty where one did the work."
    )
    idle: dict[str, Any] | None = Field(None, description="Power at rest, W, by device.")
    power: dict[str, Any] | None = Field(None, description="Sampled power, W, by device.")
    clocks: dict[str, Any] | None = Field(None, description="Mean clocks, MHz, by device.")
    temperatures: dict[str, Any] | None = Field(None, description="Degrees C, by device.")
    engine: dict[str, float] | None = Field(
        None, description="What a server told of itself: means, largest values, growth."
    )
    utilisation: dict[str, Any] | None = Field(None, description="Share of time at work.")
    memory: dict[str, Any] | None = Field(
        None, description="Largest memory in use, B, by device, by whomever."
    )
    mean_memory: dict[str, Any] | None = Field(
        None, description="Mean memory in use, B, by device, by whomever."
    )
    throttling: dict[str, Any] | None = Field(None, description="Seconds slowed down, by cause.")
    validity: Validity
    reasons: list[str] = Field([], description="Why the round is invalid.")


class PhaseRecord(Stored):
    """A stretch of time outside the rounds: load, warm-up, idle, prefill, rest, given up."""

    name: str
    t0: float
    t1: float
    energies: list[EnergyRecord]
    work: WorkRecord | None = None
    requests: list[RequestRecord] = Field([], description="Those of traffic that was given up.")
    is_shared: bool = Field(False, description="Measured for the case before, on the same host.")


class Metric(Stored):
    """A figure with all that is needed to judge it."""

    value: float | None = Field(description="Headline value; for latencies the median.")
    unit: str
    u: float | None = Field(None, description="Expanded uncertainty (k = 2); null when unknown.")
    tier: Tier | None = Field(None, description="Tier of the energy in it; null without energy.")
    domains: list[Domain] | None = Field(None, description="Whose energy is summed in it.")
    anchor: Literal["dispatched", "scheduled"] | None = Field(
        None, description="What `sent` means in a latency."
    )
    direction: Literal["lower", "higher"] | None = Field(description="Which way is better.")
    statistic: Statistic
    n: int = Field(description="Rounds or requests behind the figure.")
    p50: float | None = None
    p90: float | None = None
    p95: float | None = None
    p99: float | None = None
    reason: str | None = Field(None, description="Why `value` is null.")


class IsolationRecord(Stored):
    """What was kept from running at the same time."""

    scope: Literal["machine", "device", "none"]
    waited_s: float = Field(description="Seconds for which the test waited its turn.")
    workers: int = Field(1, description="Processes of pytest-xdist that measured side by side.")


class SeriesRecord(Stored):
    """The samples taken while the case was measured, in a file beside the run file."""

    path: str
    interval_s: float = Field(description="Time between samples that was asked for.")
    achieved_interval_s: float | None = Field(description="Median of what was achieved.")
    samples: int
    gaps: list[list[float]] = Field([], description="Stretches without samples, t0 and t1.")


class Warned(Stored):
    """A warning raised while the case ran."""

    category: str
    message: str


class Sample(Stored):
    """Generated text, so that a person can see that it makes sense."""

    prompt: str
    text: str
    is_truncated: bool


class Comparability(Stored):
    """What must agree before two results are compared (`refuse`), and what only warns."""

    refuse: dict[str, Any]
    warn: dict[str, Any]
    hash: str


class Record(Stored):
    """All that is known about one case of one run."""

    case: CaseRecord
    nodeid: str
    attempt: int = 1
    repetition: int = Field(1, description="2: measured again because the gate had flagged it.")
    cycle: int | None = None
    worker: str | None = None
    origin: Literal["measured", "imported", "simulated", "resumed"] = "measured"
    status: Literal["ok", "failed"]
    failure_kind: FailureKind | None = None
    message: str | None = Field(None, description="One sentence about the failure.")
    validity: Validity
    reasons: list[str] = Field([], description="Why the case is invalid.")
    requested: dict[str, Any] = Field({}, description="Settings in force for the case.")
    applied: dict[str, Any] = Field({}, description="What the engine says is in force.")
    settings_origin: dict[str, str] = Field({}, description="Where each setting comes from.")
    environment: str | None = Field(None, description="Key into the run's `environments`.")
    resume_key: str | None = Field(
        None, description="What makes another measurement the same one; for `--lem-resume`."
    )
    source_sha256: str | None = Field(None, description="Of a `call` case's test function.")
    comparability: Comparability | None = None
    metrics: dict[str, Metric]
    derived: dict[str, Metric] = Field(
        {}, description="Worked out of `metrics` and `requested.cost`, not measured; never gated."
    )
    rounds: list[RoundRecord] = []
    phases: list[PhaseRecord] = []
    quality: dict[str, Any] = {}
    sample: Sample | None = None
    isolation: IsolationRecord | None = None
    series: SeriesRecord | None = None
    warnings: list[Warned] = []
    artifacts: dict[str, str] = Field({}, description="Files of the case, with their SHA-256.")
    flags: list[str] = Field([], description="What limits the use of the figures.")
    extensions: dict[str, Any] = {}

    def plain(self) -> dict[str, Any]:
        """Return plain JSON: nothing else may cross process borders."""
        return self.model_dump(mode="json")
