"""The settings of traffic: requests that arrive over time."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pytest_lem.config.section import Section

Arrivals = Literal["closed", "constant", "poisson", "gamma", "replay"]

#: The setting that each process needs, and may share with others.
_NEEDS = {
    "closed": "concurrency",
    "constant": "rate",
    "poisson": "rate",
    "gamma": "rate",
    "replay": "timestamps",
}


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
        """Ask for what the process needs, and refuse what it would not read."""
        needed = {_NEEDS[self.arrivals]} if self.arrivals else set()
        needed |= {"burstiness"} if self.arrivals == "gamma" else set()
        for name in ("concurrency", "rate", "burstiness", "timestamps"):
            is_given = getattr(self, name) is not None
            if name in needed and not is_given:
                raise ValueError(f"traffic.arrivals: {self.arrivals} needs traffic.{name}")
            if is_given and name not in needed:
                raise ValueError(
                    f"traffic.{name} means nothing with traffic.arrivals: "
                    f"{self.arrivals or 'null'}; take it out, or choose another process"
                )
        return self


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
