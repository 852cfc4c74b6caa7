"""The settings of traffic: requests that arrive over time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pytest_lem.config.section import Section

Arrivals = Literal["closed", "constant", "poisson", "gamma", "replay"]

#: What a test may have as parameters by their own names.
BY_NAME = ("arrivals", "rate", "concurrency", "burstiness", "max_concurrency")
#: The settings that each process needs.
_NEEDS = {
    "closed": ("concurrency",),
    "constant": ("rate",),
    "poisson": ("rate",),
    "gamma": ("rate", "burstiness"),
    "replay": ("timestamps",),
}
#: Those that each may have besides.
_MAY = {process: () if process == "closed" else ("max_concurrency",) for process in _NEEDS}
#: Those that belong to some of them.
_OWN = ("concurrency", "rate", "burstiness", "timestamps", "max_concurrency")


class TrafficSettings(Section):
    """How requests arrive. Without `arrivals` a case is an offline batch."""

    arrivals: Arrivals | None = Field(
        None,
        description="`closed`: so many users, each of whom waits for the answer before asking "
        "again. Open loops, whose requests come whether or not the server keeps up: `constant`, "
        "`poisson`, `gamma`, and `replay` of timestamps. Null: no traffic but an offline batch.",
        examples=["poisson"],
    )
    concurrency: int | None = Field(
        None, ge=1, le=100_000, description="Users of a closed loop.", examples=[8]
    )
    rate: float | None = Field(
        None,
        gt=0,
        le=100_000,
        description="Requests per second of `constant`, `poisson` and `gamma`.",
        examples=[2.5],
    )
    burstiness: float | None = Field(
        None,
        gt=0,
        le=1000,
        description="Shape of the gamma distribution of the times between requests: 1 is Poisson, "
        "below it they come in bursts, above it more evenly.",
        examples=[0.5],
    )
    timestamps: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="File of `replay`: a time in seconds on each line, in order; the first is when "
        "the load starts.",
        examples=["arrivals.txt"],
    )
    max_concurrency: int | None = Field(
        None,
        ge=1,
        le=100_000,
        description="Most requests of an open loop that are under way; what is due beyond them "
        "waits to be sent, and its latencies count from when it was due. Null: no limit.",
        examples=[64],
    )
    ramp_s: float = Field(
        2.0,
        ge=0,
        le=3600,
        description="The window opens no sooner than so long after the first request, and not "
        "before an answer has come. The users of a closed loop begin spread over this time.",
        examples=[0.5],
    )
    drain_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="After the window, what was sent is waited for so long; what is not answered "
        "then has failed.",
        examples=[10.0],
    )
    most_failed: float = Field(
        0.01,
        ge=0,
        le=1,
        description="Share of the requests that may fail before a round counts as invalid.",
        examples=[0.05],
    )

    @model_validator(mode="after")
    def _each_process_has_its_own(self) -> TrafficSettings:
        """Refuse what the process would not read."""
        strangers = [name for name in _OWN if self._has(name) and name not in self._read]
        if self.arrivals and strangers:
            raise ValueError(self._stranger(strangers[0]))
        return self

    @property
    def problem(self) -> str | None:
        """Return what keeps it from being run; None if nothing does.

        What is lacking may come from a test's parameters, so it is looked for when these are known.
        """
        if lacking := [name for name in self._needed if not self._has(name)]:
            return f"traffic.arrivals: {self.arrivals} needs traffic.{lacking[0]}"
        idle = [name for name in _OWN if self._has(name) and name not in self._read]
        return self._stranger(idle[0]) if idle else None

    @property
    def _needed(self) -> tuple[str, ...]:
        return _NEEDS[self.arrivals] if self.arrivals else ()

    @property
    def _read(self) -> tuple[str, ...]:
        return (*self._needed, *_MAY[self.arrivals]) if self.arrivals else ()

    def _has(self, name: str) -> bool:
        return getattr(self, name) is not None

    def _stranger(self, name: str) -> str:
        return (
            f"traffic.{name} means nothing with traffic.arrivals: {self.arrivals or 'null'}; take "
            "it out, or choose another process"
        )


class SloSettings(Section):
    """Limits that a good request keeps, all of them; without any there is no goodput."""

    ttft_s: float | None = Field(
        None, gt=0, le=3600, description="Longest time to the first token.", examples=[0.5]
    )
    tpot_s: float | None = Field(
        None, gt=0, le=3600, description="Longest time per further token.", examples=[0.05]
    )
    e2e_s: float | None = Field(
        None, gt=0, le=86400, description="Longest time to the last token.", examples=[5.0]
    )
