"""The connection to a server: requests, their answers, and what it tells of itself."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from pytest_lem.backends.openai.gauges import gauges_in
from pytest_lem.backends.openai.key import hidden
from pytest_lem.backends.openai.stream import (
    CUT,
    Answer,
    Broken,
    Piece,
    error_in,
    short,
    streamed,
    whole,
)
from pytest_lem.backends.protocol import Request, failed_request

if TYPE_CHECKING:
    import aiohttp

_OK = 200
#: How far a second count of a text's tokens may be from the first.
_MOST, _SLACK = 1.05, 2
#: Of an answer to a question about the server itself.
_LOOK_TIMEOUT_S = 5.0
#: After a connection broke, how often and in which steps it is looked whether the server ended.
_ENDING_LOOKS, _ENDING_S = 6, 0.05


@dataclass(frozen=True, slots=True)
class Post:
    """A request as it is sent: where, its body, and whether the answer is a stream."""

    url: str
    body: bytes
    is_streaming: bool


@dataclass(slots=True)
class _Connection:
    """What a request is sent on. The server may have closed it, if others had it before."""

    may_be_closed: bool = False


class Client:
    """Sends prepared requests. It is entered and used in one event loop.

    `check` raises LemError where the server is known to be gone. `count` says how many tokens a
    text has, where a tokenizer is known. `key` stands in no reason that is told.
    """

    def __init__(
        self,
        posts: Sequence[Post],
        *,
        headers: Mapping[str, str],
        key: str | None,
        timeout_s: float,
        metrics_url: str | None,
        check: Callable[[], None],
        count: Callable[[str], int] | None = None,
    ) -> None:
        self._posts = posts
        self._headers = {"Content-Type": "application/json", **headers}
        self._key = key
        self._timeout_s = timeout_s
        self._metrics_url = metrics_url
        self._check = check
        self._count = count

    async def __aenter__(self) -> Self:
        """Open the connections as they are needed, as many as there are requests under way."""
        import aiohttp

        trace = aiohttp.TraceConfig()
        trace.on_connection_reuseconn.append(_reused)
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            trace_configs=[trace],
            timeout=aiohttp.ClientTimeout(total=self._timeout_s),
            headers=self._headers,
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close the connections."""
        await self._session.close()

    async def send(self, number: int) -> Request:
        """Send one request and return what became of it; raises LemError if the server is gone.

        Where the server closed a connection that was kept, it never saw the request, which is sent
        again, as HTTP clients do (RFC 9112, 9.3.1). Its time counts from the first attempt.
        """
        post = self._posts[number % len(self._posts)]
        sent_s = time.monotonic()
        while (request := await self._sent(post, sent_s)) is None:
            pass
        return request

    async def _sent(self, post: Post, sent_s: float) -> Request | None:
        """Send a request once; None if the connection had been closed before."""
        import aiohttp

        pieces: list[Piece] = []
        connection = _Connection()
        sending = self._session.post(post.url, data=post.body, trace_request_ctx=connection)
        try:
            async with sending as response:
                connection.may_be_closed = False  # since the server answers on it
                if response.status != _OK:
                    return self._failed(sent_s, await _refusal(response))
                async for chunk in response.content.iter_any():
                    pieces.append((time.monotonic(), chunk))  # noqa: PERF401 - kept if it breaks
            return self._answered(post, sent_s, pieces)
        except TimeoutError:
            why = f"no whole answer within {self._timeout_s:g} s (request_timeout_s)"
        except (aiohttp.ClientError, OSError) as error:
            if connection.may_be_closed:
                return None
            await self._look_whether_it_ended()
            why = f"{type(error).__name__}: {str(error) or 'the connection broke'}"
            if isinstance(error, aiohttp.ClientPayloadError):  # whose words are those of a parser
                why = CUT
        except Broken as error:
            why = str(error)
        return self._failed(sent_s, why)

    def _failed(self, sent_s: float, why: str) -> Request:
        return failed_request(sent_s, short(hidden(why, self._key)))

    async def _look_whether_it_ended(self) -> None:
        """Raise LemError if the server is gone: its connections end a moment before it does."""
        for _ in range(_ENDING_LOOKS):
            self._check()
            await asyncio.sleep(_ENDING_S)

    async def look(self) -> dict[str, float]:
        """Return the gauges of the server; nothing where it has none, or is too busy to tell."""
        import aiohttp

        if self._metrics_url is None:
            return {}
        timeout = aiohttp.ClientTimeout(total=_LOOK_TIMEOUT_S)
        try:
            async with self._session.get(self._metrics_url, timeout=timeout) as response:
                found = gauges_in(await response.text()) if response.status == _OK else {}
        except (aiohttp.ClientError, OSError, ValueError):
            return {}
        if not found:
            self._metrics_url = None  # it will not have them later either
        return found

    def _answered(self, post: Post, sent_s: float, pieces: list[Piece]) -> Request:
        if post.is_streaming:
            answer = streamed(pieces)
        else:
            answer = whole(b"".join(chunk for _, chunk in pieces))
        if answer.output_tokens is None:
            return failed_request(
                sent_s, "the server did not tell how many tokens it generated (`usage`)"
            )
        ends_s = answer.times_s or [time_s for time_s, _ in pieces]
        text = "".join(answer.texts)
        return Request(
            input_tokens=answer.input_tokens,
            token_ids=[],
            reported_tokens=self._recount(answer, text),
            sent_s=sent_s,
            token_times_s=answer.times_s,
            done_s=ends_s[-1],
            batch=None,
            output_tokens=answer.output_tokens,
            text=hidden(text, self._key),
            cached_tokens=answer.cached_tokens,
        )

    def _recount(self, answer: Answer, text: str) -> int | None:
        """Return how many tokens the server should have told of; None where nothing shows it.

        A piece of text has a token at least. Splitting the text anew gives about as many tokens as
        there were, or fewer, since some have no text.
        """
        told = answer.output_tokens or 0
        if len(answer.times_s) > told:
            return len(answer.times_s)
        if self._count is None:
            return None
        found = self._count(text)
        is_near = told / 2 - _SLACK <= found <= told * _MOST + _SLACK
        return told if is_near else found


async def _reused(_: object, context: Any, __: object) -> None:
    if connection := context.trace_request_ctx:
        connection.may_be_closed = True


async def _refusal(response: aiohttp.ClientResponse) -> str:
    said = error_in(await response.read())
    return f"HTTP {response.status} {response.reason or ''}".strip() + (f": {said}" if said else "")
