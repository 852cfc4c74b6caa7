"""llama.cpp: batches through its server, within the host process."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from pytest_lem.backends.host.packages import require_version
from pytest_lem.backends.llama_cpp.applied import in_force
from pytest_lem.backends.llama_cpp.engine import Engine, refusal
from pytest_lem.backends.llama_cpp.gguf import GgufHeader, read_header
from pytest_lem.backends.llama_cpp.options import LlamaCppOptions
from pytest_lem.backends.llama_cpp.params import common_params
from pytest_lem.backends.llama_cpp.precisions import PRECISIONS
from pytest_lem.backends.llama_cpp.timeline import Outcome, requests_of
from pytest_lem.backends.llama_cpp.tokenizer import ServerTokenizer
from pytest_lem.backends.models import ModelSource, locate_gguf
from pytest_lem.backends.protocol import LoadSpec, Prepared, Request
from pytest_lem.backends.tokens import prompts_of
from pytest_lem.errors import FailureKind, LemError, config_error
from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.workload import Workload

_OLDEST = "2026.10"
#: llama.cpp takes the largest number of 32 bits for any seed.
_SEEDS = 2**32 - 1
_ERROR = b'{"error"'


@dataclass(frozen=True, slots=True)
class _Batch:
    """A request with all prompts of a batch, as the server reads it."""

    request: bytes
    rows: int
    is_streaming: bool


class _Events:
    """What the server sends, and when it was there."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.times_s: list[float] = []

    def note(self, chunk: bytes) -> None:
        self.times_s.append(time.monotonic())
        self.chunks.append(chunk)


class LlamaCppBackend:
    """Runs GGUF files with llama.cpp."""

    name: ClassVar[str] = "llama_cpp"
    requires: ClassVar[tuple[str, ...]] = ("xllamacpp",)
    install: ClassVar[str] = "python -m pip install 'pytest-lem[llama-cpp]'"
    precisions: ClassVar[tuple[str, ...]] = PRECISIONS
    refuses: ClassVar[tuple[str, ...]] = ("min_output_tokens",)
    Options: ClassVar[type[LlamaCppOptions]] = LlamaCppOptions

    def load(self, spec: LoadSpec) -> dict[str, Any]:
        """Load the model; see `Backend.load`. The precision is that of the file."""
        import xllamacpp

        require_version(xllamacpp.__version__, _OLDEST, "xllamacpp", self.install)
        self._options: LlamaCppOptions = spec.options  # type: ignore[assignment]
        source = locate_gguf(spec.model)
        header = _whole(source)
        params = common_params(
            self._options,
            model=source.location,
            slots=spec.max_batch_size,
            trained_context=header.context_length,
        )
        self._engine = Engine(params)
        self._tokenizer = ServerTokenizer(
            self._engine,
            has_chat_template=header.has_chat_template,
            control_ids=header.control_ids,
        )
        applied = in_force(self._engine, header, self._options)
        self._context = applied["context_length"]
        self._trained_context = header.context_length
        return {
            "backend_version": xllamacpp.__version__,
            "model_location": source.location,
            "model_sha256": source.sha256,
            **applied,
        }

    def prepare(self, workload: Workload, batch_size: int) -> Prepared:
        """Tokenise, and check against the context of a slot.

        llama.cpp cannot hold back the end of a sequence, so `min_output_tokens` is refused before.
        """
        prompts = [self._ids(batch, workload) for batch in workload.batches(batch_size)]
        lengths = [len(ids) for rows in prompts for ids in rows]
        return Prepared(
            batches=[self._batch(rows, workload) for rows in prompts],
            input_tokens=sum(lengths),
            requests=len(lengths),
        )

    def run(self, batch: _Batch) -> Outcome:
        """Generate for one batch."""
        events = _Events()
        note = events.note if batch.is_streaming else events.chunks.append
        sent_s = time.monotonic()
        self._engine.complete(batch.request, note)
        done_s = time.monotonic()
        if events.chunks[-1].startswith(_ERROR):
            raise refusal(json.loads(events.chunks[-1]))
        return Outcome(batch.rows, events.chunks, events.times_s, sent_s, done_s)

    def synchronise(self) -> None:
        """Tokens that the server has sent were waited for."""

    def requests(self, outcome: Outcome) -> list[Request]:
        """Put the events of each request together."""
        return requests_of(outcome, self._tokenizer.ids_of_part)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text without special tokens; what ends a sequence is its last token."""
        return self._tokenizer.decode(token_ids)

    def _ids(self, batch: Sequence[Prompt], workload: Workload) -> list[list[int]]:
        prompts = prompts_of(self._tokenizer, batch, workload, self._trained_context)
        for number, ids in enumerate(prompts, 1):
            if len(ids) + workload.output_tokens > self._context:
                raise config_error(
                    f"prompt {number} has {len(ids)} tokens and {workload.output_tokens} are to "
                    f"follow, but each request has a context of {self._context}; raise "
                    "`backends.llama_cpp.n_ctx`"
                )
        return prompts

    def _batch(self, prompts: list[list[int]], workload: Workload) -> _Batch:
        """Write the request. Samplers that it does not name are not in the chain."""
        is_greedy = workload.temperature == 0
        request = {
            "prompt": prompts,
            "n_predict": workload.output_tokens,
            "ignore_eos": workload.ignore_eos,
            "samplers": ["temperature"] if is_greedy else ["temperature", "top_p"],
            "temperature": workload.temperature,
            "top_p": workload.top_p,
            "seed": workload.seed % _SEEDS,
            "cache_prompt": self._options.cache_prompt,
            "stream": True,
            "return_progress": True,  # tells when a prompt is begun
            "verbose": True,  # tells the ids
            "sse_ping_interval": -1,  # xllamacpp cannot read pings
        }
        return _Batch(json.dumps(request).encode(), len(prompts), workload.streaming)


def _whole(source: ModelSource) -> GgufHeader:
    """Return the header of a model that is in one file."""
    header = read_header(Path(source.location))
    if header.is_part:
        raise LemError(
            f"{source.location} is one of several parts of a model; join them with llama.cpp's "
            "`llama-gguf-split --merge`",
            kind=FailureKind.DATA,
        )
    return header
