"""From the bytes of a server's answer to what became of the request.

Server-sent events: https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

#: Why an answer is none whose stream was cut.
CUT = "the stream ended before the answer did"
_DONE = b"[DONE]"
_LONGEST = 200

#: Where text may stand. Servers that rename a field send it under both names for a while.
_TEXTS = ("text", "content")
_REASONING = ("reasoning_content", "reasoning")

#: Bytes, and when they were there.
Piece = tuple[float, bytes]


class Broken(Exception):  # noqa: N818 - no error of the program
    """An answer that is none, with the reason, which may quote all that the server said."""


@dataclass(slots=True)
class Answer:
    """What a server said.

    Attributes:
        texts: the pieces of text in it.
        times_s: when each of them was there.
        usage: what the server says of the tokens; empty without a word of it.

    """

    texts: list[str] = field(default_factory=list)
    times_s: list[float] = field(default_factory=list)
    usage: dict[str, Any] = field(default_factory=dict)

    @property
    def input_tokens(self) -> int | None:
        """Return the tokens of the prompt."""
        return _count(self.usage.get("prompt_tokens"))

    @property
    def output_tokens(self) -> int | None:
        """Return the tokens that were generated."""
        return _count(self.usage.get("completion_tokens"))

    @property
    def cached_tokens(self) -> int | None:
        """Return the tokens of the prompt that came from a cache."""
        details = self.usage.get("prompt_tokens_details")
        return _count(details.get("cached_tokens")) if isinstance(details, dict) else None


def streamed(pieces: Iterable[Piece]) -> Answer:
    """Read a stream; raises Broken for one that is cut, malformed, or tells of an error."""
    answer, is_whole = Answer(), False
    for time_s, data in _events(pieces):
        if data == _DONE:
            is_whole = True
            continue
        choice = _take(answer, _parsed(data))
        if choice is None:
            continue
        is_whole = is_whole or choice.get("finish_reason") is not None
        if text := _text(choice, "delta"):
            answer.texts.append(text)
            answer.times_s.append(time_s)
    if not is_whole:
        raise Broken(CUT)
    return answer


def whole(body: bytes) -> Answer:
    """Read an answer that came in one piece; raises Broken as `streamed` does."""
    answer = Answer()
    choice = _take(answer, _parsed(body))
    if choice is None:
        raise Broken("the answer has no text in it")
    answer.texts.append(_text(choice, "message"))
    return answer


def error_in(body: bytes) -> str:
    """Return what the body of an error says."""
    try:
        found = json.loads(body)
    except ValueError:
        return body.decode(errors="replace")
    inner = found.get("error", found) if isinstance(found, dict) else found
    message = inner.get("message", inner) if isinstance(inner, dict) else inner
    return str(message)


def _events(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """Yield the data of each event with the time of its last byte."""
    buffer, data, time_s = b"", list[bytes](), 0.0
    for time_s, piece in pieces:
        *lines, buffer = (buffer + piece).split(b"\n")
        for raw in lines:
            line = raw.rstrip(b"\r")
            if line.startswith(b"data:"):
                data.append(line[5:].strip())
            elif not line and data:
                yield time_s, b"\n".join(data)
                data = []
    rest = b"\n".join([*data, buffer.strip().removeprefix(b"data:").strip()]).strip()
    if rest == _DONE:  # some servers leave out the empty line after it
        yield time_s, rest
    elif rest:
        raise Broken("the stream ended in the middle of an event")


def _parsed(data: bytes) -> dict[str, Any]:
    try:
        found = json.loads(data.decode())  # text is read faster than bytes
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Broken(f"the server sent what is no JSON object: {data!r}")
    return found


def _take(answer: Answer, found: dict[str, Any]) -> dict[str, Any] | None:
    """Take in one object, and return its choice if it has one."""
    if found.get("error") is not None:
        raise Broken(f"the server reports: {error_in(json.dumps(found).encode())}")
    if isinstance(usage := found.get("usage"), dict):
        answer.usage = usage
    choices = found.get("choices")
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else None


def _text(choice: dict[str, Any], name: str) -> str:
    """Return the text of a choice, in a part of it or itself; reasoning is generated as well."""
    part = choice[name] if isinstance(choice.get(name), dict) else choice
    text = ""
    for key in _TEXTS:
        if isinstance(found := part.get(key), str):
            text += found
    for key in _REASONING:
        if isinstance(found := part.get(key), str) and found:
            return text + found
    return text


def _count(value: Any) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and value >= 0
    return value if is_count else None


def short(text: str) -> str:
    """Return a text as one line of no great length."""
    line = " ".join(text.split())
    return line if len(line) <= _LONGEST else line[: _LONGEST - 3] + "..."
