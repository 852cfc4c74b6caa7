"""Hugging Face transformers: static batches through `model.generate`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from pytest_lem.backends.host.failures import described
from pytest_lem.backends.host.packages import require_version
from pytest_lem.backends.models import locate
from pytest_lem.backends.protocol import LoadSpec, Prepared, Request, Score
from pytest_lem.backends.tokens import HuggingFaceTokenizer, prompts_of, up_to_eos
from pytest_lem.backends.transformers.adapter import adapter_in, attach, locate_adapter
from pytest_lem.backends.transformers.applied import context_length, in_force
from pytest_lem.backends.transformers.devices import chosen_map, gpus, placement
from pytest_lem.backends.transformers.generation import Generation
from pytest_lem.backends.transformers.options import TransformersOptions
from pytest_lem.backends.transformers.pretrained import commit_of, first_line, load_pretrained
from pytest_lem.backends.transformers.probe import Observed, observe
from pytest_lem.backends.transformers.quantiser import stored_in
from pytest_lem.backends.transformers.untried import untried
from pytest_lem.errors import FailureKind, config_error
from pytest_lem.workloads.prompt import Prompt
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
    refuses: ClassVar[tuple[str, ...]] = ()
    Options: ClassVar[type[TransformersOptions]] = TransformersOptions
    untried = staticmethod(untried)

    def load(self, spec: LoadSpec) -> dict[str, Any]:
        """Load model and tokenizer, generate a token or two; see `Backend.load`."""
        source = locate(spec.model)
        import torch
        import transformers

        require_version(torch.__version__, "2.6", "torch", self.install)
        require_version(transformers.__version__, "5.0", "transformers", self.install)
        options: TransformersOptions = spec.options  # type: ignore[assignment]
        adapter = locate_adapter(options)
        _set_up(torch, options)
        self._torch = torch
        self._tokenizer, self._model = load_pretrained(source, spec, chosen_map(torch, options))
        is_merged = options.merge_adapter is True
        changed = attach(self._model, adapter, is_merged=is_merged) if adapter else 0
        self._gpus = gpus(placement(self._model).values())
        self._device = self._gpus[0] if self._gpus else "cpu"
        self._is_compiled, self._precision = options.torch_compile, spec.precision
        self._prepare_generation(options)
        observed = self._observe()
        found = adapter_in(self._model, adapter, merged=changed if is_merged else 0)
        return {
            "backend_version": transformers.__version__,
            "model_location": source.location,
            "model_sha256": source.sha256,
            "model_revision": commit_of(source, options.revision),
            "stored_quantization": (stored_in(source, options.revision) or {}).get("quant_method"),
            **in_force(torch, self._model, options, observed, adapter=found),
        }

    def prepare(self, workload: Workload, batch_size: int) -> Prepared:
        """Tokenise, pad on the left and check against the context.

        What earlier workloads left behind is dropped, so that it makes no difference in which
        order they come: a static cache would stay as long as the longest needed it, and what was
        compiled for one shape would be made general by the next.
        """
        batches = [self._batch(prompts, workload) for prompts in workload.batches(batch_size)]
        lengths = [length for batch in batches for length in batch.lengths]
        self._model._previous_max_cache_length = -1  # noqa: SLF001 - no public name
        if self._is_compiled:
            self._compile(batches)
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
        for device in self._gpus:
            self._torch.cuda.synchronize(device)

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

    def score(self, text: str) -> Score:
        """Return how likely the model finds a text."""
        torch = self._torch
        ids = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        ids = ids[: context_length(self._model) or None]
        given = torch.tensor([ids], device=self._device)
        with torch.inference_mode():
            logits = self._model(given).logits[0, :-1].float()
            nats = torch.nn.functional.cross_entropy(logits, given[0, 1:], reduction="sum")
        return Score(float(nats), len(ids) - 1)

    def _prepare_generation(self, options: TransformersOptions) -> None:
        """Take what the model says of its generation, and leave nothing of it in force.

        `generate` fills what is left open from the model's own configuration, which would bring
        back its end-of-sequence token, its sampling and its lengths.
        """
        from transformers import GenerationConfig

        if (options.cache_implementation or "").startswith("offloaded") and not self._gpus:
            raise config_error(
                f"`backends.transformers.cache_implementation: {options.cache_implementation}` "
                "keeps the cache off the GPU, but the model runs on the CPU; take `dynamic` or "
                "`static`"
            )
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.eos_token
        self._prompts = HuggingFaceTokenizer(self._tokenizer)
        self._eos_ids = _as_set(self._model.generation_config.eos_token_id)
        self._model.generation_config = GenerationConfig()
        self._generation = Generation(
            options, pad_id=self._tokenizer.pad_token_id, eos_ids=self._eos_ids
        )

    def _observe(self) -> Observed:
        """Watch the first tokens; what this machine cannot compute is found here."""
        if self._is_compiled:
            self._torch.compiler.reset()  # so that nothing of another model passes for this one's
        with self._explained():
            return observe(self._torch, self._model, self._first_tokens)

    def _compile(self, batches: Sequence[_Batch]) -> None:
        """Compile for the shapes of batches, by running them, and forget what was before."""
        self._torch.compiler.reset()
        with self._explained():
            for batch in batches:
                self.run(batch)

    @contextmanager
    def _explained(self) -> Iterator[None]:
        """Say what a person can do where PyTorch cannot compute what it was given."""
        try:
            yield
        except RuntimeError as error:
            if described(error)["kind"] == FailureKind.OOM:
                raise
            raise config_error(
                f"the model loads, but does not compute a token in {self._precision} on "
                f"{self._device} ({first_line(error)}); take another precision or attention "
                "implementation, or leave `torch_compile` out"
            ) from error

    def _first_tokens(self, tokens: int) -> Any:
        prompt = self._torch.zeros((1, 1), dtype=self._torch.long, device=self._device)
        with self._torch.inference_mode():
            return self._model.generate(
                prompt,
                attention_mask=self._torch.ones_like(prompt),
                generation_config=self._generation.of_probe(tokens),
            )

    def _batch(self, prompts: list[Prompt], workload: Workload) -> _Batch:
        ids = prompts_of(self._prompts, prompts, workload, context_length(self._model))
        padded = self._tokenizer.pad({"input_ids": ids}, padding=True, return_tensors="pt")
        self._is_streaming = workload.streaming
        return _Batch(
            inputs={key: value.to(self._device) for key, value in padded.items()},
            lengths=[len(row) for row in ids],
            generation=self._generation.of_workload(workload),
            seed=workload.seed if workload.temperature > 0 else None,
            eos_ids=frozenset() if workload.ignore_eos else self._eos_ids,
        )


def _set_up(torch: Any, options: TransformersOptions) -> None:
    """Set what PyTorch keeps for the whole process; before it does any work."""
    if options.num_threads:
        torch.set_num_threads(options.num_threads)
    if options.float32_matmul_precision:
        torch.set_float32_matmul_precision(options.float32_matmul_precision)


def _as_set(value: int | list[int] | None) -> frozenset[int]:
    return frozenset([value] if isinstance(value, int) else value or [])
