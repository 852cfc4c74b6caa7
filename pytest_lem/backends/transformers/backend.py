"""Hugging Face transformers: static batches through `model.generate`."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_lem.backends.models import ModelSource, locate
from pytest_lem.backends.protocol import LoadSpec, Prepared, Request
from pytest_lem.backends.tokens import HuggingFaceTokenizer, prompts_of, up_to_eos
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.errors import FailureKind, LemError
from pytest_lem.workloads.workload import Workload


@dataclass(frozen=True, slots=True)
class _Batch:
    """One batch on the device, left-padded, with all that `generate` is given."""

    inputs: dict[str, Any]
    lengths: list[int]
    generation: Any
    seed: int | None
    eos_ids: frozenset[int]


@dataclass(frozen=True, slots=True)
class _Outcome:
    batch: _Batch
    sequences: Any
    sent_s: float
    step_times_s: list[float]
    done_s: float


class _Stamps:
    """A stopping criterion that stops nothing: it notes when the tokens of a step are there.

    Reading the sampled tokens waits for the device, so that on CUDA the stamp is the time of the
    tokens and not of the launch.
    """

    def __init__(self, keep_going: Any) -> None:
        self.times_s: list[float] = []
        self._keep_going = keep_going

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:  # noqa: ARG002
        input_ids[:, -1].tolist()
        self.times_s.append(time.monotonic())
        return self._keep_going


class TransformersBackend:
    """Runs a causal language model with `transformers`."""

    name: ClassVar[str] = "transformers"
    requires: ClassVar[tuple[str, ...]] = ("torch", "transformers", "accelerate")
    install: ClassVar[str] = "python -m pip install 'pytest-lem[transformers]'"
    precisions: ClassVar[tuple[str, ...]] = ("float32", "bfloat16", "float16")
    Options: ClassVar[type[TransformersOptions]] = TransformersOptions

    def load(self, spec: LoadSpec) -> dict[str, Any]:
        """Load model and tokenizer; see `Backend.load`."""
        source = locate(spec.model)
        import torch
        import transformers
        from safetensors import SafetensorError

        options: TransformersOptions = spec.options  # type: ignore[assignment]
        if options.num_threads:
            torch.set_num_threads(options.num_threads)
        self._torch = torch
        self._device = _device(torch, options.device)
        common = {
            "revision": options.revision,
            "trust_remote_code": options.trust_remote_code,
            "local_files_only": source.is_local,
        }
        try:
            self._tokenizer = transformers.AutoTokenizer.from_pretrained(
                source.location, padding_side="left", **common
            )
            self._model = transformers.AutoModelForCausalLM.from_pretrained(
                source.location,
                dtype=getattr(torch, spec.precision),
                attn_implementation=options.attn_implementation,
                device_map={"": self._device},
                **common,
            ).eval()
        except (OSError, ValueError, SafetensorError) as error:
            raise _not_loaded(source, error) from error
        self._prompts = HuggingFaceTokenizer(self._tokenizer)
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._eos_ids = _as_set(self._model.generation_config.eos_token_id)
        # `generate` fills what we leave open from the model's own configuration, which would
        # bring back its end-of-sequence token, its sampling and its lengths.
        self._model.generation_config = transformers.GenerationConfig()
        return self._applied(source, transformers.__version__)

    def prepare(self, workload: Workload, batch_size: int) -> Prepared:
        """Tokenise, pad on the left and check against the context."""
        batches = [self._batch(texts, workload) for texts in workload.batches(batch_size)]
        lengths = [length for batch in batches for length in batch.lengths]
        return Prepared(batches=batches, input_tokens=sum(lengths), requests=len(lengths))

    def run(self, batch: _Batch) -> _Outcome:
        """Generate for one batch."""
        torch = self._torch
        stamps = None
        if batch.seed is not None:
            torch.manual_seed(batch.seed)
        sent_s = time.monotonic()
        criteria = []
        if self._is_streaming:
            rows = len(batch.lengths)
            stamps = _Stamps(torch.zeros(rows, dtype=torch.bool, device=self._device))
            criteria.append(stamps)
        with torch.inference_mode():
            sequences = self._model.generate(
                **batch.inputs, generation_config=batch.generation, stopping_criteria=criteria
            )
        self.synchronise()
        done_s = time.monotonic()
        return _Outcome(batch, sequences, sent_s, stamps.times_s if stamps else [], done_s)

    def synchronise(self) -> None:
        """Wait for CUDA; a CPU has finished when the call returns."""
        if self._device.startswith("cuda"):
            self._torch.cuda.synchronize(self._device)

    def requests(self, outcome: _Outcome) -> list[Request]:
        """Cut each row at its own end of sequence; what follows is padding, not output."""
        batch = outcome.batch
        width = batch.inputs["input_ids"].shape[1]
        rows = outcome.sequences[:, width:].tolist()
        steps = outcome.step_times_s
        found = []
        for length, row in zip(batch.lengths, rows, strict=True):
            ids = up_to_eos(row, batch.eos_ids)
            found.append(
                Request(
                    input_tokens=length,
                    token_ids=ids,
                    reported_tokens=min(len(steps), len(ids)) if steps else len(ids),
                    sent_s=outcome.sent_s,
                    token_times_s=steps[: len(ids)],
                    done_s=steps[len(ids) - 1] if steps and ids else outcome.done_s,
                    batch=len(rows),
                )
            )
        return found

    def decode(self, token_ids: Sequence[int]) -> str:
        """Return the text up to the end of the sequence, without special tokens."""
        ids = up_to_eos(list(token_ids), self._eos_ids)
        return str(self._tokenizer.decode(ids, skip_special_tokens=True))

    def _batch(self, texts: list[str], workload: Workload) -> _Batch:
        ids = prompts_of(self._prompts, texts, workload, self._context_length())
        padded = self._tokenizer.pad({"input_ids": ids}, padding=True, return_tensors="pt")
        self._is_streaming = workload.streaming
        return _Batch(
            inputs={key: value.to(self._device) for key, value in padded.items()},
            lengths=[len(row) for row in ids],
            generation=self._generation(workload),
            seed=workload.seed if workload.temperature > 0 else None,
            eos_ids=frozenset() if workload.ignore_eos else self._eos_ids,
        )

    def _generation(self, workload: Workload) -> Any:
        from transformers import GenerationConfig

        sampling: dict[str, Any] = {"do_sample": False}
        if workload.temperature > 0:
            sampling = {
                "do_sample": True,
                "temperature": workload.temperature,
                "top_p": workload.top_p,
                "top_k": 0,
            }
        return GenerationConfig(
            max_new_tokens=workload.output_tokens,
            min_new_tokens=workload.min_output_tokens,
            eos_token_id=None if workload.ignore_eos else sorted(self._eos_ids),
            pad_token_id=self._tokenizer.pad_token_id,
            **sampling,
        )

    def _context_length(self) -> int | None:
        return getattr(self._model.config.get_text_config(), "max_position_embeddings", None)

    def _applied(self, source: ModelSource, version: str) -> dict[str, Any]:
        """Read back from the live objects what is in force."""
        torch, model = self._torch, self._model
        dtypes = Counter[str]()
        for parameter in model.parameters():
            dtypes[str(parameter.dtype).removeprefix("torch.")] += parameter.numel()
        return {
            "backend_version": version,
            "model_location": source.location,
            "model_sha256": source.sha256,
            "model_revision": getattr(model.config, "_commit_hash", None),
            "architecture": type(model).__name__,
            "parameters": sum(dtypes.values()),
            "precision": dtypes.most_common(1)[0][0],
            "dtype": dict(dtypes),
            "device": self._device,
            "device_uuids": _device_uuids(torch, self._device),
            "context_length": self._context_length(),
            "num_threads": torch.get_num_threads(),
            "options": {
                "device": self._device,
                "attn_implementation": model.config._attn_implementation,  # noqa: SLF001 - no public name
                "num_threads": torch.get_num_threads(),
            },
        }


def _device(torch: Any, wanted: str) -> str:
    has_cuda = torch.cuda.is_available()
    if wanted == "auto":
        return "cuda:0" if has_cuda else "cpu"
    if wanted == "cpu":
        return "cpu"
    if not has_cuda:
        raise LemError(
            f"`backends.transformers.device` is {wanted}, but PyTorch {torch.__version__} sees no "
            "CUDA device; install a CUDA build, check the driver, or take `auto`",
            kind=FailureKind.CONFIG,
        )
    index = int(wanted.partition(":")[2] or 0)
    if index >= torch.cuda.device_count():
        raise LemError(
            f"`backends.transformers.device` is {wanted}, but there are only "
            f"{torch.cuda.device_count()} CUDA devices",
            kind=FailureKind.CONFIG,
        )
    return f"cuda:{index}"


def _device_uuids(torch: Any, device: str) -> list[str]:
    """Return the NVML names of the devices in use."""
    if not device.startswith("cuda"):
        return []
    return [f"GPU-{torch.cuda.get_device_properties(device).uuid}"]


def _not_loaded(source: ModelSource, error: Exception) -> LemError:
    first = (str(error).strip() or "no message").splitlines()[0]
    return LemError(f"cannot load the model {source.location}: {first}", kind=FailureKind.DATA)


def _as_set(value: int | list[int] | None) -> frozenset[int]:
    return frozenset([value] if isinstance(value, int) else value or [])
