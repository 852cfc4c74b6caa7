"""A worker of the stand-in: JSON lines in, JSON lines out.

`fault` in the model's `config.json`: `memory`, `kernel` or `weights` let the start fail as these
do, `die` ends it without a word, `stubborn` stays when it is to end. A prompt that begins with DIE,
HANG or OOM lets that happen after two of its tokens.
"""

from __future__ import annotations

import json
import os
import random
import runpy
import signal
import sys
import time
from collections import Counter, defaultdict
from itertools import takewhile
from pathlib import Path
from typing import Any

_EOS = 0
_ORDER = 3
_FAULT_AFTER = 2
_START_FAULTS = {
    "memory": ("RuntimeError", "insufficient GPU memory: the KV cache found no room"),
    "kernel": ("RuntimeError", "FP8 is not supported on compute capability 8.0"),
    "weights": ("OSError", "model.safetensors ends in the middle"),
    "settings": ("ValueError", "max_batch_size does not go with the graphs"),
    "other": ("RuntimeError", "the matrix is singular\nand a second line"),
}


class Chain:
    """What follows the last characters in a text."""

    def __init__(self, text: str) -> None:
        self._next: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for line in text.splitlines():
            ids = [*map(ord, line), _EOS]
            for spot, token in enumerate(ids):
                for length in range(min(spot, _ORDER) + 1):
                    self._next[tuple(ids[spot - length : spot])][token] += 1

    def next(self, ids: list[int], *, may_end: bool, draw: random.Random | None) -> int:
        """Return the most frequent token, the first of those that are equal, or draw one."""
        for length in range(min(_ORDER, len(ids)), -1, -1):
            known = self._next.get(tuple(ids[len(ids) - length :]), {})
            found = {i: n for i, n in sorted(known.items()) if may_end or i != _EOS}
            if found:
                if draw is not None:
                    return draw.choices(list(found), list(found.values()))[0]
                return max(found, key=lambda i: found[i])
        raise ValueError("an empty text")


class Worker:
    """Runs requests in steps, all together."""

    def __init__(self, args: dict[str, Any]) -> None:
        folder = Path(args["model"])
        self._chain = Chain((folder / "weights.bin").read_text())
        self._args, self._steps = args, 0
        self._cache = args["kv_cache_config"]
        self._prompts: list[list[int]] = []
        self._gone: set[int] = set()

    def run(self, requests: list[dict[str, Any]]) -> None:
        """Answer requests, as many at a time as fit into a step."""
        arrived_s = time.monotonic()
        waiting, running = list(requests), []
        while waiting or running:
            while waiting and len(running) < self._args["max_batch_size"]:
                running.append(self._begun(waiting.pop(0), arrived_s))
            self._steps += 1
            events = [event for r in running if (event := self._step(r)) is not None]
            running = [r for r in running if not r["is_done"]]
            if events:
                _say(events)

    def _begun(self, request: dict[str, Any], arrived_s: float) -> dict[str, Any]:
        seed = request["seed"]
        return request | {
            "tokens": [],
            "new": [],
            "first_iter": self._steps + 1,
            "times": {"arrival_time": arrived_s, "first_scheduled_time": time.monotonic()},
            "reused": self._reused(request["prompt"]),
            "draw": None if seed is None else random.Random(seed),
            "is_done": False,
        }

    def _reused(self, prompt: list[int]) -> int:
        """Return the full blocks that an earlier prompt begins with too."""
        common = 0
        if self._cache["enable_block_reuse"]:
            for other in self._prompts:
                pairs = zip(prompt, other, strict=False)
                common = max(common, len(list(takewhile(lambda p: p[0] == p[1], pairs))))
            self._prompts.append(prompt)
        return common // self._cache["tokens_per_block"]

    def _step(self, request: dict[str, Any]) -> dict[str, Any] | None:
        tokens, number = request["tokens"], request["number"]
        if len(tokens) == _FAULT_AFTER and (error := _fault_of(request["prompt"])):
            request["is_done"] = True
            return {"number": number, "error": error}
        may_end = not request["ignore_eos"] and len(tokens) >= request["min_tokens"]
        ids = request["prompt"] + tokens
        tokens.append(self._chain.next(ids, may_end=may_end, draw=request["draw"]))
        request["new"].append(tokens[-1])
        request["times"].setdefault("first_token_time", time.monotonic())
        reason = "stop" if may_end and tokens[-1] == _EOS else None
        reason = "length" if reason is None and len(tokens) == request["max_tokens"] else reason
        request["is_done"] = reason is not None
        is_due = request["streaming"] and len(tokens) % self._args["stream_interval"] == 0
        if not (is_due or request["is_done"]):
            return None
        event = {"number": number, "tokens": request["new"], "finish_reason": reason}
        request["new"] = []
        if reason and request["metrics"]:
            event["metrics"] = self._metrics(request)
        return event

    def _metrics(self, request: dict[str, Any]) -> dict[str, Any]:
        size = self._cache["tokens_per_block"]
        length = len(request["prompt"]) + len(request["tokens"])
        return {
            "times": request["times"] | {"last_token_time": time.monotonic()},
            "first_iter": request["first_iter"],
            "last_iter": self._steps,
            "blocks": -(-length // size),
            "reused": request["reused"],
            "cached_tokens": request["reused"] * size,
        }


def _fault_of(prompt: list[int]) -> str | None:
    """Let happen what the beginning of a prompt asks for; return the error of its request."""
    word = bytes(prompt[:4]).decode("ascii")
    if word.startswith("DIE"):
        os.kill(os.getpid(), signal.SIGKILL)
    if word.startswith("HANG"):
        _hang()
    return "CUDA out of memory: no room for 2 GiB" if word.startswith("OOM") else None


def _hang() -> None:
    while True:
        signal.pause()


def _say(message: Any) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def _trouble(args: dict[str, Any]) -> tuple[str, str] | None:
    """Return why a worker cannot start; kind and text of an error."""
    config = json.loads((Path(args["model"]) / "config.json").read_text())
    if args["attn_backend"] not in ("TRTLLM", "FLASHINFER", "VANILLA"):
        return "ValueError", f"there is no attention backend {args['attn_backend']}"
    if args["quant"] == "NVFP4":
        return "RuntimeError", "NVFP4 is not supported on compute capability 9.0"
    if config.get("fault") == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    return _START_FAULTS.get(config.get("fault"))


def _import_main(path: str | None) -> None:
    """Run the script of the host as mpi4py does, which may not start anything then."""
    if path and Path(path).name == "child.py":
        sys.path[0] = str(Path(path).resolve().parent)
        runpy.run_path(path, run_name="__worker__")
        if Path(sys.path[0]).name == "host":
            raise ValueError("the modules beside the script hide others")


def main() -> None:
    """Serve until the other side is gone."""
    is_stubborn = False
    worker: Worker | None = None
    for line in sys.stdin:
        message = json.loads(line)
        if "args" in message:
            args = message["args"]
            _import_main(message["main"])
            if trouble := _trouble(args):
                _say({"error": trouble})
                continue
            worker = Worker(args)
            config = json.loads((Path(args["model"]) / "config.json").read_text())
            is_stubborn = config.get("fault") == "stubborn"
            if is_stubborn:
                signal.signal(signal.SIGTERM, signal.SIG_IGN)
            _say({"ready": os.getpid()})
        elif worker and "requests" in message:
            worker.run(message["requests"])
    if is_stubborn:
        _hang()


if __name__ == "__main__":
    main()
