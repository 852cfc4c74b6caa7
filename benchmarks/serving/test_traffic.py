"""Energy and latency of a server under traffic: the curve of J/token against goodput.

Copy this file into a suite of your own, with rates that suit your server. It is started for all of
the tests together:
`pytest benchmarks/serving --lem-backend=openai --lem-model=MODEL
--lem-set='backends.openai.command=vllm serve {model} --port {port} --no-enable-prefix-caching'`
"""

import pytest

from pytest_lem import Inference

#: What a good request keeps.
LIMITS = {"ttft_s": 1.0, "tpot_s": 0.1}


@pytest.mark.energy(slo=LIMITS)
@pytest.mark.parametrize("rate", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("backend", ["openai"])
def test_arrivals(inference: Inference, backend: str, rate: float) -> None:
    """Send requests as a Poisson process does, whether or not the server keeps up."""
    result = inference(traffic={"arrivals": "poisson"})

    assert result.record.validity == "valid"
    assert result.metric("request_failure_rate").value == 0


@pytest.mark.energy(slo=LIMITS)
@pytest.mark.parametrize("concurrency", [1, 8])
@pytest.mark.parametrize("backend", ["openai"])
def test_users(inference: Inference, backend: str, concurrency: int) -> None:
    """Let so many users ask, each of whom waits for the answer before asking again."""
    result = inference(traffic={"arrivals": "closed"})

    assert result.record.validity == "valid"
    assert result.metric("request_failure_rate").value == 0
