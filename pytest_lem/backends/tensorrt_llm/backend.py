"""TensorRT-LLM: batches as concurrent streams through its LLM API."""

from __future__ import annotations

import atexit
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_lem.backends.host.packages import require_version
from pytest_lem.backends.models import ModelSource, locate
from pytest_lem.backends.protocol import LoadSpec, Prepared, Request
from pytest_lem.backends.tensorrt_llm.applied import in_force
from pytest_lem.backends.tensorrt_llm.arguments import llm_arguments
from pytest_lem.backends.tensorrt_llm.checkpoint import (
    check_code,
    end_ids,
    find_folder,
    read_checkpoint,
)
from pytest_lem.backends.tensorrt_llm.options import TensorRtLlmOptions
from pytest_lem.backends.tensorrt_llm.refusal import refused
from pytest_lem.backends.tensorrt_llm.streamed import Answer, StreamedLlm
from pytest_lem.backends.tensorrt_llm.timeline import requests_of
from pytest_lem.backends.tokens import HuggingFaceTokenizer, prompts_of, up_to_eos
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.workload import Workload

_OLDEST = "1.0"
#: Types of weights as they are stored, and kinds of quantisation by their names in `QuantAlgo`.
_PRECISIONS = (
    "auto",
    "float32",
    "bfloat16",
    "float16",
    "fp8",
    "fp8_per_channel_per_token",
    "fp8_block_scales",
    "nvfp4",
    "w4a8_nvfp4_fp8",
    "w4a16_mxfp4",
    "w4a8_mxfp4_fp8",
    "w4a8_mxfp4_mxfp8",
    "w4a16_awq",
    "w4a8_awq",
    "w4a16_gptq",
    "w8a16",
    "w4a16",
    "mixed_precision",
)


@dataclass(frozen=True, slots=True)
class _Batch:
    """Prompts, and how each is to be gone on with."""

    prompts: list[list[int]]
    params: list[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    batch: _Batch
    answers: list[Answer]


class TensorRtLlmBackend:
    """Runs a language model with TensorRT-LLM."""

    name: ClassVar[str] = "tensorrt_llm"
    requires: ClassVar[tuple[str, ...]] = ("tensorrt_llm",)
    install: ClassVar[str] = (
        "python -m pip install 'pytest-lem[tensorrt-llm]' (in an environment of its own: see "
        "docs/backends.md)"
    )
    precisions: ClassVar[tuple[str, ...]] = _PRECISIONS
    refuses: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[TensorRtLlmOptions]] = TensorRtLlmOptions

    def load(self, spec: LoadSpec) -> dict[str, Any]:
        """Start the engine; see `Backend.load`."""
        options: TensorRtLlmOptions = spec.options  # type: ignore[assignment]
        source = locate(spec.model)
        os.environ["TRTLLM_NO_USAGE_STATS"] = "1"  # nothing is sent anywhere
        import tensorrt_llm

        require_version(tensorrt_llm.__version__, _OLDEST, "tensorrt-llm", self.install)
        checkpoint = read_checkpoint(find_folder(source, options.revision))
        check_code(checkpoint, is_trusted=options.trust_remote_code)
        self._engine = _started(spec, options, source)
        atexit.register(self._engine.close)
        args, tokenizer = self._engine.args, self._engine.tokenizer
        self._context = args.max_seq_len or checkpoint.context_length
        self._prompts = HuggingFaceTokenizer(tokenizer)
        self._eos_ids = end_ids(checkpoint.folder) | {tokenizer.eos_token_id} - {None}
        return in_force(args, options, source, checkpoint, tensorrt_llm.__version__)

    def prepare(self, workload: Workload, batch_size: int) -> Prepared:
        """Tokenise, and check against the longest sequence and the longest step."""
        self._is_streaming = workload.streaming
        batches = [self._batch(prompts, workload) for prompts in workload.batches(batch_size)]
        lengths = [len(ids) for batch in batches for ids in batch.prompts]
        self._check_step(max(lengths))
        return Prepared(batches=batches, input_tokens=sum(lengths), requests=len(lengths))

    def run(self, batch: _Batch) -> _Outcome:
        """Generate for one batch."""
        answers = self._engine.generate(
            batch.prompts, batch.params, is_streaming=self._is_streaming
        )
        return _Outcome(batch, answers)

    def synchronise(self) -> None:
        """Tokens that are there as Python numbers have been waited for."""

    def requests(self, outcome: _Outcome) -> list[Request]:
        """Put the events of each request together."""
        return requests_of(
            outcome.batch.prompts,
            outcome.answers,
            tokens_per_block=getattr(self._engine.args.kv_cache_config, "tokens_per_block", None),
            is_streaming=self._is_streaming,
        )

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text up to the end of the sequence, without special tokens."""
        ids = up_to_eos(list(token_ids), self._eos_ids)
        return str(self._engine.tokenizer.decode(ids, skip_special_tokens=True))

    def _batch(self, prompts: list[Prompt], workload: Workload) -> _Batch:
        ids = prompts_of(self._prompts, prompts, workload, self._context)
        return _Batch(ids, [_params(workload, row) for row in range(len(ids))])

    def _check_step(self, longest: int) -> None:
        """Refuse prompts that are longer than a step, which the engine would refuse at work."""
        args = self._engine.args
        most = args.max_num_tokens
        if most and longest > most and not args.enable_chunked_prefill:
            raise LemError(
                f"a prompt has {longest} tokens and a step takes {most}; raise "
                "`backends.tensorrt_llm.max_num_tokens`, or set `enable_chunked_prefill`",
                kind=FailureKind.DATA,
            )


def _started(spec: LoadSpec, options: TensorRtLlmOptions, source: ModelSource) -> StreamedLlm:
    """Start the engine; what the library refuses becomes one sentence."""
    try:
        return StreamedLlm(llm_arguments(spec, options, source))
    except LemError:
        raise
    except Exception as error:
        raise refused(error, source) from error


def _params(workload: Workload, row: int) -> Any:
    """Return the sampling of one request; rows of a batch draw from seeds of their own.

    Without temperature, top_k and top_p the library decodes greedily; a temperature of 0 is not
    what it documents. Early releases also decode greedily where only a temperature is given.
    """
    from tensorrt_llm import SamplingParams

    sampling: dict[str, Any] = {}
    if workload.temperature > 0:
        sampling = {
            "temperature": workload.temperature,
            "top_p": workload.top_p,
            "seed": workload.seed + row,
        }
    return SamplingParams(
        max_tokens=workload.output_tokens,
        min_tokens=workload.min_output_tokens,
        ignore_eos=workload.ignore_eos,
        detokenize=False,
        return_perf_metrics=True,
        **sampling,
    )
