"""A server with the OpenAI API and no model, for the load generator: it streams what it is told to.

`stub_server.py --port N`. Each answer has `max_tokens` tokens (or, without `ignore_eos`, at most
16), the first after `--ttft` seconds and each further one after `--itl`. With `--slots` no more
requests than that are worked on at a time, and the others wait. `--faults` are `NAME@NUMBER`, by
the number of the request, or `NAME@*`; see `_FAULTS`. With `--key` completions and models are only
for those who have it, and who has another is told which. With `--log` what comes in is printed,
keys and all. With `--once` a connection is closed, unannounced, at its second request, as
llama-server closes it behind a stream. `GET /last` tells the last completion that was asked for.
Standard library only, and uvloop if it is there, since it shares two cores with what it is to keep
up with.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Awaitable, Callable
from typing import Any

_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
_END = b"0\r\n\r\n"
_PROMPT_TOKENS = 7
_DEFAULT_TOKENS = 16


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def _event(content: dict[str, Any] | str) -> bytes:
    text = content if isinstance(content, str) else json.dumps(content)
    return f"data: {text}\n\n".encode()


def _wrong_key(given: str | None) -> dict[str, Any]:
    return {"error": {"message": f"Incorrect API key provided: {given}"}}


def _response(status: str, content: Any) -> bytes:
    body = content.encode() if isinstance(content, str) else json.dumps(content).encode()
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


class Stub:
    """The server."""

    def __init__(self, asked: argparse.Namespace) -> None:
        self.ttft_s, self.itl_s = asked.ttft, asked.itl
        self.model, self.key, self.cached = asked.model, asked.key, asked.cached
        self.last: Any = None
        self.is_logging = asked.log
        self.is_once = asked.once
        self.slots = asyncio.Semaphore(asked.slots or 1_000_000)
        self.running = self.waiting = self.count = 0
        self._faults = [fault.split("@") for fault in asked.faults.split()]

    def fault(self, number: int) -> str | None:
        """Return the fault of a request."""
        return next((n for n, where in self._faults if where in ("*", str(number))), None)

    def lets_in(self, path: str, fields: dict[str, str]) -> bool:
        """Tell whether a request may be answered."""
        is_free = self.key is None or not path.startswith("/v1/")
        return is_free or fields.get("authorization") == f"Bearer {self.key}"

    def page(self, path: str) -> bytes:
        """Return what is no completion."""
        if path == "/health":
            return _response("200 OK", "")
        if path == "/version":
            return _response("200 OK", {"version": "stub-1"})
        if path == "/last":
            return _response("200 OK", self.last)
        if path == "/v1/models":
            return _response("200 OK", {"data": [{"id": self.model, "max_model_len": 4096}]})
        if path == "/metrics":
            text = f"vllm:num_requests_running {self.running}\n"
            text += f"vllm:num_requests_waiting {self.waiting}\n"
            text += "vllm:kv_cache_usage_perc 0.25\n"
            text += f"vllm:prefix_cache_queries_total {4 * self.count}\n"
            text += f"vllm:prefix_cache_hits_total {self.count}\n"
            return _response("200 OK", text)
        return _response("404 Not Found", {"error": {"message": f"no {path}"}})

    async def complete(self, write: Callable[[bytes], object], path: str, body: bytes) -> bool:
        """Answer a completion; False if the connection is to be cut."""
        number, self.count = self.count, self.count + 1
        asked = json.loads(body)
        self.last = {"path": path, "body": asked}
        fault = self.fault(number)
        if fault in _FAULTS:
            return await _FAULTS[fault](self, write, path, asked)
        self.waiting += 1
        async with self.slots:
            self.waiting, self.running = self.waiting - 1, self.running + 1
            try:
                return await _answer(self, write, path, asked)
            finally:
                self.running -= 1


def _tokens(asked: dict[str, Any]) -> int:
    most = asked.get("max_tokens", _DEFAULT_TOKENS)
    return int(most if asked.get("ignore_eos") else min(most, _DEFAULT_TOKENS))


def _piece(path: str, text: str, reason: str | None = None) -> dict[str, Any]:
    part = {"delta": {"content": text}} if "chat" in path else {"text": text}
    return {"choices": [{"index": 0, **part, "finish_reason": reason}]}


def _usage(tokens: int, cached: int | None) -> dict[str, Any]:
    usage: dict[str, Any] = {"prompt_tokens": _PROMPT_TOKENS, "completion_tokens": tokens}
    if cached is not None:
        usage["prompt_tokens_details"] = {"cached_tokens": cached}
    return usage


async def _answer(
    stub: Stub,
    write: Callable[[bytes], object],
    path: str,
    asked: dict[str, Any],
    *,
    upto: int | None = None,
    has_usage: bool = True,
    claimed: int | None = None,
    at_once: int = 1,
) -> bool:
    """Answer a request; `upto` cuts the stream, `claimed` is told in the place of the truth."""
    tokens = _tokens(asked)
    usage = {"usage": _usage(claimed or tokens, stub.cached)} if has_usage else {}
    if not asked.get("stream"):
        await asyncio.sleep(stub.ttft_s + stub.itl_s * (tokens - 1))
        text = "a " * tokens
        part = {"message": {"content": text}} if "chat" in path else {"text": text}
        write(_response("200 OK", {"choices": [{**part, "finish_reason": "length"}], **usage}))
        return True
    write(_HEAD)
    piece = _chunk(_event(_piece(path, "a " * at_once)))
    await asyncio.sleep(stub.ttft_s)
    for n in range(0, tokens, at_once):
        if upto is not None and n >= upto:
            return False
        if n and stub.itl_s:
            await asyncio.sleep(stub.itl_s * at_once)
        write(piece)
    tail = _chunk(_event(_piece(path, "", "length")))
    if has_usage:
        tail += _chunk(_event({"choices": [], **usage}))
    write(tail + _chunk(_event("[DONE]")) + _END)
    return True


def _refusing(status: str, message: str) -> Fault:
    async def refuse(_: Stub, write: Callable[[bytes], object], *__: Any) -> bool:
        write(_response(status, {"error": {"message": message}}))
        return True

    return refuse


async def _unknown_key(stub: Stub, write: Callable[[bytes], object], *_: Any) -> bool:
    write(_response("401 Unauthorized", _wrong_key(f"Bearer {stub.key}")))
    return True


async def _malformed(_: Stub, write: Callable[[bytes], object], *__: Any) -> bool:
    write(_HEAD + _chunk(b"data: {not json\n\n") + _END)
    return True


async def _babbling(stub: Stub, write: Callable[[bytes], object], *_: Any) -> bool:
    words = "not {json, " * 13 + f"but {stub.key}, for long"
    write(_HEAD + _chunk(f"data: {words * 2}\n\n".encode()) + _END)
    return True


async def _telling(stub: Stub, write: Callable[[bytes], object], *_: Any) -> bool:
    write(_HEAD + _chunk(_event({"error": {"message": f"{stub.key} is unknown"}})) + _END)
    return True


async def _midway(_: Stub, write: Callable[[bytes], object], *__: Any) -> bool:
    write(_HEAD + _chunk(_event({"error": {"message": "the engine is gone"}})) + _END)
    return True


async def _never(*_: Any) -> bool:
    await asyncio.Event().wait()
    return False


async def _die(*_: Any) -> bool:
    os.kill(os.getpid(), signal.SIGKILL)
    return False


def _otherwise(**how: Any) -> Fault:
    async def answer(stub: Stub, write: Callable[[bytes], object], path: str, asked: Any) -> bool:
        return await _answer(stub, write, path, asked, **how)

    return answer


Fault = Callable[[Stub, Callable[[bytes], object], str, Any], Awaitable[bool]]
_FAULTS: dict[str, Fault] = {
    "401": _unknown_key,
    "429": _refusing("429 Too Many Requests", "slow down"),
    "500": _refusing("500 Internal Server Error", "something broke"),
    "half": _otherwise(upto=2),
    "malformed": _malformed,
    "babbling": _babbling,
    "telling": _telling,
    "midway": _midway,
    "no_usage": _otherwise(has_usage=False),
    "pairs": _otherwise(at_once=2),
    "liar": _otherwise(claimed=3),
    "never": _never,
    "die": _die,
}


class _Connection(asyncio.Protocol):
    """HTTP/1.1 as far as clients of such servers need it."""

    def __init__(self, stub: Stub) -> None:
        self._stub = stub
        self._buffer = b""
        self._tasks: set[asyncio.Task[None]] = set()
        self._is_used = False

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def connection_lost(self, exc: Exception | None) -> None:
        for task in self._tasks:
            task.cancel()

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        if not end:
            return
        if self._stub.is_logging:
            os.write(1, head + b"\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        fields = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in lines)}
        length = int(fields.get("content-length", 0))
        if len(rest) < length:
            return
        if self._is_used and self._stub.is_once:
            self._transport.close()
            return
        self._is_used = True
        self._buffer = rest[length:]
        method, path, _ = first.split(" ", 2)
        if not self._stub.lets_in(path, fields):
            given = fields.get("authorization")
            self._write(_response("401 Unauthorized", _wrong_key(given)))
            return
        if method == "GET":
            self._write(self._stub.page(path))
            return
        task = asyncio.get_running_loop().create_task(self._complete(path, rest[:length]))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    async def _complete(self, path: str, body: bytes) -> None:
        if not await self._stub.complete(self._write, path, body):
            self._transport.close()


async def serve(asked: argparse.Namespace) -> None:
    """Serve until SIGTERM."""
    stub, loop, over = Stub(asked), asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, over.set)
    server = await loop.create_server(lambda: _Connection(stub), "127.0.0.1", asked.port)
    async with server:
        await over.wait()


def main() -> None:
    """Read the command line and serve."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--model", default="stub")
    parser.add_argument("--ttft", type=float, default=0.0)
    parser.add_argument("--itl", type=float, default=0.0)
    parser.add_argument("--slots", type=int)
    parser.add_argument("--key", default=os.environ.get("STUB_KEY"))
    parser.add_argument("--log", action="store_true")
    parser.add_argument("--cached", type=int)
    parser.add_argument("--once", action="store_true")
    parser.add_argument("--faults", default="")
    factory = None
    with contextlib.suppress(ImportError):
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        runner.run(serve(parser.parse_args()))


if __name__ == "__main__":
    main()
