"""The same answer everywhere: one model, one prompt, three libraries."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytest_lem.backends.demo import DEMO_MODEL
from pytest_lem.backends.llama_cpp import LlamaCppBackend
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.transformers import TransformersBackend
from pytest_lem.backends.vllm import VllmBackend
from pytest_lem.workloads.prompts import DEFAULT_PROMPTS
from pytest_lem.workloads.quality import QUALITY_TEXT
from pytest_lem.workloads.workload import Workload

PROMPTS = DEFAULT_PROMPTS[:6]
#: How much less likely than the best a token of the quantised model may be: 0.5 nat.
NAT = 0.5


def _started(backend: Any, precision: str, **options: Any) -> Any:
    spec = LoadSpec(
        backend=backend.name,
        model=DEMO_MODEL,
        precision=precision,
        options=backend.Options(**options),
        max_batch_size=len(PROMPTS),
    )
    backend.load(spec)
    return backend


@pytest.fixture(scope="module")
def reference() -> TransformersBackend:
    """Return transformers in float32."""
    return _started(TransformersBackend(), "float32")


def _answers(backend: Any, output_tokens: int, batch_size: int) -> list[list[int]]:
    """Return the tokens of the answers, greedy."""
    workload = Workload(prompts=PROMPTS, output_tokens=output_tokens, requests=len(PROMPTS))
    batches = backend.prepare(workload, batch_size).batches
    return [r.token_ids for batch in batches for r in backend.requests(backend.run(batch))]


def test_vllm_gives_the_tokens_of_transformers(reference: TransformersBackend) -> None:
    """In float32 both generate the same ids, one in batches, the other one prompt at a time."""
    options = {"enforce_eager": True, "max_model_len": 1024, "kv_cache_memory_bytes": 1 << 28}
    vllm = _started(VllmBackend(), "float32", **options)

    assert _answers(vllm, 24, len(PROMPTS)) == _answers(reference, 24, 1)
    ours, theirs = (backend.score(QUALITY_TEXT) for backend in (vllm, reference))
    assert ours.tokens == theirs.tokens > 300
    assert ours.nats == pytest.approx(theirs.nats, rel=1e-5)


def test_llama_cpp_gives_what_the_reference_finds_likely(reference: TransformersBackend) -> None:
    """Each of its first 16 tokens is within half a nat of the best, after the same beginning."""
    llama_cpp = _started(LlamaCppBackend(), "q4_1")
    workload = Workload(prompts=PROMPTS, output_tokens=16, requests=len(PROMPTS))
    answers = _answers(llama_cpp, 16, len(PROMPTS))
    prompts = [batch.inputs["input_ids"][0] for batch in reference.prepare(workload, 1).batches]

    gaps = [_gap(reference, prompt, ids) for prompt, ids in zip(prompts, answers, strict=True)]

    assert [len(ids) for ids in answers] == [16] * len(PROMPTS)
    assert max(gaps) < NAT


def _gap(reference: TransformersBackend, prompt: torch.Tensor, ids: list[int]) -> float:
    """Return by how much the worst token is less likely than the best at its place."""
    whole = torch.cat([prompt, torch.tensor(ids)])[None]
    with torch.inference_mode():
        logits = reference._model(whole).logits[0, len(prompt) - 1 : -1]
    scores = logits.log_softmax(-1)
    chosen = scores[torch.arange(len(ids)), torch.tensor(ids)]
    return float((scores.max(-1).values - chosen).max())


def test_an_unlikely_token_would_be_found(reference: TransformersBackend) -> None:
    """The measure itself can fail: an answer to another question is far from likely."""
    workload = Workload(prompts=PROMPTS[:1], output_tokens=8)
    prompt = reference.prepare(workload, 1).batches[0].inputs["input_ids"][0]

    assert _gap(reference, prompt, list(range(100, 108))) > NAT
