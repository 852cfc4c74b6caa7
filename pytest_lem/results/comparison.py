"""A comparison, as it is stored: one figure of one case against a baseline."""

from __future__ import annotations

from dataclasses import field
from typing import Any

from pydantic import ConfigDict, Field, TypeAdapter
from pydantic.dataclasses import dataclass


# Not a model but a dataclass: a judge works it out field by field, for each figure of a run.
@dataclass(slots=True, kw_only=True, config=ConfigDict(extra="ignore", allow_inf_nan=False))
class Comparison:
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
    reasons: list[str] = field(default_factory=list)
    message: str = Field(default="", description="The verdict in one sentence.")
    value: float | None = Field(default=None, description="Of the candidate.")
    ratio: float | None = Field(default=None, description="Candidate over the mean of the history.")
    interval: list[float] | None = Field(default=None, description="95 % interval of the ratio.")
    p: float | None = None
    p_repeated: float | None = Field(default=None, description="Of the second measurement.")
    alpha: float | None = None
    m: int | None = Field(
        default=None, description="How many figures were gated beside each other."
    )
    theta: float | None = Field(default=None, description="Allowed change, as a share.")
    absolute: float | None = Field(default=None, description="What is allowed on top, in the unit.")
    promise: float | None = Field(
        default=None, description="Change that has to be found, as a share."
    )
    mde: float | None = Field(
        default=None,
        description="Least change, as a share, that is found in four of five sessions.",
    )
    sessions: int | None = Field(default=None, description="Sessions of history behind it.")
    pairs: int | None = Field(default=None, description="Pairs of windows behind it.")
    scatter: float | None = Field(
        default=None, description="Between sessions, as a share; of pairs: between windows."
    )
    load_scatter: float | None = Field(
        default=None, description="Of pairs: between loads of the model, as a share."
    )
    differences: list[str] = Field(
        default_factory=list, description="Facts that forbid the comparison."
    )
    under_test: list[str] = Field(
        default_factory=list, description="What was meant to differ, from what to what."
    )
    agreement: float | None = Field(
        default=None,
        description="Of two sides under greedy decoding: the share of A's output, from its first "
        "token on, that B has as well.",
    )
    attribution: dict[str, float] | None = Field(
        default=None, description="The change of energy, of power and of speed, in per cent."
    )
    beside: dict[str, list[float]] = Field(
        default_factory=dict,
        description="Clock, temperature, power cap, length and occupancy: before and now.",
    )

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return _ADAPTER.dump_python(self, mode="json")  # type: ignore[no-any-return]


_ADAPTER = TypeAdapter(Comparison)
