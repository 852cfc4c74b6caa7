"""Energy of writing: short prompts and long answers, where the decode is nearly everything."""

import pytest

from pytest_lem import Inference


@pytest.mark.parametrize("batch_size", [1])
@pytest.mark.parametrize(
    ("backend", "precision"),
    [("transformers", "bfloat16"), ("vllm", "bfloat16"), ("llama_cpp", "auto")],
)
def test_decode(inference: Inference, backend: str, batch_size: int, precision: str) -> None:
    """Read 8 tokens and generate 128."""
    workload = {"name": "decode", "input_tokens": 8, "output_tokens": 128}

    result = inference(workload=workload)

    assert result.record.validity == "valid"
    assert result.output_tokens == 128 * result.requests
