"""The run, as it is stored: when it was, how it was started, with what it measured."""

from __future__ import annotations

from pydantic import Field

from pytest_lem.results.record import Stored


class Run(Stored):
    """The session itself."""

    id: str
    started: str = Field(description="Wall clock, ISO 8601 with the UTC offset.")
    started_monotonic: float = Field(description="The same moment on CLOCK_MONOTONIC.")
    finished: str | None = None
    exit_status: int | None = None
    arguments: list[str] = Field([], description="The `--lem` options of the command line.")
    preset: str | None = None
    meters: dict[str, str] = Field({}, description="Chosen meters with what they read.")
    meter_constants: dict[str, float] = {}
    versions: dict[str, str] = {}
