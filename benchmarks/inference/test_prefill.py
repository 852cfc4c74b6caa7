"""Energy of reading: long prompts, one token generated. J/token is per prompt token."""

import pytest

from pytest_lem import Inference


@pytest.mark.parametrize("batch_size", [1])
@pytest.mark.parametrize(
    ("backend", "precision"),
    [("transformers", "bfloat16"), ("vllm", "bfloat16"), ("llama_cpp", "auto")],
)
def test_prefill(inference: Inference, backend: str, batch_size: int, precision: str) -> None:
    """Read 512 tokens and generate one, so that the windows hold nothing but the prefill."""
    workload = {"name": "prefill", "input_tokens": 512, "output_tokens": 1}

    result = inference(workload=workload)

    assert result.record.validity == "valid"
    assert result.output_tokens == result.requests
