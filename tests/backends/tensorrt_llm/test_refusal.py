"""What TensorRT-LLM refuses is one sentence of a known kind, before any window."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pytest_lem.backends.tensorrt_llm import TensorRtLlmBackend
from pytest_lem.errors import FailureKind, LemError

Load = Callable[..., tuple[TensorRtLlmBackend, dict[str, Any]]]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"llm_args": {"max_batch_sice": 3}}, "did you mean `max_batch_size`"),
        ({"llm_args": {"max_batch_size": 3}}, "set by another setting"),
        ({"llm_args": {"quant_config": {}}}, "takes the quantisation of the checkpoint"),
        ({"llm_args": {"enable_lora": []}, "attn_backend": "FOO"}, "no attention backend FOO"),
        ({"kv_cache_config": {"max_token": 3}}, "did you mean `max_tokens`"),
        ({"kv_cache_config": {"dtype": "fp8"}}, "kv_cache_config.dtype` is set by another"),
        ({"kv_cache_config": {"max_tokens": "many"}}, "max_tokens: Input should be a valid"),
        ({"cuda_graph_config": {"sizes": [1]}}, "sizes: Extra inputs are not permitted"),
        ({"cuda_graph_config": {"max_batch_size": -1}}, "max_batch_size: Input should be"),
    ],
)
def test_settings_that_cannot_be_are_one_sentence(
    load: Load, options: dict[str, Any], words: str
) -> None:
    """The sentence says what is wrong, without a traceback, and the kind is `config`."""
    with pytest.raises(LemError, match=words) as caught:
        load(**options)

    assert caught.value.kind is FailureKind.CONFIG
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 400


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        ("memory", "oom", r"ran out of GPU memory \(insufficient .*\): lower `backends\.tensorrt"),
        ("kernel", "config", "cannot do this with this model on this GPU: FP8 is not supported"),
        ("weights", "data", r"cannot load the model .*changed: model\.safetensors ends"),
        ("settings", "config", "does not take these settings: max_batch_size does not go"),
        ("other", "engine", r"did not start \(RuntimeError: the matrix is singular\); its log"),
        ("die", "engine", r"did not start \(RuntimeError: RuntimeError\)"),
    ],
)
def test_a_start_that_fails_is_told_by_its_cause(
    load: Load, changed: Callable[..., Path], fault: str, kind: str, words: str
) -> None:
    """Workers fail elsewhere; what the library raises says only that they did."""
    with pytest.raises(LemError, match=words) as caught:
        load(changed(fault=fault))

    assert caught.value.kind == kind
    assert caught.value.__cause__ is not None


def test_a_quantisation_that_the_gpu_lacks_is_refused(
    load: Load, changed: Callable[..., Path]
) -> None:
    """NVFP4 needs a younger one."""
    folder = changed()
    text = json.dumps({"quantization": {"quant_algo": "NVFP4"}})
    (folder / "hf_quant_config.json").write_text(text)
    with pytest.raises(LemError, match=r"NVFP4 is not supported on compute capability 9\.0") as it:
        load(folder)

    assert it.value.kind is FailureKind.CONFIG


def test_an_old_release_is_refused(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    """The sentence has the release found and the one that is needed."""
    monkeypatch.setattr("tensorrt_llm.__version__", "0.21.0")

    with pytest.raises(LemError, match=r"tensorrt-llm 0\.21\.0 is too old .* needs 1\.0 or later"):
        load()


def test_a_release_without_metrics_of_all_requests_is_not_asked(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    """1.0 has no such argument of `LLM`; each request asks for its own."""
    from tensorrt_llm.llmapi import TorchLlmArgs

    from pytest_lem.backends.models import ModelSource
    from pytest_lem.backends.protocol import LoadSpec
    from pytest_lem.backends.tensorrt_llm.arguments import llm_arguments

    fields = {n: f for n, f in TorchLlmArgs.model_fields.items() if n != "return_perf_metrics"}
    old = type("Old", (), {"model_fields": fields})
    monkeypatch.setattr("tensorrt_llm.llmapi.TorchLlmArgs", old)
    options = TensorRtLlmBackend.Options()
    spec = LoadSpec(backend="tensorrt_llm", model="m", precision="auto", options=options)  # type: ignore[arg-type]

    found = llm_arguments(spec, options, ModelSource("m", None, is_local=True))
    assert "return_perf_metrics" not in found
