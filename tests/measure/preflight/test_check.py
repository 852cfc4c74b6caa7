"""All that is checked before a load."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_lem.backends.shape import Weights
from pytest_lem.errors import LemError
from pytest_lem.measure.preflight.check import doubts_about

GIB = 1 << 30
#: For each refusal, the words of it, and a load that gives no other.
REFUSED = {
    "no GPU is visible": {"options": {"device": "cuda"}, "is_cpu": True},
    "needs 2 devices": {"options": {"tensor_parallel_size": 2}},
    "8 attention heads": {"options": {"tensor_parallel_size": 3}, "gpus": 3},
    "only 6 layers": {"options": {"pipeline_parallel_size": 7}, "gpus": 7},
    "compute capability": {"backend": "tensorrt_llm", "capability": (7, 0)},
    "do not fit into the context": {"tokens": (2000, 1)},
    "the weights of m": {"weights": Weights(floats=99 * GIB, floats_bytes=1)},
}


def _asked(job: Any, gpu: Any, fields: dict[str, Any]) -> Any:
    fields = dict(fields)
    count = 0 if fields.pop("is_cpu", False) else fields.pop("gpus", 1)
    capability = fields.pop("capability", (9, 0))
    return job(*(gpu(f"GPU-{n}", capability=capability) for n in range(count)), **fields)


@pytest.mark.parametrize("words", REFUSED)
def test_every_check_refuses(job: Any, gpu: Any, words: str) -> None:
    """None is forgotten."""
    with pytest.raises(LemError, match=words):
        doubts_about(_asked(job, gpu, REFUSED[words]))


def test_every_doubt_is_told(job: Any, gpu: Any) -> None:
    """One sentence each; none keeps another from being told."""
    found = doubts_about(
        job(
            gpu(free=1, capability=(8, 6), strangers=(1,)),
            precision="fp8",
            weights=Weights(floats=2 * GIB, floats_bytes=4 * GIB),
            options={"engine": "AsyncLLM"},
            machine={"shm_bytes": 0},
        )
    )
    words = ("memory may not", "FP8 arithmetic", "shared memory", "the process 1 is on GPU-a")
    assert [text.startswith(word) for text, word in zip(found, words, strict=True)] == [True] * 4


def test_a_sound_load_is_not_doubted(job: Any, gpu: Any) -> None:
    """Nothing is said where there is nothing to say."""
    assert doubts_about(job(gpu())) == doubts_about(job()) == []
