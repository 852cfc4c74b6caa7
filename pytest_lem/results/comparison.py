"""A comparison, as it is stored: one figure of one case against a baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

from pydantic import ConfigDict, Field, TypeAdapter


def _says(description: str) -> Any:
    """Describe a field in the schema."""
    return Field(description=description)


# A judge makes it field by field, for each figure of a run, so only what is read is validated.
@dataclass(slots=True, kw_only=True)
class Comparison:
    """A judgement about one figure of one case against another measurement."""

    __pydantic_config__: ClassVar = ConfigDict(extra="ignore", allow_inf_nan=False)

    case: str
    digest: str | None = None
    nodeid: str | None = None
    cycle: int | None = None
    attempt: int = 1
    metric: str
    unit: str | None = None
    baseline: Annotated[str, _says("Name of the baseline.")]
    candidate: Annotated[str, _says("The run that was judged.")]
    verdict: str
    reasons: list[str] = field(default_factory=list)
    message: Annotated[str, _says("The verdict in one sentence.")] = ""
    value: Annotated[float | None, _says("Of the candidate.")] = None
    ratio: Annotated[float | None, _says("Candidate over the mean of the history.")] = None
    interval: Annotated[list[float] | None, _says("95 % interval of the ratio.")] = None
    p: float | None = None
    p_repeated: Annotated[float | None, _says("Of the second measurement.")] = None
    alpha: float | None = None
    m: Annotated[int | None, _says("How many figures were gated beside each other.")] = None
    theta: Annotated[float | None, _says("Allowed change, as a share.")] = None
    absolute: Annotated[float | None, _says("What is allowed on top, in the unit.")] = None
    promise: Annotated[float | None, _says("Change that has to be found, as a share.")] = None
    mde: Annotated[
        float | None,
        _says("Least change, as a share, that is found in four of five sessions."),
    ] = None
    sessions: Annotated[int | None, _says("Sessions of history behind it.")] = None
    pairs: Annotated[int | None, _says("Pairs of windows behind it.")] = None
    scatter: Annotated[
        float | None, _says("Between sessions, as a share; of pairs: between windows.")
    ] = None
    load_scatter: Annotated[
        float | None, _says("Of pairs: between loads of the model, as a share.")
    ] = None
    differences: Annotated[list[str], _says("Facts that forbid the comparison.")] = field(
        default_factory=list
    )
    under_test: Annotated[list[str], _says("What was meant to differ, from what to what.")] = field(
        default_factory=list
    )
    agreement: Annotated[
        float | None,
        _says(
            "Of two sides under greedy decoding: the share of A's output, from its first "
            "token on, that B has as well."
        ),
    ] = None
    attribution: Annotated[
        dict[str, float] | None,
        _says("The change of energy, of power and of speed, in per cent."),
    ] = None
    beside: Annotated[
        dict[str, list[float]],
        _says("Clock, temperature, power cap, length and occupancy: before and now."),
    ] = field(default_factory=dict)

    def plain(self) -> dict[str, Any]:
        """Return it as plain data."""
        return _ADAPTER.dump_python(self, mode="json")  # type: ignore[no-any-return]


def comparison_of(plain: Mapping[str, Any]) -> Comparison:
    """Return a comparison that was plain data; raises pydantic's ValidationError."""
    return _ADAPTER.validate_python(plain)


_ADAPTER = TypeAdapter(Comparison)
