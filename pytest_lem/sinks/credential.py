"""The token of a tracking server: in a variable, or in a file that another variable names."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pytest_lem.sinks.problem import tracking_error

_HELD = "MLFLOW_TRACKING_TOKEN"
_NAMED = "MLFLOW_TRACKING_TOKEN_FILE"
#: What can stand in a header. An error about anything else would quote it, token and all.
_TOKEN = re.compile(rb"[!-~]+")
#: More than any server takes in a header; whatever is longer is no token, and may have no end.
_LONGEST = 65536


@contextmanager
def lent_token() -> Iterator[None]:
    """Let MLflow find a token where it looks for one, in this process and for a while.

    Raises LemError (`tracking`), which quotes neither the token nor the name of its file: who
    mistakes one variable for the other has the token in that.
    """
    before = os.environ.get(_HELD)
    token = _checked(os.fsencode(before), _HELD) if before else _of_file()
    if token is None:
        yield
        return
    os.environ[_HELD] = token
    try:
        yield
    finally:
        if before is None:
            os.environ.pop(_HELD, None)
        else:
            os.environ[_HELD] = before


def _of_file() -> str | None:
    """Return the token in the file that is named; None: none is."""
    named = os.environ.get(_NAMED)
    if not named:
        return None
    place = f"the file that {_NAMED} names"
    try:
        with Path(named).open("rb") as file:
            content = file.read(_LONGEST + 1)
    except OSError as error:
        raise tracking_error(
            f"{place} cannot be read ({error.strerror}); name one that holds the token"
        ) from None
    if not content.strip():
        raise tracking_error(f"{place} is empty; write the token into it")
    return _checked(content, place)


def _checked(content: bytes, place: str) -> str:
    """Return the token, which often has the end of a line after it."""
    token = content.strip()
    if len(content) > _LONGEST or not _TOKEN.fullmatch(token):
        raise tracking_error(
            f"{place} holds no token: one line of letters, digits and signs, without spaces"
        )
    return token.decode("ascii")
