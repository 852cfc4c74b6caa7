"""Energy, throughput and latency of text generation, over backend, batch size and precision.

Copy this file into a suite of your own. Values on the command line take the place of the lists
here, and backends select among them:
`pytest benchmarks/ --lem-backend=vllm --lem-batch-size=1,8,64 --lem-precision=bfloat16`.
"""

import pytest

from pytest_lem import Inference


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize(
    ("backend", "precision"),
    [
        ("transformers", "float32"),
        ("transformers", "bfloat16"),
        ("vllm", "float32"),
        ("vllm", "bfloat16"),
        ("llama_cpp", "auto"),
    ],
)
def test_generate(inference: Inference, backend: str, batch_size: int, precision: str) -> None:
    """Generate the default workload: 64 tokens for each request, end of sequence ignored."""
    result = inference()

    assert result.record.validity == "valid"
    assert result.output_tokens > 0
    assert result.text
