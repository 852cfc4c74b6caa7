"""vLLM: offline batches in the engine's own steps, or as streams of the engine of its servers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import Any, ClassVar

from pytest_lem.backends.host.failures import reason_of
from pytest_lem.backends.host.packages import require_version
from pytest_lem.backends.models import ModelSource, locate
from pytest_lem.backends.protocol import LoadSpec, Prepared, Request, Score
from pytest_lem.backends.tokens import HuggingFaceTokenizer, prompts_of, up_to_eos
from pytest_lem.backends.vllm.applied import in_force
from pytest_lem.backends.vllm.arguments import engine_arguments, set_threads, set_variables
from pytest_lem.backends.vllm.engine import Engine, Outcome
from pytest_lem.backends.vllm.options import VllmOptions
from pytest_lem.backends.vllm.timeline import requests_of
from pytest_lem.errors import FailureKind, LemError, config_error
from pytest_lem.workloads.prompt import Prompt
from pytest_lem.workloads.workload import Workload

_OLDEST = "0.32"


@dataclass(frozen=True, slots=True)
class _Batch:
    """Prompts, and how each is to be gone on with."""

    prompts: list[list[int]]
    params: list[Any]


@dataclass(frozen=True, slots=True)
class _Outcome:
    batch: _Batch
    outcome: Outcome


class VllmBackend:
    """Runs a language model with vLLM."""

    name: ClassVar[str] = "vllm"
    requires: ClassVar[tuple[str, ...]] = ("vllm",)
    install: ClassVar[str] = (
        "python -m pip install 'pytest-lem[vllm]' (for CUDA; for a CPU see docs/backends.md)"
    )
    precisions: ClassVar[tuple[str, ...]] = ("float32", "bfloat16", "float16")
    refuses: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[VllmOptions]] = VllmOptions

    def load(self, spec: LoadSpec) -> dict[str, Any]:
        """Start the engine; see `Backend.load`."""
        options: VllmOptions = spec.options  # type: ignore[assignment]
        source = locate(spec.model)
        set_variables(options)
        import vllm

        require_version(vllm.__version__, _OLDEST, "vllm", self.install)
        set_threads(options)
        self._engine = _started(spec, options, source)
        config = self._engine.config.model_config
        self._context = config.max_model_len
        self._prompts = HuggingFaceTokenizer(self._engine.tokenizer)
        self._eos_ids = _eos_ids(self._engine)
        return in_force(self._engine, options, source, vllm.__version__)

    def prepare(self, workload: Workload, batch_size: int) -> Prepared:
        """Tokenise, and check against the longest sequence of the engine."""
        self._is_streaming = workload.streaming
        batches = [self._batch(prompts, workload) for prompts in workload.batches(batch_size)]
        lengths = [len(ids) for batch in batches for ids in batch.prompts]
        return Prepared(batches=batches, input_tokens=sum(lengths), requests=len(lengths))

    def run(self, batch: _Batch) -> _Outcome:
        """Generate for one batch."""
        return _Outcome(batch, self._engine.generate(batch.prompts, batch.params))

    def synchronise(self) -> None:
        """Tokens that are there as Python numbers have been waited for."""

    def requests(self, outcome: _Outcome) -> list[Request]:
        """Put the parts of each request together."""
        return requests_of(outcome.batch.prompts, outcome.outcome, is_streaming=self._is_streaming)

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text up to the end of the sequence, without special tokens."""
        ids = up_to_eos(list(token_ids), self._eos_ids)
        return str(self._engine.tokenizer.decode(ids, skip_special_tokens=True))

    def score(self, text: str) -> Score:
        """Return how likely the model finds a text."""
        ids = self._engine.tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = list(ids)[: self._context - 1]  # one token is generated
        outcome = self._engine.generate([ids], [_scoring()])
        told = outcome.steps[-1].outputs[0].prompt_logprobs[1:]
        found = (by_id[token].logprob for token, by_id in zip(ids[1:], told, strict=True))
        return Score(-fsum(found), len(ids) - 1)

    def _batch(self, prompts: list[Prompt], workload: Workload) -> _Batch:
        ids = prompts_of(self._prompts, prompts, workload, self._context)
        return _Batch(ids, [_params(workload, row) for row in range(len(ids))])


def _started(spec: LoadSpec, options: VllmOptions, source: ModelSource) -> Engine:
    """Start the engine; what vLLM refuses becomes one sentence."""
    from safetensors import SafetensorError
    from vllm.platforms import current_platform

    arguments = engine_arguments(spec, options, source, is_cpu=current_platform.is_cpu())
    try:
        return _engine(arguments, options)
    except (OSError, SafetensorError) as error:
        raise LemError(
            f"cannot load the model {source.location}: {reason_of(error)}", kind=FailureKind.DATA
        ) from error
    except (ValueError, NotImplementedError) as error:  # the latter: not on this hardware
        raise config_error(f"vLLM does not take these settings: {reason_of(error)}") from error


def _engine(arguments: dict[str, Any], options: VllmOptions) -> Engine:
    if options.engine == "AsyncLLM":
        from pytest_lem.backends.vllm.streamed import StreamedEngine

        return StreamedEngine(arguments)
    from pytest_lem.backends.vllm.stepped import SteppedEngine

    return SteppedEngine(arguments, is_in_process=options.is_in_process)


def _params(workload: Workload, row: int) -> Any:
    """Return the sampling of one request; rows of a batch draw from seeds of their own."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    is_greedy = workload.temperature == 0
    kind = RequestOutputKind.DELTA if workload.streaming else RequestOutputKind.FINAL_ONLY
    return SamplingParams(
        temperature=workload.temperature,
        top_p=workload.top_p,
        seed=None if is_greedy else workload.seed + row,
        max_tokens=workload.output_tokens,
        min_tokens=workload.min_output_tokens or 0,
        ignore_eos=workload.ignore_eos,
        detokenize=False,
        output_kind=kind,
    )


def _scoring() -> Any:
    """Return the sampling that tells the probability of every token of the prompt."""
    from vllm import SamplingParams
    from vllm.sampling_params import RequestOutputKind

    return SamplingParams(
        temperature=0.0,
        max_tokens=1,
        prompt_logprobs=0,
        detokenize=False,
        output_kind=RequestOutputKind.FINAL_ONLY,
    )


def _eos_ids(engine: Engine) -> frozenset[int]:
    """Return the ends of a sequence, of the tokenizer and of the generation's configuration."""
    told = engine.config.model_config.try_get_generation_config().get("eos_token_id")
    further = told if isinstance(told, list) else [told]
    known = {engine.tokenizer.eos_token_id, *further}
    return frozenset(token for token in known if token is not None)
