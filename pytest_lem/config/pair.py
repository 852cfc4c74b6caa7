"""The settings of paired comparisons."""

from __future__ import annotations

from pydantic import Field

from pytest_lem.config.section import Section


class PairSettings(Section):
    """How two sides take turns (`--lem-ab`)."""

    pairs: int = Field(
        10,
        ge=7,
        le=20,
        description="Pairs of windows in the first stage; fewer than 7 could not show anything. "
        "What they flag is measured again with fresh loads, by as many pairs or twice as many.",
        examples=[7],
    )
    loads: int = Field(
        2,
        ge=2,
        le=3,
        description="How often each side is loaded in each stage: loads scatter too.",
        examples=[3],
    )
    together: bool | None = Field(
        None,
        description="Whether both sides stay loaded while they take turns, or one at a time. Null: "
        "together where the work is on the CPU, one at a time where it is on a GPU.",
        examples=[False],
    )
