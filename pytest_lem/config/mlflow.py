"""The settings of the MLflow sink."""

from __future__ import annotations

from typing import Annotated
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from pytest_lem.config.section import Section


class MlflowSettings(Section):
    """Where the cases of a run are copied to when it is over. The run file stays the truth."""

    push: bool = Field(
        False,
        description="Push every case to MLflow when the session ends; `lem push` does it later.",
        examples=[True],
    )
    uri: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="Tracking URI; null: the file `mlflow.db` (SQLite) in the store. Passwords "
        "stand in the variables that MLflow reads, such as MLFLOW_TRACKING_TOKEN.",
        examples=["http://localhost:5000"],
    )
    experiment: Annotated[str, Field(min_length=1)] = Field(
        "pytest-lem", description="Name of the experiment.", examples=["decode"]
    )
    artifacts: bool = Field(
        True,
        description="Attach the record of each case, and its samples, as files.",
        examples=[False],
    )
    timeout_s: float = Field(
        60.0,
        gt=0,
        le=3600,
        description="Longest time that pushing may take at the end of a session; what is left is "
        "for `lem push`.",
        examples=[10.0],
    )

    @field_validator("uri")
    @classmethod
    def _no_password(cls, uri: str | None) -> str | None:
        if uri and urlsplit(uri).password:
            raise ValueError(
                "settings are stored, so a password does not belong in them; set "
                "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD instead"
            )
        return uri
