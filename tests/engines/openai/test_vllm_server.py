"""vLLM's server: the API process, the engine's core and its worker are one server."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pytest_lem.backends.models import locate

COMMAND = (
    f"{sys.executable} -m vllm.entrypoints.openai.api_server --model {{model}} --port {{port}} "
    "--dtype float32 --max-model-len 512 --max-num-seqs 4 --enforce-eager "
    "--no-enable-prefix-caching"
)


def test_batches_and_traffic_on_one_server(run_on: Callable[..., Any], monkeypatch: Any) -> None:
    """Tokens are counted twice, the engine's gauges are read, and lengths are exact."""
    monkeypatch.setenv("VLLM_CPU_KVCACHE_SPACE", "1")
    location = locate("smollm2-135m-instruct").location
    monkeypatch.setenv("XDG_CACHE_HOME", str(Path(location).parents[2]))  # converted once
    exact = {"backends.openai.tokenizer": location, "workload.input_tokens": 24}
    records = run_on(COMMAND, **exact)

    for record in records.values():
        assert (record["status"], record["validity"], record["reasons"]) == ("ok", "valid", [])
        applied = record["applied"]
        assert (applied["context_length"], applied["device"]) == (512, "cpu")
        requests = [request for r in record["rounds"] for request in r["requests"]]
        assert requests
        assert {(q["input_tokens"], q["output_tokens"]) for q in requests} == {(24, 8)}
        assert {len(q["token_times"]) for q in requests} == {8}
    users = records["test_users"]["metrics"]
    assert 0 < users["requests_running"]["value"] <= 2
    assert 0 < users["kv_cache_utilisation"]["value"] < 1
    assert users["queue_time_s"]["value"] >= 0
    assert users["preemptions"]["value"] == 0
