"""The settings of webhooks: who is told of a run, and of what."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field
from pydantic_core import PydanticCustomError

from pytest_lem.config.section import WITHHELD, Section

#: The name of an environment variable: no address fits it, so that none is written down here.
_NAME = "^[A-Za-z_][A-Za-z0-9_]*$"


def _named(value: Any) -> Any:
    """Refuse what is no name, without a word of it: it may be an address or a token itself."""
    if value is not None and not (isinstance(value, str) and re.fullmatch(_NAME, value)):
        raise PydanticCustomError(
            WITHHELD,
            "the name of an environment variable belongs here, and this is none; put the address "
            "or token itself into a variable, such as LEM_WEBHOOK_URL (what was given may be a "
            "secret, so it is not repeated)",
        )
    return value


def _listed(value: Any) -> Any:
    """Refuse what is no list, without a word of it."""
    if not isinstance(value, list):
        raise PydanticCustomError(
            WITHHELD,
            "a list of names of environment variables belongs here, such as [LEM_WEBHOOK_URL] "
            "(what was given may be a secret, so it is not repeated)",
        )
    return value


Variable = Annotated[str, Field(pattern=_NAME), BeforeValidator(_named)]
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

    url_env: Annotated[list[Variable], BeforeValidator(_listed)] = Field(
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
