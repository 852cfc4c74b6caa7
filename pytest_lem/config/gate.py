"""The settings of the gate."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_lem.config.section import Name, Section

Verdict = Literal[
    "pass", "improved", "provisional", "regressed", "inconclusive", "invalid", "incomparable",
    "missing",
]  # fmt: skip


class GateSettings(Section):
    """What fails because it got worse."""

    baseline: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="History to compare with: a name in the store, or the path of a folder of "
        "sessions, of a session or of a run file.",
        examples=["main"],
    )
    save: Annotated[str, Field(min_length=1)] | None = Field(
        None, description="Add this run to the history of that name.", examples=["main"]
    )
    autosave: bool = Field(
        False,
        description="Add this run to the history it is compared with, else to that of the git "
        "branch.",
        examples=[True],
    )
    fail_on: list[Annotated[str, Field(min_length=1)]] | None = Field(
        None,
        min_length=1,
        description="Figures that are gated, as `METRIC:PCT` or `METRIC:PCT+ABS`. PCT (and ABS, in "
        "the metric's unit) is how much worse than the baseline is allowed; the gate fails when it "
        "is confident that it is worse than that. Null: energy per output token and output "
        "throughput (of callables: energy and duration of a call), 1 % each.",
        examples=[["output_throughput_tok_s:2"]],
    )
    promise_pct: float | None = Field(
        None,
        gt=0,
        le=1_000_000,
        description="A change that the gate undertakes to find, in per cent; where it could not, a "
        "figure is `provisional` instead of `pass`. Null: 10, and at least twice what is allowed.",
        examples=[15.0],
    )
    under_test: list[Name] = Field(
        [],
        description="Fields that are meant to differ from the baseline, such as backend.version.",
        examples=[["backend.version"]],
    )
    session_cv: float = Field(
        0.02,
        gt=0,
        le=1,
        description="Scatter between sessions, as a share, that is assumed while there are few.",
        examples=[0.03],
    )
    alpha: float = Field(
        0.01,
        gt=0,
        lt=0.5,
        description="How often a figure that did not change may be flagged by one measurement; "
        "only what a second one flags as well has regressed.",
        examples=[0.001],
    )
    estimates: bool = Field(
        False,
        description="Gate energy that is only estimated. It follows the CPU time, so gating the "
        "throughput says as much.",
        examples=[True],
    )
    fail_verdicts: list[Verdict] = Field(
        ["regressed", "inconclusive", "invalid", "incomparable", "missing"],
        description="Verdicts that fail a test, or the run.",
        examples=[["regressed"]],
    )
