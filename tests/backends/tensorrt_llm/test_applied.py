"""What is said to be in force."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.tensorrt_llm import TensorRtLlmBackend
from pytest_lem.backends.tensorrt_llm.backend import _PRECISIONS

Load = Callable[..., tuple[TensorRtLlmBackend, dict[str, Any]]]


def quantised(folder: Path, algorithm: str) -> Path:
    """Write the file with which quantised checkpoints come."""
    text = json.dumps({"quantization": {"quant_algo": algorithm}})
    (folder / "hf_quant_config.json").write_text(text)
    return folder


def test_the_facts_of_a_load(load: Load, model: Path) -> None:
    """What nobody tells is null: the number of parameters, and what the workers hold."""
    _, applied = load()

    assert applied["model_location"] == str(model)
    assert applied["architecture"] == "ChainForCausalLM"
    assert (applied["backend_version"], applied["device"]) == ("1.2.1", "cuda")
    assert applied["parameters"] is applied["model_revision"] is applied["quantisation"] is None
    assert applied["precision"] == "bfloat16"
    assert applied["precisions"] == {
        **dict.fromkeys(("weights", "activations", "compute", "kv_cache"), "bfloat16"),
        "quantised_modules": 0,
    }
    assert (applied["context_length"], applied["attention_backends"]) == (256, ["TRTLLM"])
    json.dumps(applied)


@pytest.mark.parametrize(
    ("entries", "dtype"),
    [
        ({"dtype": "float16"}, "float16"),
        ({"dtype": None, "torch_dtype": "float32"}, "float32"),
        ({"dtype": None, "text_config": {"torch_dtype": "torch.float16"}}, "float16"),
        ({"dtype": None}, "bfloat16"),
    ],
)
def test_the_type_is_that_of_the_checkpoint(
    load: Load, changed: Callable[..., Path], entries: dict[str, Any], dtype: str
) -> None:
    """Releases before and after transformers 5 write it under other names, or not at all."""
    assert load(changed(**entries))[1]["precision"] == dtype


@pytest.mark.parametrize("algorithm", ["FP8", "FP8_BLOCK_SCALES", "W4A16_AWQ"])
def test_a_quantised_checkpoint_has_its_precision(
    load: Load, changed: Callable[..., Path], algorithm: str
) -> None:
    """It is known under a name that can be asked for; in what it is computed is not told."""
    _, applied = load(quantised(changed(), algorithm))

    assert applied["precision"] == applied["quantisation"] == algorithm.lower()
    assert applied["precision"] in _PRECISIONS
    assert applied["precisions"] == {
        **dict.fromkeys(("activations", "compute", "quantised_modules")),
        "weights": algorithm.lower(),
        "kv_cache": "bfloat16",
    }


def test_a_kv_cache_in_fp8_is_told(load: Load) -> None:
    """Of the cache alone; the weights stay as they are."""
    _, applied = load(kv_cache_dtype="fp8")

    assert applied["precisions"]["kv_cache"] == applied["options"]["kv_cache_dtype"] == "fp8"
    assert applied["precision"] == "bfloat16"


def test_the_longest_sequence_is_the_context(load: Load) -> None:
    """What was asked for, or what the model knows."""
    assert load(max_seq_len=100)[1]["context_length"] == 100


def test_the_boards_of_all_workers_are_told(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first ones that are visible; fewer than workers is not known."""
    import torch

    load(tensor_parallel_size=2)
    monkeypatch.setattr(torch, "_BOARDS", ["one", "two", "three"])

    assert load(tensor_parallel_size=2)[1]["device_uuids"] == ["GPU-one", "GPU-two"]
    monkeypatch.setattr(torch, "_BOARDS", ["one"])
    assert load(tensor_parallel_size=2)[1]["device_uuids"] == []


def test_nothing_is_sent_anywhere(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The library reports its use unless it is told not to."""
    monkeypatch.delenv("TRTLLM_NO_USAGE_STATS", raising=False)
    load()

    assert os.environ["TRTLLM_NO_USAGE_STATS"] == "1"
