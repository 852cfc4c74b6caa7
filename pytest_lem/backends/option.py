"""An option of a backend: a field of its `Options` with all that a person must know about it.

Imports the standard library only, because the host process uses it under any interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


def option(
    default: Any,
    description: str,
    examples: Sequence[Any],
    *,
    on_gpu: Sequence[Any] = (),
    companions: Mapping[str, Any] | None = None,
    is_alone: bool = False,
    is_read_back: bool = True,
    is_tried: bool = True,
    **limits: Any,
) -> Any:
    """Return a field of a frozen dataclass.

    Arguments:
        default: its value; null and "auto" leave the choice to the library.
        description: one or two sentences.
        examples: values that work on any machine.
        on_gpu: further values, which need a GPU.
        companions: other options that must be set with it, as they would be in a file.
        is_alone: whether no other option is to be tried together with it.
        is_read_back: whether the live engine tells what is in force, so that it can be compared.
        is_tried: whether its examples mean something on any machine, so that smoke tests run them.
        limits: `ge`, `gt`, `le`, `lt`, `pattern`, `min_length`, as pydantic knows them.

    """
    traits = {
        "on_gpu": list(on_gpu),
        "companions": dict(companions or {}),
        "is_alone": is_alone,
        "is_read_back": is_read_back,
        "is_tried": is_tried,
    }
    return field(
        default=default,
        metadata={
            "description": description,
            "examples": list(examples),
            "json_schema_extra": traits,
            **limits,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class BackendOptions:
    """What every backend can be told; each adds settings in its library's own names.

    Exclusions stand in `__post_init__` and raise ValueError.
    """

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic on the class

    python: str | None = option(
        None,
        "Interpreter of the host process; null: the one of pytest.",
        ["/opt/venvs/other/bin/python"],
        is_alone=True,
        is_read_back=False,
        is_tried=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HubOptions(BackendOptions):
    """What a backend can be told of models from the Hugging Face hub."""

    # A branch is a name for a commit; what is kept of it is the commit, the `model_revision`.
    revision: str | None = option(
        None, "Commit or branch of a Hugging Face id.", ["main"], is_read_back=False
    )
    # A permission, which a model may not even need.
    trust_remote_code: bool = option(
        False,
        "Run code that comes with the model. Read that code first.",
        [False],
        is_read_back=False,
    )
