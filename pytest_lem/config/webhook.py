"""The settings of webhooks: who is told of a run, and of what."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from pytest_lem.config.section import Section

#: The name of an environment variable: no address fits it, so that none is written down here.
Variable = Annotated[str, Field(pattern="^[A-Za-z_][A-Za-z0-9_]*$")]
Event = Literal["start", "failure", "gate", "end"]
Part = Literal[
    "text",
    "project",
    "run",
    "preset",
    "started",
    "finished",
    "exit_status",
    "tests",
    "measured",
    "failed",
    "verdicts",
    "failures",
    "comparisons",
]


class WebhookSettings(Section):
    """Who is told of a run by HTTP. Addresses and tokens stand in environment variables alone."""

    url_env: list[Variable] = Field(
        [],
        description="Environment variables with the addresses that are told; an address often is a "
        "secret in itself, so it stands nowhere else. Empty: nobody is told.",
        examples=[["LEM_WEBHOOK_URL"]],
    )
    token_env: Variable | None = Field(
        None,
        description="Environment variable with a token, sent as `Authorization: Bearer`.",
        examples=["LEM_WEBHOOK_TOKEN"],
    )
    events: list[Event] = Field(
        ["failure", "gate", "end"],
        description="What is told: the start, a case that failed, a verdict that fails, the end.",
        examples=[["end"]],
    )
    fields: list[Part] = Field(
        ["text", "project", "run", "exit_status", "measured", "failed", "verdicts", "failures",
         "comparisons"],
        min_length=1,
        description="What a message has beside `event`. `text` is one sentence; `failures` and "
        "`comparisons` may quote what a test said.",
        examples=[["text"]],
    )  # fmt: skip
    timeout_s: float = Field(
        2.0,
        gt=0,
        le=10,
        description="Longest wait for an answer. Who does not answer is told nothing more.",
        examples=[1.0],
    )
