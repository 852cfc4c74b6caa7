"""The settings of the MLflow sink."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import unquote_plus

from pydantic import Field, field_validator
from pydantic_core import PydanticCustomError

from pytest_lem.config.address import has_host
from pytest_lem.config.section import WITHHELD, Section

_SERVERS = ("http:", "https:")
#: Places on this machine, whose names may have any character: files, and a path whose first part
#: could not be read as a host.
_LOCAL = re.compile(r"(sqlite(\+\w+)?:///|file:///|(?!//)[^:@/]*(/|$))", re.IGNORECASE)
#: What MLflow hands to SQLAlchemy, where a query holds options of the driver.
_DATABASE = re.compile(r"(postgresql|mysql|mssql|sqlite)(\+\w+)?://", re.IGNORECASE)
#: Of those options, the ones that hold a secret.
_SECRET = re.compile(
    r"(pass(word|wd|phrase|code)?|pwd|token|secret|odbc_connect)\s*=", re.IGNORECASE
)


def uri_fault(uri: str) -> str | None:
    """Say what keeps a tracking URI from being stored and shown, quoting none of it; None: nothing.

    Whoever takes one asks here: settings, `lem push` and `lem report --push`.
    """
    part = _secret_part(uri)
    if part is not None:
        return (
            f"a tracking URI is stored and shown, so it has {part}; put secrets into "
            "MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, MLFLOW_TRACKING_TOKEN or "
            "MLFLOW_TRACKING_TOKEN_FILE, or what the driver of a database reads, such as "
            "PGPASSWORD (what was given is not repeated)"
        )
    if uri.lower().startswith(_SERVERS) and not has_host(uri):
        return (
            "the tracking URI of a server has a host and, if any, a number as its port, such as "
            "http://localhost:5000 (what was given is not repeated)"
        )
    return None


def _secret_part(uri: str) -> str | None:
    """Say which part there may not be; None: all is well.

    Drivers end a password at other places than `urlsplit` does, so it is not asked: whatever is no
    place on this machine has no `@` at all.
    """
    is_local = _LOCAL.match(uri) is not None
    if "@" in uri and not is_local:
        return "no @, before which a user, a token or a password stands"
    if is_local or _DATABASE.match(uri):
        query = unquote_plus(uri.partition("?")[2])
        return "no password or token in its query" if _SECRET.search(query) else None
    return "no query and no fragment" if set("?#").intersection(uri) else None


class MlflowSettings(Section):
    """Where the cases of a run are copied to when it is over. The run file stays the truth."""

    push: bool = Field(
        False,
        description="Push every case to MLflow when the session ends; `lem push` does it later.",
        examples=[True],
    )
    required: bool = Field(
        False,
        description="Fail a session whose push was asked for and could not be done: exit status 1 "
        "where it would be 0. The files of the run stay as they are.",
        examples=[True],
    )
    uri: Annotated[str, Field(min_length=1)] | None = Field(
        None,
        description="Tracking URI, without user, password or query; null: the file `mlflow.db` "
        "(SQLite) in the store. Secrets stand in the variables that MLflow reads, such as "
        "MLFLOW_TRACKING_TOKEN, or in a file that MLFLOW_TRACKING_TOKEN_FILE names.",
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

    @field_validator("uri", mode="before")
    @classmethod
    def _no_password(cls, uri: Any) -> Any:
        """Refuse before anything else looks at it, since other refusals quote what was given."""
        if uri is None:
            return None
        fault = uri_fault(uri) if isinstance(uri, str) else "a tracking URI is text"
        if fault:
            raise PydanticCustomError(WITHHELD, fault)
        return uri
