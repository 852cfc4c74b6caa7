"""What a backend is. Imports the standard library only: the host process reads this file."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol, Self

from pytest_lem.workloads.workload import Workload


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadSpec:
    """What to load. Cases with equal specs share one host process.

    `max_batch_size` is the largest batch of those cases: engines that reserve memory for a
    number of sequences take it, and it is no part of the load key.
    """

    backend: str
    model: str
    precision: str
    options: Mapping[str, Any]
    max_batch_size: int = field(default=1, compare=False)


@dataclass(slots=True, kw_only=True)
class Request:
    """What became of one request. Times are CLOCK_MONOTONIC seconds.

    Attributes:
        input_tokens: tokens of the prompt, padding not counted; None where nobody told.
        token_ids: tokens generated, up to and with the first end-of-sequence token; empty where an
            engine gives texts only, which then says `output_tokens`.
        reported_tokens: how many the engine says it generated, for the audit; None: no word of it.
        sent_s: when the engine was given the request.
        token_times_s: when each token was there, or each piece of text where a server sends several
            tokens at once; empty without streaming.
        done_s: when the engine gave the request back.
        batch: the most requests that the engine had in one step while this one ran; None where it
            does not tell.
        output_tokens: how many were generated; left out, it is the number of `token_ids`.
        text: what was generated, from an engine that gives no ids.
        scheduled_s: when it was due, in traffic.
        error: why it failed, in a few words; None if it did not.
        queue_s: how long it waited in the engine; None where the engine does not tell.
        cached_tokens: tokens of the prompt that were not computed; None where it does not tell.
        preemptions: how often it was put aside; None where it does not tell.
        kv_cache_share: largest share of the KV cache in use meanwhile, by whomever; None where it
            does not tell.

    """

    input_tokens: int | None
    token_ids: list[int]
    reported_tokens: int | None
    sent_s: float
    token_times_s: list[float]
    done_s: float
    batch: int | None
    output_tokens: int | None = None
    text: str | None = None
    scheduled_s: float | None = None
    error: str | None = None
    queue_s: float | None = None
    cached_tokens: int | None = None
    preemptions: int | None = None
    kv_cache_share: float | None = None

    def __post_init__(self) -> None:
        """Count the ids where nothing else was said."""
        if self.output_tokens is None and self.error is None:
            self.output_tokens = len(self.token_ids)


def failed_request(sent_s: float, why: str) -> Request:
    """Return a request that failed now, for a reason in a few words."""
    return Request(
        input_tokens=None,
        token_ids=[],
        reported_tokens=None,
        sent_s=sent_s,
        token_times_s=[],
        done_s=time.monotonic(),
        batch=None,
        error=why,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A workload as the engine wants it: tokenised, batched, checked against the context.

    `input_tokens` is None where only the engine will know.
    """

    batches: Sequence[Any]
    input_tokens: int | None
    requests: int


class Sender(Protocol):
    """Sends single requests to an engine that takes them at any time.

    It is entered and used in one event loop.
    """

    async def __aenter__(self) -> Self:
        """Connect."""

    async def __aexit__(self, *error: object) -> None:
        """Let go of everything."""

    async def send(self, number: int) -> Request:
        """Send one of the prepared batches, by its number, and return what became of it.

        A request that fails is returned with its `error`.
        """

    async def look(self) -> dict[str, float]:
        """Return what the engine says of itself now, by the names in `backends.openai.gauges`."""


class Score(NamedTuple):
    """How likely a model finds a text: minus the logarithms of its tokens' probabilities.

    Attributes:
        nats: their sum, over all tokens but the first, which nothing stands before; None where that
            is not known, or infinite.
        tokens: how many they are.

    """

    nats: float | None
    tokens: int


class Backend(Protocol):
    """Runs a model in the host process. One file and one entry point make a new one.

    The class attributes are read in the process of pytest, so importing the file must not
    import the engine. `Options` extends `BackendOptions` by the library's own settings, each made
    by `option`. The first of `precisions` is taken where none is asked for; `auto` among them is
    what a model's file has. `refuses` names settings of the workload that the engine cannot follow.

    A backend may have further methods: `score(text: str) -> Score`, for the quality of a model,
    takes as much of the text as its context holds. `sender(batches) -> Sender` takes traffic, from
    batches of one request each; without it there are offline batches only. One whose engine is a
    server in processes of its own has `is_server = True` and says in `load` where it is: `url`, and
    `server_pid` if it has started it. One that runs copies of a model in several processes has
    `copies(spec)`, the variables of each further process, and `join()`, by which all of them meet
    once they are loaded: it returns what is in force in all, with `rank`, `pid` and `device` of
    each under `processes`, or raises LostCopies. Until `deadline_s` they may wait for each other.
    `untried(options, gpus=..., has_interpreter=...)`, a static method, is asked before examples of
    options are tried on a machine with so many GPUs; it returns a sentence where what they need is
    not there, else None. With an interpreter of its own a host has packages of its own.
    """

    name: ClassVar[str]
    requires: ClassVar[tuple[str, ...]]
    install: ClassVar[str]
    precisions: ClassVar[tuple[str, ...]]
    refuses: ClassVar[tuple[str, ...]]
    Options: ClassVar[type[Any]]

    def load(self, spec: LoadSpec) -> dict[str, Any]:
        """Load the model and return what is in force, read back from the engine.

        Among it: `device` (`cpu` or `cuda`), `device_uuids`, `precision` (of most weights),
        `dtype` (parameters of each type), `precisions` (of weights by class of module, activations,
        KV cache, and `compute`, that of products), `quantization` and `stored_quantization` (how
        the weights are quantised, and by what method the files say that they are; None: not),
        `model_sha256`, `backend_version`, `context_length`, `parameters`, `spans` (parts
        of the load for the ledger), and `options`: for every option that is read back, the value in
        force under its own name, written as it would be asked for.
        """

    def prepare(self, workload: Workload, batch_size: int) -> Prepared:
        """Tokenise and batch; raises LemError when a prompt does not fit the context."""

    def run(self, batch: Any) -> Any:
        """Generate for one batch, with its time stamps. Nothing else: this is measured."""

    def synchronise(self) -> None:
        """Wait until every device has finished what was asked of it."""

    def requests(self, outcome: Any) -> list[Request]:
        """Turn what `run` returned into requests, outside the window."""

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text of the tokens, without special tokens."""
