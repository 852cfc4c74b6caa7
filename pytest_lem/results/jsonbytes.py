"""JSON as it goes into a file."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from pydantic_core import to_json, to_jsonable_python


def json_bytes(make: Callable[[], Any], *, indent: int | None = None) -> bytes:
    """Return what `make` returns, models too, as JSON and a line's end; what is no number is null.

    It is made anew where a text has half of a surrogate pair, such as the name of a file in no
    encoding: for that there are escapes but no bytes.
    """
    try:
        text = to_json(make(), indent=indent, inf_nan_mode="null")
    except ValueError:
        text = json.dumps(to_jsonable_python(make(), inf_nan_mode="null"), indent=indent).encode()
    return text + b"\n"
