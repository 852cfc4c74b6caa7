"""A section of the settings: nothing unknown in it, nothing that changes."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: The type of an error about a value that may be a secret, so that nothing may quote it.
WITHHELD = "withheld"

Name = Annotated[str, Field(min_length=1, pattern=r"^\S+$")]


class Section(BaseModel):
    """Whatever can be configured: unknown keys and values of other types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, strict=True)
