"""A JSON document read part by part: its memory is that of the largest part, not of the whole."""

from __future__ import annotations

import json
from collections.abc import Iterator
from json.decoder import JSONDecodeError
from pathlib import Path
from typing import Any, TextIO

#: Characters that are read at a time.
_CHUNK = 1 << 20
#: A number of which no more is left than this may be cut in two: `1.5` of `1.5e+10`.
_TAIL = 2
_SPACE = " \t\n\r"


def parts(path: Path) -> Iterator[tuple[str, Any]]:
    """Yield the members of the object in a file in their order, of a list its elements.

    An element is yielded with the name of its list; of an empty list there is nothing. Raises
    OSError, ValueError for what is no JSON object, RecursionError for one that is too deep.
    """
    with path.open(encoding="utf-8") as file:
        reader = _Reader(file)
        reader.take("{")
        if reader.peek() != "}":
            while True:
                name = reader.value()
                if not isinstance(name, str):
                    raise ValueError("the name of a member is no text")  # noqa: TRY004 - of JSON
                reader.take(":")
                yield from _member(reader, name)
                if not reader.has_next("}"):
                    break
        else:
            reader.take("}")
        reader.end()


def _member(reader: _Reader, name: str) -> Iterator[tuple[str, Any]]:
    if reader.peek() != "[":
        yield name, reader.value()
        return
    reader.take("[")
    if reader.peek() == "]":
        reader.take("]")
        return
    while True:
        yield name, reader.value()
        if not reader.has_next("]"):
            return


class _Reader:
    """Characters of a file, of which only those are kept that are not read yet."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._text = ""
        self._place = 0
        self._is_whole = False
        self._decoder = json.JSONDecoder()

    def peek(self) -> str:
        """Return the next character that is no space; nothing at the end."""
        while True:
            text, place = self._text, self._place
            while place < len(text) and text[place] in _SPACE:
                place += 1
            self._place = place
            if place < len(text) or not self._more(_CHUNK):
                return text[place : place + 1] if place < len(text) else ""

    def take(self, sign: str) -> None:
        """Go past a character, which has to be the next."""
        if self.peek() != sign:
            raise ValueError(f"there is no {sign} where one belongs")
        self._place += 1

    def has_next(self, close: str) -> bool:
        """Go past a comma, and tell that there was one, or past what closes."""
        sign = self.peek()
        if sign not in (",", close) or not sign:
            raise ValueError(f"there is neither a comma nor {close} where one belongs")
        self._place += 1
        return sign == ","

    def value(self) -> Any:
        """Return the next value; as much is read as it needs."""
        self.peek()
        wanted = _CHUNK
        while True:
            try:
                found, end = self._decoder.raw_decode(self._text, self._place)
            except JSONDecodeError:
                if not self._more(wanted):
                    raise
            else:
                if end + _TAIL < len(self._text) or not self._more(wanted):
                    self._place = end
                    return found
            wanted *= 2

    def end(self) -> None:
        """Refuse anything that follows."""
        if self.peek():
            raise ValueError("something follows the end")

    def _more(self, count: int) -> bool:
        """Read on, and let go of what was read before; return whether there was anything."""
        if self._is_whole:
            return False
        chunk = self._file.read(count)
        self._is_whole = not chunk
        if chunk:
            self._text = self._text[self._place :] + chunk
            self._place = 0
        return bool(chunk)
