"""llama.cpp's server, in its own words and with its own numbers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

SERVER = Path(__file__).with_name("llama_server.py")


def test_batches_and_traffic_on_one_server(run_on: Callable[..., Any]) -> None:
    """Every request has its tokens with their times, and energy is that of the server."""
    records = run_on(f"{sys.executable} {SERVER} {{gguf}} {{port}}")

    assert [r["case"]["kind"] for r in records.values()] == ["infer", "serve", "serve"]
    loads = {round_["load_id"] for r in records.values() for round_ in r["rounds"]}
    assert len(loads) == 1
    for record in records.values():
        assert (record["status"], record["validity"], record["reasons"]) == ("ok", "valid", [])
        assert record["applied"]["model_sha256"]
        assert record["applied"]["backend_version"]
        assert record["metrics"]["energy_per_output_token_j"]["tier"] == "estimated"
        assert record["sample"]["text"].strip()
        requests = [request for r in record["rounds"] for request in r["requests"]]
        assert requests
        assert all(request["output_tokens"] == 8 for request in requests)
        assert all(request["input_tokens"] > 8 for request in requests)
    users, arrivals = records["test_users"]["metrics"], records["test_arrivals"]["metrics"]
    assert users["ttft_s"]["anchor"] == "dispatched"
    assert arrivals["ttft_s"]["anchor"] == "scheduled"
    assert 0 < users["requests_running"]["value"] <= 2
    assert users["goodput_req_s"]["value"] > 0
    assert arrivals["request_failure_rate"]["value"] == 0
