"""Models for the tests of the vLLM backend: the demo model, and a tiny one of its kind."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.demo import demo_directory
from pytest_lem.backends.protocol import LoadSpec
from pytest_lem.backends.vllm import VllmBackend
from pytest_lem.backends.vllm.options import VllmOptions

pytest_plugins = ["pytester"]

#: What the tiny model's context holds, and how many requests a step of it takes.
CONTEXT, BATCH = 256, 4

Load = Callable[..., tuple[VllmBackend, dict[str, Any]]]


@pytest.fixture(scope="session")
def demo() -> Path:
    """Return the directory of the converted demo model."""
    return demo_directory()


@pytest.fixture(scope="session")
def tiny_model(demo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a model with random weights, two layers, and the tokenizer of the demo model."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    tokenizer = AutoTokenizer.from_pretrained(demo)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=CONTEXT,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
    )
    directory = tmp_path_factory.mktemp("tiny") / "tiny"
    LlamaForCausalLM(config).save_pretrained(directory)
    tokenizer.save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def load(tiny_model: Path) -> Load:
    """Return a function that starts vLLM in this process and says what is in force."""

    def load_model(
        model: Path | str = tiny_model, precision: str = "float32", **options: Any
    ) -> tuple[VllmBackend, dict[str, Any]]:
        asked: dict[str, Any] = {"omp_num_threads": 1, "enforce_eager": True}
        if "gpu_memory_utilization" not in options:
            asked["kv_cache_memory_bytes"] = 64 << 20
        asked |= options
        backend = VllmBackend()
        spec = LoadSpec(
            backend="vllm",
            model=str(model),
            precision=precision,
            options=VllmOptions(**asked),  # type: ignore[arg-type]
            max_batch_size=BATCH,
        )
        return backend, backend.load(spec)

    return load_model
