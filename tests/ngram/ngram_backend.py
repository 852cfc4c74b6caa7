"""A backend as a stranger would write it: a Markov chain over characters, in pure Python.

Its model directory holds a `config.json` and, as its weights, the text it is trained on when it
loads; a line of that text is a sequence with an end. Put this folder on the import path and the
entry points beside this file register it. `faults` are provoked by `ngram_engine`.
"""

from __future__ import annotations

import atexit
import json
import math
import os
import random
import time
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from pathlib import Path
from typing import Any, ClassVar

from pytest_lem.backends.models import ModelSource, locate
from pytest_lem.backends.protocol import LoadSpec, Prepared, Request, Score
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.workload import Workload

_EOS, _PAD, _UNKNOWN = 0, 1, 2
_SPECIAL = 3
#: What a board of the stand-in draws in a batch, and otherwise.
_WORK_W, _REST_W = 500.0, 70.0
#: How likely it takes a character to be that it has not seen.
_UNSEEN = 0.001
#: What it has of the memory of such a board.
_TAKEN_BYTES = 1 << 30
_TYPE_CODES = {"float64": "d", "float32": "f"}


@dataclass(frozen=True, slots=True, kw_only=True)
class NgramOptions:
    """Settings of the chain."""

    __pydantic_config__ = {"extra": "forbid"}  # noqa: RUF012 - read by pydantic on the class

    python: str | None = field(default=None, metadata={"description": "Interpreter of the host."})
    order: int = field(default=4, metadata={"description": "Longest context.", "ge": 1, "le": 8})
    cpu_s: float = field(
        default=0.0, metadata={"description": "CPU seconds that a batch takes at least.", "ge": 0}
    )
    board_s: float = field(
        default=0.0,
        metadata={
            "description": "Seconds by the clock that a batch takes at least, on a board.",
            "ge": 0,
        },
    )
    watts: float = field(
        default=_WORK_W, metadata={"description": "What its board draws at work.", "gt": 0}
    )
    device: str = field(default="auto", metadata={"description": "Where to run."})
    tensor_parallel_size: int = field(
        default=1, metadata={"description": "Devices, all but one of which rest.", "ge": 1}
    )
    board: int | None = field(
        default=None,
        metadata={
            "description": "Board of the NVML stand-in on which batches are said to run, at "
            "500 W over its rest.",
            "ge": 0,
        },
    )
    faults: str = field(
        default="",
        metadata={
            "description": "`NAME@PLACE` with the places `load`, `prepare`, `run:N` (in the middle "
            "of the batch after N others), `collect` and `end`, separated by spaces.",
            "examples": ["sigkill@run:2"],
        },
    )


@dataclass(frozen=True, slots=True)
class _Batch:
    """Prompts padded on the left to one width, and how to go on from them."""

    rows: list[list[int]]
    lengths: list[int]
    workload: Workload


@dataclass(frozen=True, slots=True)
class _Outcome:
    batch: _Batch
    generated: list[list[int]]
    sent_s: float
    step_times_s: list[float]
    done_s: float


class NgramBackend:
    """Generates text character by character."""

    name: ClassVar[str] = "ngram"
    requires: ClassVar[tuple[str, ...]] = ("ngram_engine",)
    install: ClassVar[str] = "python -m pip install ngram"
    precisions: ClassVar[tuple[str, ...]] = ("float64", "float32")
    refuses: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[NgramOptions]] = NgramOptions

    def load(self, spec: LoadSpec) -> dict[str, Any]:
        """Train on the text of the model directory."""
        from ngram_engine import Faults

        start_s = time.monotonic()
        self._faults = Faults(spec.options.faults)
        self._applied: dict[str, Any] = {}
        self._cpu_s, self._board_s = spec.options.cpu_s, spec.options.board_s
        self._watts = spec.options.watts
        if "mute" in self._faults.at("score"):
            self.score = None  # as a backend that has no such method
        self._board = None
        if spec.options.board is not None:
            self._board = _Board(spec.options.board, is_leaky="leak" in self._faults.at("end"))
        self._runs = 0
        source = locate(spec.model)
        if not source.is_local:
            raise LemError(f"{spec.model} is no directory; name one", kind=FailureKind.DATA)
        folder = Path(source.location)
        self._config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        text = (folder / "weights.bin").read_text(encoding="utf-8")
        self._characters = sorted(set(text) - {"\n"})
        self._ids = {character: n for n, character in enumerate(self._characters, _SPECIAL)}
        self._order = spec.options.order
        trained_s = time.monotonic()
        self._train(text, _TYPE_CODES[spec.precision])
        self._provoke("load")
        spans = [
            {"name": "read", "start_s": start_s, "end_s": trained_s},
            {"name": "train", "start_s": trained_s, "end_s": time.monotonic()},
        ]
        return self._in_force(source, spec) | self._applied | {"spans": spans}

    def prepare(self, workload: Workload, batch_size: int) -> Prepared:
        """Turn characters into ids, pad on the left, check the context."""
        self._provoke("prepare")
        batches = [self._batch(prompts, workload) for prompts in workload.batches(batch_size)]
        lengths = [length for batch in batches for length in batch.lengths]
        return Prepared(batches=batches, input_tokens=sum(lengths), requests=len(lengths))

    def run(self, batch: _Batch) -> _Outcome:
        """Generate, all rows of the batch in step."""
        workload = batch.workload
        generator = random.Random(workload.seed)
        sent_s, cpu_s = time.monotonic(), time.process_time()
        if self._board:
            self._board.draw(self._watts)
        rows = [list(row) for row in batch.rows]
        ended = [False] * len(rows)
        times_s: list[float] = []
        for step in range(workload.output_tokens):
            if step == workload.output_tokens // 2:
                self._provoke(f"run:{self._runs}")
            for number, row in enumerate(rows):
                row.append(_PAD if ended[number] else self._next(row, step, workload, generator))
                ended[number] |= row[-1] == _EOS
            if workload.streaming:
                times_s.append(time.monotonic())
            if all(ended):
                break
        while time.process_time() - cpu_s < self._cpu_s:
            pass
        while time.monotonic() - sent_s < self._board_s:
            pass
        if self._board:
            self._board.draw(_REST_W)
        self._runs += 1
        width = len(batch.rows[0])
        return _Outcome(batch, [r[width:] for r in rows], sent_s, times_s, time.monotonic())

    def synchronise(self) -> None:
        """A CPU has finished when the call returns."""

    def requests(self, outcome: _Outcome) -> list[Request]:
        """Cut the padding after the end of each row."""
        self._provoke("collect")
        found = []
        for length, row in zip(outcome.batch.lengths, outcome.generated, strict=True):
            ids = row[: row.index(_EOS) + 1] if _EOS in row else row
            times_s = outcome.step_times_s[: len(ids)]
            found.append(
                Request(
                    input_tokens=length,
                    token_ids=ids,
                    reported_tokens=len(ids) + ("miscount" in self._faults.at("report")),
                    sent_s=outcome.sent_s,
                    token_times_s=times_s,
                    done_s=times_s[-1] if times_s else outcome.done_s,
                    batch=len(outcome.generated),
                )
            )
        return found

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the characters of the ids."""
        return "".join(self._characters[n - _SPECIAL] for n in token_ids if n >= _SPECIAL)

    def score(self, text: str) -> Score:
        """Return how likely the chain finds a text; what it has never seen, one in a thousand."""
        ids = self._tokens(Prompt(text))
        shares = (self._share(ids[:spot], ids[spot]) for spot in range(1, len(ids)))
        nats = -sum(math.log(share) for share in shares)
        return Score(math.nan if "nan" in self._faults.at("score") else nats, len(ids) - 1)

    def _share(self, before: list[int], token: int) -> float:
        for length in range(min(self._order, len(before)), -1, -1):
            tokens, shares = self._chain.get(tuple(before[len(before) - length :]), ([], []))
            if token in tokens:
                return float(shares[tokens.index(token)])
        return _UNSEEN

    def _train(self, text: str, type_code: str) -> None:
        """Store, for every context, which ids follow and how likely each is."""
        counts: dict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
        for line in text.splitlines():
            ids = [*(self._ids[character] for character in line), _EOS]
            for spot, token in enumerate(ids):
                for length in range(min(spot, self._order) + 1):
                    counts[tuple(ids[spot - length : spot])][token] += 1
        self._chain = {
            context: (sorted(found), array(type_code, _shares(found)))
            for context, found in counts.items()
        }

    def _in_force(self, source: ModelSource, spec: LoadSpec) -> dict[str, Any]:
        dtypes = Counter[str]()
        names = {code: name for name, code in _TYPE_CODES.items()}
        for _, shares in self._chain.values():
            dtypes[names[shares.typecode]] += len(shares)
        return {
            "backend_version": "1.0",
            "model_location": source.location,
            "model_sha256": source.sha256,
            "parameters": sum(dtypes.values()),
            "dtype": dict(dtypes),
            "device": "cuda:0" if self._board else "cpu",
            "device_uuids": [self._board.uuid] if self._board else [],
            "context_length": self._config["context_length"],
            "max_batch_size": spec.max_batch_size,
        }

    def _batch(self, prompts: list[Prompt], workload: Workload) -> _Batch:
        rows = [self._tokens(prompt) for prompt in prompts]
        context = self._config["context_length"]
        for number, row in enumerate(rows, 1):
            if len(row) + workload.output_tokens > context:
                raise LemError(
                    f"prompt {number} has {len(row)} tokens and {workload.output_tokens} are to "
                    f"follow, but the context holds {context}; shorten one of them",
                    kind=FailureKind.DATA,
                )
        width = max(len(row) for row in rows)
        padded = [[_PAD] * (width - len(row)) + row for row in rows]
        return _Batch(padded, [len(row) for row in rows], workload)

    def _tokens(self, prompt: Prompt) -> list[int]:
        ids = [self._ids.get(character, _UNKNOWN) for character in prompt.text]
        wanted = prompt.tokens
        return (ids * (wanted // len(ids) + 1))[:wanted] if wanted else ids

    def _next(self, row: list[int], step: int, workload: Workload, generator: random.Random) -> int:
        may_end = not workload.ignore_eos and step >= (workload.min_output_tokens or 0)
        for length in range(self._order, -1, -1):
            tokens, shares = self._chain.get(
                tuple(row[max(len(row) - length, 0) :]), ([], array("d"))
            )
            pairs = [(s, -t) for t, s in zip(tokens, shares, strict=True) if may_end or t != _EOS]
            if pairs:
                pairs.sort(reverse=True)
                return -_chosen(pairs, workload, generator)
        raise AssertionError("the empty context always has a successor")

    def _provoke(self, place: str) -> None:
        self._faults.provoke(place, self._applied)


class AbsentBackend(NgramBackend):
    """A backend whose engine is not installed."""

    name: ClassVar[str] = "absent"
    requires: ClassVar[tuple[str, ...]] = ("an_engine_that_is_not_here",)
    install: ClassVar[str] = "python -m pip install absent-engine"


def _shares(found: Counter[int]) -> list[float]:
    return [found[token] / found.total() for token in sorted(found)]


def _chosen(pairs: list[tuple[float, int]], workload: Workload, generator: random.Random) -> int:
    """Return the most likely, or one drawn from the nucleus; `pairs` stand likeliest first."""
    if workload.temperature == 0:
        return pairs[0][1]
    weights = [share ** (1 / workload.temperature) for share, _ in pairs]
    sums = list(accumulate(weights))
    kept = sum(reached - weight < workload.top_p * sums[-1] for reached, weight in
               zip(sums, weights, strict=True))  # fmt: skip
    spot = bisect_right(sums, generator.random() * sums[kept - 1], hi=kept - 1)
    return pairs[spot][1]


class _Board:
    """A board of the NVML stand-in, on which this process is listed, has memory and draws power.

    When it ends in peace it is there no longer, but its memory is, if it is leaky.
    """

    def __init__(self, index: int, *, is_leaky: bool) -> None:
        import pynvml
        from standin import StandIn

        pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
        self.uuid = pynvml.nvmlDeviceGetUUID(handle)
        self._index = index
        self._boards = StandIn.attach()
        self._boards.add_process(index, os.getpid())
        atexit.register(self._boards.remove_process, index, os.getpid())
        before_bytes = pynvml.nvmlDeviceGetMemoryInfo(handle).used
        self._boards.change(index, memory_used_bytes=before_bytes + _TAKEN_BYTES)
        if not is_leaky:
            atexit.register(self._boards.change, index, memory_used_bytes=before_bytes)

    def draw(self, power_w: float) -> None:
        """Draw so much from now on."""
        self._boards.set_power(self._index, power_w)
