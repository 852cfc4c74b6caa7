"""A comparison, as it is stored: one figure of one case against a baseline."""

from __future__ import annotations

from pydantic import Field

from pytest_lem.results.record import Stored


class Comparison(Stored):
    """A judgement about one figure of one case against another measurement."""

    case: str
    digest: str | None = None
    nodeid: str | None = None
    cycle: int | None = None
    attempt: int = 1
    metric: str
    unit: str | None = None
    baseline: str = Field(description="Name of the baseline.")
    candidate: str = Field(description="The run that was judged.")
    verdict: str
    reasons: list[str] = []
    message: str = Field("", description="The verdict in one sentence.")
    value: float | None = Field(None, description="Of the candidate.")
    ratio: float | None = Field(None, description="Candidate over the mean of the history.")
    interval: list[float] | None = Field(None, description="95 % interval of the ratio.")
    p: float | None = None
    p_repeated: float | None = Field(None, description="Of the second measurement.")
    alpha: float | None = None
    m: int | None = Field(None, description="How many figures were gated beside each other.")
    theta: float | None = Field(None, description="Allowed change, as a share.")
    absolute: float | None = Field(None, description="What is allowed on top, in the unit.")
    promise: float | None = Field(None, description="Change that has to be found, as a share.")
    mde: float | None = Field(
        None, description="Least change, as a share, that is found in four of five sessions."
    )
    sessions: int | None = Field(None, description="Sessions of history behind it.")
    scatter: float | None = Field(None, description="Between sessions, as a share.")
    differences: list[str] = Field([], description="Facts that forbid the comparison.")
    under_test: list[str] = Field([], description="What was meant to differ, from what to what.")
    attribution: dict[str, float] | None = Field(
        None, description="The change of energy, of power and of speed, in per cent."
    )
    beside: dict[str, list[float]] = Field(
        {}, description="Clock, temperature, length and occupancy: before and now."
    )
